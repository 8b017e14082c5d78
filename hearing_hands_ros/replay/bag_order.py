"""Messages of a damaged recording in the order of time, as far as a small window allows."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from hearing_hands_ros.motion.window import NANOSECONDS

WINDOW_S = 2.0
"""Messages that were written so much out of order are put in order; recorders stay under a tenth of it."""

_WINDOW_NS = round(WINDOW_S * NANOSECONDS)


def in_order(messages: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Yield connection, time and bytes in the order of time; never more than `WINDOW_S` of them are in memory.

    What comes later than that is yielded when it comes.
    """
    waiting: list[tuple[int, int, int, bytes]] = []
    newest_ns = 0
    for number, (connection, stamp_ns, raw) in enumerate(messages):
        heapq.heappush(waiting, (stamp_ns, number, connection, raw))
        newest_ns = max(newest_ns, stamp_ns)
        while waiting[0][0] < newest_ns - _WINDOW_NS:
            stamp_ns, _, connection, raw = heapq.heappop(waiting)
            yield connection, stamp_ns, raw
    while waiting:
        stamp_ns, _, connection, raw = heapq.heappop(waiting)
        yield connection, stamp_ns, raw


class Tally:
    """Counts the messages of one file, in the order in which they were written.

    Attributes:
        counts: Messages by connection.
        start_ns: The earliest.
        end_ns: The latest.
        late: Messages that `in_order` cannot put in order.
        late_s: The most that one of them is behind.
    """

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.start_ns, self.end_ns = 2**63 - 1, 0
        self.late, self.late_s = 0, 0.0

    def add(self, connection: int, stamp_ns: int) -> None:
        """Count a message."""
        self.counts[connection] = self.counts.get(connection, 0) + 1
        self.start_ns = min(self.start_ns, stamp_ns)
        behind_ns = self.end_ns - stamp_ns
        if behind_ns > _WINDOW_NS:
            self.late, self.late_s = self.late + 1, max(self.late_s, behind_ns / NANOSECONDS)
        elif behind_ns < 0:
            self.end_ns = stamp_ns

    def __str__(self) -> str:
        """What is out of order, for people; empty if nothing is."""
        if not self.late:
            return ""
        return f"{self.late} messages were written over {WINDOW_S:g} s out of order, up to {self.late_s:.1f} s"
