"""Predictions that a second process makes while this one reads on, follows hands and judges."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from hearing_hands_ros.predictors.checked import predict_checked
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction, Predictor
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.predictors.touch_windows import TouchWindow, TouchWindows
from hearing_hands_ros.replay.hands import SeenHands
from hearing_hands_ros.replay.recording import MOMENTS_HZ, Moment
from hearing_hands_ros.replay.settings import ReplaySettings

AHEAD_TOUCHES: Final = 8
"""So many touches are read ahead of the one that is judged."""

AHEAD_MOMENTS: Final = 60 * MOMENTS_HZ
"""Where nothing is touched, a minute."""

Seen = list[tuple[SeenHands, list[Prediction]]]
"""The windows of hands of a moment, each with the predictions of the touches that were over in it."""


class Helper:
    """A process with a predictor of its own, to be used in a `with` statement.

    It takes no part until it has loaded, nor once it is gone; then there is nobody to be waited for.

    Args:
        settings: Say which predictor.
    """

    def __init__(self, settings: ReplaySettings) -> None:
        given = (settings.model, settings.device, settings.scene, settings.views)
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._pool = ProcessPoolExecutor(1, context, _load, given)
        self._ready = self._pool.submit(_nothing)

    def __enter__(self) -> Helper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wait(self) -> None:
        """Wait until it has loaded.

        Raises:
            BrokenProcessPool: It could not.
        """
        self._ready.result()

    def predict(self, candidate: HandMotion) -> Future[Prediction] | None:
        """Have a prediction made; None if it cannot."""
        if not self._ready.done() or self._ready.exception() is not None:
            return None
        try:
            return self._pool.submit(_predict, candidate)
        except BrokenProcessPool:
            return None


@dataclass(eq=False)
class _Asked:
    """A prediction that is wanted."""

    window: TouchWindow
    future: Future[Prediction] | None
    made: Prediction | None = None

    @property
    def is_there(self) -> bool:
        """It can be had without waiting."""
        return self.made is not None or (self.future is not None and self.future.done())

    def claim(self) -> bool:
        """Take it away from the helper, if that has not begun with it and it is not made."""
        return self.made is None and (self.future is None or self.future.cancel())


class PredictedMoments:
    """Moments in their order, with the predictions of the touches that were over in each.

    With a helper the recording is read ahead. Whoever must wait for a prediction makes one that the helper has not
    begun with meanwhile, so both processors work, whichever has more to do. Each touch is predicted alone, as in the
    running graph: a batch would round otherwise.

    Args:
        recorded: The recording.
        windows: Cuts out what is predicted.
        predictor: Of this process.
        helper: Of another; None for none.
    """

    def __init__(
        self, recorded: Iterable[Moment], windows: TouchWindows, predictor: Predictor, helper: Helper | None
    ) -> None:
        self._recorded, self._windows, self._predictor, self._helper = recorded, windows, predictor, helper
        self._asked: deque[_Asked] = deque()  # of the moments that wait, oldest first
        self._waiting: deque[tuple[Moment, list[tuple[SeenHands, list[_Asked]]]]] = deque()

    def __iter__(self) -> Iterator[tuple[Moment, Seen]]:
        for moment in self._recorded:
            seen = [
                (hands, [self._ask(w) for w in self._windows.of(hands.motion, hands.ended)]) for hands in moment.hands
            ]
            self._waiting.append((moment, seen))
            self._asked.extend(asked for _, each in seen for asked in each)
            while self._waiting and (self._is_next_there() or self._is_far_ahead()):
                yield self._next()
        while self._waiting:
            yield self._next()

    def _ask(self, window: TouchWindow) -> _Asked:
        return _Asked(window, None if self._helper is None else self._helper.predict(window.candidate))

    def _is_next_there(self) -> bool:
        return all(asked.is_there for _, each in self._waiting[0][1] for asked in each)

    def _is_far_ahead(self) -> bool:
        return self._helper is None or len(self._asked) > AHEAD_TOUCHES or len(self._waiting) > AHEAD_MOMENTS

    def _next(self) -> tuple[Moment, Seen]:
        moment, seen = self._waiting.popleft()
        return moment, [(hands, [self._made(asked) for asked in each]) for hands, each in seen]

    def _made(self, asked: _Asked) -> Prediction:
        """The prediction of the oldest touch that is asked for, as it was in the end."""
        while not asked.is_there:
            free = next((other for other in self._asked if other.claim()), None)
            if free is None:
                break
            free.future, free.made = None, self._own(free)
        self._asked.popleft()
        if asked.made is None and asked.future is not None:
            try:
                asked.made = asked.future.result()
            except BrokenProcessPool:  # killed, as for its memory
                asked.made = self._own(asked)
        assert asked.made is not None  # noqa: S101  (it was waited for)
        return asked.window.told(asked.made)

    def _own(self, asked: _Asked) -> Prediction:
        return predict_checked(self._predictor, [asked.window.candidate])[0]


_predictor: Predictor


def _load(*given: str) -> None:
    """Load the predictor of the helping process."""
    global _predictor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whom it helps ends it
    share_processors()
    _predictor = load_predictor(*given)  # type: ignore[arg-type]


def _nothing() -> None:
    """Is done when the predictor was loaded."""


def _predict(candidate: HandMotion) -> Prediction:
    return predict_checked(_predictor, [candidate])[0]


def share_processors(among: int = 2) -> None:
    """Have PyTorch take its share of the processors in this process: so many work side by side."""
    import torch  # slow to import

    torch.set_num_threads(max(1, -(-multiprocessing.cpu_count() // among)))
