"""Lays replays beside each other: the same touch of the same recording is one row, whoever judged it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hearing_hands_ros.replay.result import ReplayResults, TouchResult

NEAR_NS: Final = 60_000_000
"""Touches of one hand never begin so soon after each other."""


@dataclass(frozen=True)
class Row:
    """One touch, or one sound without a touch, as each replay had it.

    Attributes:
        time_s: From the begin of its recording.
        results: Beside each replay; None where it had none.
    """

    time_s: float
    results: tuple[TouchResult | None, ...]

    @property
    def first(self) -> TouchResult:
        """Of the first replay that had it."""
        return _of(self.results)


def rows(replays: Sequence[ReplayResults], touches: Sequence[Sequence[TouchResult]]) -> list[Row]:
    """All touches in the order of time.

    Args:
        replays: Each of which is a column.
        touches: Verdicts of each.
    """
    found: dict[tuple[str, int], list[list[TouchResult | None]]] = {}
    for column, (replay, verdicts) in enumerate(zip(replays, touches, strict=True)):
        recording = found.setdefault((Path(replay.run.bag).stem, replay.run.begin_ns), [])
        known = sorted(recording, key=_stamp_ns)
        stamps = [_stamp_ns(row) for row in known]
        for touch in verdicts:
            near = known[bisect_left(stamps, touch.stamp_ns - NEAR_NS) : bisect_right(stamps, touch.stamp_ns + NEAR_NS)]
            fits = [row for row in near if row[column] is None and _alike(row, touch)]
            if fits:
                min(fits, key=lambda row: abs(_stamp_ns(row) - touch.stamp_ns))[column] = touch
            else:
                recording.append([touch if at == column else None for at in range(len(replays))])
    whole = [
        Row((_stamp_ns(row) - begin_ns) * 1e-9, tuple(row))
        for (_, begin_ns), recording in found.items()
        for row in recording
    ]
    return sorted(whole, key=lambda row: row.time_s)


def _alike(row: Sequence[TouchResult | None], touch: TouchResult) -> bool:
    """Whether both are touches of one hand, or both are none."""
    other = _of(row)
    return (other.kind == "", other.hand) == (touch.kind == "", touch.hand)


def _of(row: Sequence[TouchResult | None]) -> TouchResult:
    return next(result for result in row if result is not None)


def _stamp_ns(row: Sequence[TouchResult | None]) -> int:
    return _of(row).stamp_ns
