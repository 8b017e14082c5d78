"""The sound of a piece of a recording, kept so that a window is cut out without a seam and at the right time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.heard import HeardSound
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sound.capture.block import Block

RING_S = 20.0
MARK_S = 1.0
"""The time base of a sound card drifts; so often it is written down."""


@dataclass(frozen=True, eq=False)
class SoundLine:
    """What was heard: runs without a gap.

    Attributes:
        sample_rate_hz: Of `samples`.
        samples: (L,) float32, all runs end to end.
        marks: (M, 3) int64: a time in ns, which sample stands there, and where its run ends; in the order of samples.
    """

    sample_rate_hz: int
    samples: NDArray[np.float32]
    marks: NDArray[np.int64]

    def cut(self, start_ns: int, length: int) -> NDArray[np.float32] | None:
        """(length,) samples from a time on, or None where not all of them were heard."""
        before = np.flatnonzero(self.marks[:, 0] <= start_ns)
        if not before.size:
            return None
        at_ns, place, end = (int(v) for v in self.marks[before[np.argmax(self.marks[before, 0])]])
        first = place + round((start_ns - at_ns) * self.sample_rate_hz / NANOSECONDS)
        return None if first + length > end else np.asarray(self.samples[first : first + length])

    def span_ns(self) -> tuple[int, int] | None:
        """Time of the first sample and after the last one; None without any."""
        if not len(self.marks):
            return None
        at_ns, place, end = (int(v) for v in self.marks[-1])
        return int(self.marks[0, 0]), at_ns + round((end - place) * NANOSECONDS / self.sample_rate_hz)


class SoundLineMaker:
    """Takes blocks as they come.

    Args:
        sample_rate_hz: Of the line.
        lag_ns: How late the microphone hears; the line has the time at which it sounded.
    """

    def __init__(self, sample_rate_hz: int, lag_ns: int) -> None:
        self._ring = HeardSound(sample_rate_hz, RING_S)
        self._lag_ns = lag_ns
        self._pieces: list[NDArray[np.float32]] = []
        self._marks: list[tuple[int, int]] = []
        self._ends: list[int] = []  # of the run, by mark
        self._next = 0  # number of the ring's first sample that was not taken
        self._length = 0
        self._going_on = False

    def take(self, blocks: Sequence[Block], jumped: bool) -> None:
        """Take blocks; if the time of the sound jumped before them, what came before is written down first."""
        if jumped:
            self._write()
        for block in blocks:
            assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
            samples = block.data.reshape(-1, block.channels)
            before = self._ring.until_ns
            first = self._ring.push(block.stamp_ns, samples, block.sample_rate_hz, block.lost)
            if before is None or first < self._next:
                self._next, self._going_on = first, False  # the ring began anew
        until_ns = self._ring.until_ns
        if until_ns is not None and until_ns - self._ring.time_of(self._next) > MARK_S * NANOSECONDS:
            self._write()

    def line(self) -> SoundLine:
        """All that was heard."""
        self._write()
        ends, end = [0] * len(self._marks), 0
        for number in reversed(range(len(self._marks))):
            end = self._ends[number] or end
            ends[number] = end
        marks = np.array([(*mark, end) for mark, end in zip(self._marks, ends, strict=True)], np.int64).reshape(-1, 3)
        samples = np.concatenate([np.zeros(0, np.float32), *self._pieces])
        return SoundLine(self._ring.sample_rate_hz, samples, marks)

    def _write(self) -> None:
        if self._ring.until_ns is None:
            return
        for number, samples in self._ring.stretches(self._next):
            if self._going_on and number == self._next:
                self._ends[-1] = 0  # the run goes on
            self._marks.append((self._ring.time_of(number) - self._lag_ns, self._length))
            self._pieces.append(samples)
            self._length += len(samples)
            self._ends.append(self._length)
            self._next, self._going_on = number + len(samples), True
