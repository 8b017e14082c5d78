"""Writes a bag on a thread of its own, out of a queue that has an end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from rosbags.interfaces import Connection, Qos

from hearing_hands_ros.record.lasting_bag import LastingBag

RETRY_S = 1.0
PUSH_BYTES = 4 << 20  # as soon as so many wait in memory
PICTURES_SHARE = 0.5  # of the queue: pictures leave the rest of it to sound and motion


@dataclass(frozen=True)
class Topic:
    """A topic that is recorded.

    Attributes:
        name: Full name.
        type_name: Of its messages.
        definition: As `definition_of` gives it.
        type_hash: Likewise.
        offered: QoS of its publishers.
        is_picture: Its messages are large, and the first to be dropped.
    """

    name: str
    type_name: str
    definition: str
    type_hash: str
    offered: tuple[Qos, ...]
    is_picture: bool


class BagThread:
    """Takes messages and never waits; what does not fit in the queue is dropped and counted.

    When the disk is full, what is in the queue waits for room, and the recording goes on in the same file when there
    is some.

    Args:
        path: The folder of the bag; must not be there.
        flush_s: What is older than this is on the disk.
        queue_bytes: Most that may wait to be written.

    Attributes:
        messages: By topic, how many were written; when the bag ended badly, how many of them are in it.
        dropped: By topic, how many are not, for want of time or room or since the writing broke off.
        fault: Why nothing can be written now; empty if it can.
        ended: The bag is closed and whole; false while it is written and if it could not get its end.

    Raises:
        WriterError: It is there.
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, flush_s: float, queue_bytes: int) -> None:
        self._bag = LastingBag(path)
        self._flush_s, self._queue_bytes = flush_s, queue_bytes
        self._connections: dict[tuple[str, str], Connection] = {}
        self._queue: list[tuple[Topic, int, bytes]] = []
        self._waiting_bytes = 0
        self._closing = False
        self._changed = Condition()
        self.messages: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()  # into the queue, since the begin
        self._unsafe: Counter[str] = Counter()  # written, but not known to be on the disk
        self.fault = ""
        self.ended = False
        self._due_s = time.monotonic() + flush_s
        self._thread = Thread(target=self._run, name="bag", daemon=True)
        self._thread.start()

    @property
    def file_bytes(self) -> int:
        """On the disk."""
        return self._bag.file_bytes

    def put(self, messages: Sequence[tuple[Topic, int, bytes]]) -> None:
        """Take messages: topic, time of receipt in ns, bytes."""
        with self._changed:
            for topic, stamp_ns, raw in messages:
                share = PICTURES_SHARE if topic.is_picture else 1.0
                if self._closing or self._waiting_bytes + len(raw) > share * self._queue_bytes:
                    self.dropped[topic.name] += 1
                    continue
                self._waiting_bytes += len(raw)
                self._taken[topic.name] += 1
                self._queue.append((topic, stamp_ns, raw))
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, and the bag's end; `fault` says what of it failed."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._work():
                pass
            self._flushed()
            self._bag.close()
            self.ended, self.fault = True, ""
        except Exception as error:  # noqa: BLE001  (whatever ends this thread, the node stays up and says so)
            self.fault = f"the bag has no end: {type(error).__name__}: {error}"
            self.messages -= self.messages if self._bag.is_gone else self._unsafe
        with self._changed:
            self._closing = True
            self.dropped += self._taken - self.messages

    def _work(self) -> bool:
        """Write what came until the next flush is due; false when it is time to close."""
        with self._changed:
            wait_s = max(0.0, self._due_s - time.monotonic())
            self._changed.wait_for(lambda: self._queue or self._closing, wait_s)
            taken, self._queue, closing = self._queue, [], self._closing
        for topic, stamp_ns, raw in taken:
            self._bag.write(self._connection(topic), stamp_ns, raw)
            self.messages[topic.name] += 1
            self._unsafe[topic.name] += 1
            with self._changed:
                self._waiting_bytes -= len(raw)
            is_due = time.monotonic() >= self._due_s or self._bag.waiting_bytes >= PUSH_BYTES
            if is_due and not self._flush():
                return False
        if time.monotonic() >= self._due_s and not self._flush():
            return False
        return not closing

    def _flush(self) -> bool:
        """Bring everything to the disk, and wait for room as long as it takes; false if it is time to close before."""
        while not self._flushed():
            with self._changed:
                if self._closing:
                    return False
                self._changed.wait_for(lambda: self._closing, RETRY_S)
        self.fault = ""
        self._due_s = time.monotonic() + self._flush_s
        return True

    def _flushed(self) -> bool:
        try:
            self._bag.flush()
        except OSError as error:
            self.fault = str(error)
            return False
        self._unsafe.clear()
        return True

    def _connection(self, topic: Topic) -> Connection:
        key = topic.name, topic.type_name
        if key not in self._connections:
            self._connections[key] = self._bag.add_connection(
                topic.name,
                topic.type_name,
                msgdef=topic.definition,
                rihs01=topic.type_hash,
                offered_qos_profiles=topic.offered,
            )
        return self._connections[key]
