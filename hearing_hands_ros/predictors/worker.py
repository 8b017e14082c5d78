"""A thread that works on one thing after the other; where one hangs, another thread takes over."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, PriorityQueue
from typing import Any

STOP_S = 5.0  # as long is what is being worked on waited for


class HangsError(RuntimeError):
    """Work took too long and was given up."""


@dataclass(order=True)
class _Piece:
    """One thing to do: the least `rank` first, then the oldest."""

    rank: int
    number: int
    work: Callable[[], Any] | None = field(compare=False)  # None: nothing more
    allowed_s: float = field(compare=False, default=0.0)
    future: Future[Any] = field(compare=False, default_factory=Future)


class Worker:
    """Does what it is given on a thread of its own, which it leaves behind when it hangs.

    A Python thread cannot be ended from outside, so there may only be so many that hang; after that nothing is done
    until one of them returns. What comes of work that was given up is thrown away.

    Args:
        name: Of the threads.
        most_hanging: Threads that may be left behind.
    """

    def __init__(self, name: str, most_hanging: int) -> None:
        self.most_hanging = most_hanging
        self._name = name
        self._lock = threading.Lock()
        self._numbers = count()
        self._queue: PriorityQueue[_Piece] | None = None
        self._thread: threading.Thread | None = None
        self._current: tuple[_Piece, float] | None = None  # and when it must be done
        self._left: list[threading.Thread] = []

    @property
    def hanging(self) -> int:
        """Threads that were left behind and have not returned."""
        self._left = [thread for thread in self._left if thread.is_alive()]
        return len(self._left)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can be done, for too many threads hang."""
        return self._queue is not None and self._thread is None

    def start(self) -> None:
        """Begin to work."""
        with self._lock:
            self._queue = PriorityQueue()
            self._begin()

    def stop(self) -> None:
        """Finish what is being worked on, if that takes no longer than `STOP_S`, and cancel what waits."""
        with self._lock:
            queue, self._queue = self._queue, None
        if queue is None:
            return
        for piece in _emptied(queue):
            piece.future.cancel()
        queue.put(_Piece(0, next(self._numbers), None))
        until_s = time.monotonic() + STOP_S
        while (thread := self._thread) is not None and thread.is_alive():
            thread.join(0.02)
            self._check(now=time.monotonic() > until_s)
        self._thread = None

    def submit(
        self, work: Callable[..., Any], *arguments: Any, allowed_s: float, urgent: bool = False
    ) -> Future[Any] | None:
        """Put work in the queue.

        Args:
            work: Is done on the thread, and may raise anything.
            *arguments: Its arguments.
            allowed_s: After so long it is given up, and the future raises `HangsError`.
            urgent: It comes before all that is not.

        Returns:
            What will come of it; None while stopped.
        """
        piece = _Piece(0 if urgent else 1, next(self._numbers), lambda: work(*arguments), allowed_s)
        with self._lock:
            if self._queue is None:
                return None
            if self._thread is not None:
                self._queue.put(piece)
                return piece.future
        self._refuse(piece)
        return piece.future

    def check(self) -> None:
        """Give up what takes too long, and go on with what waits; to be called again and again."""
        self._check(now=False)

    def _check(self, now: bool) -> None:
        """The same; with `now` what is being worked on has taken too long already."""
        given_up, refused = None, []
        with self._lock:
            if self._current is not None and (now or time.monotonic() > self._current[1]):
                given_up = self._current[0]
                self._current = None
                if self._thread is not None:
                    self._left.append(self._thread)
                self._begin()
            elif self.is_stuck:  # one that hung may have returned
                self._begin()
            if self.is_stuck and self._queue is not None:
                refused = _emptied(self._queue)
        # Outside of the lock: whoever waits for them may have more to do at once.
        if given_up is not None:
            given_up.future.set_exception(HangsError(f"took longer than {given_up.allowed_s:g} s and was given up"))
        for piece in refused:
            self._refuse(piece)

    def _begin(self) -> None:
        """Have a thread that works, unless too many hang or it was stopped."""
        self._thread = None
        if self._queue is not None and self.hanging < self.most_hanging:
            # It must not keep a process from ending.
            self._thread = threading.Thread(target=self._run, args=(self._queue,), name=self._name, daemon=True)
            self._thread.start()

    def _run(self, queue: PriorityQueue[_Piece]) -> None:
        while (piece := queue.get()).work is not None:
            if not piece.future.set_running_or_notify_cancel():
                continue
            with self._lock:
                self._current = piece, time.monotonic() + piece.allowed_s
            result, error = None, None
            try:
                result = piece.work()
            except BaseException as raised:  # noqa: BLE001  (also one that means to end the thread or the process)
                error = raised if isinstance(raised, Exception) else RuntimeError(f"{type(raised).__name__}: {raised}")
            with self._lock:
                if self._thread is not threading.current_thread():
                    return  # it was given up, and nobody waits for what came of it
                self._current = None
            if error is None:
                piece.future.set_result(result)
            else:
                piece.future.set_exception(error)

    def _refuse(self, piece: _Piece) -> None:
        if piece.future.set_running_or_notify_cancel():
            piece.future.set_exception(HangsError(f"was not begun: {self.hanging} before it hang, the most that may"))


def _emptied(queue: PriorityQueue[_Piece]) -> list[_Piece]:
    """All that is in a queue, which is empty then."""
    pieces = []
    with contextlib.suppress(Empty):
        while True:
            pieces.append(queue.get_nowait())
    return pieces
