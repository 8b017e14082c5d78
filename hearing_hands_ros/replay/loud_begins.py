"""When something begins to sound, roughly and at little cost: for counting, not for judging."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sound.capture.block import Block

FRAME_S = 0.01
OVER_FLOOR_DB, RISE_DB = 12.0, 6.0
"""So much over what it is usually, and over the last `BEFORE` frames, is a begin."""

BEFORE = 5
AT_ONCE_S = 0.25
"""Sound is worked on in pieces of this length: blocks of a microphone are so short that each alone costs much."""

DEAD_S = 0.15
UP_DB, DOWN_DB = 0.06, 0.3
"""So fast the floor follows the level, dB a frame."""


class LoudBegins:
    """Follows the level of one microphone; the level of its changes, so that rumble does not count."""

    def __init__(self) -> None:
        self._floor_db: float | None = None
        self._recent_db = [0.0] * BEFORE
        self._waves: list[NDArray[np.float32]] = []  # that no frame was taken of yet
        self._seconds = 0.0  # of them
        self._until_ns = 0
        self._rate_hz = 0
        self._quiet_until_ns = 0

    def hear(self, block: Block) -> list[int]:
        """Take a stamped block; return the times of what begins in it or in those before, ns.

        What was lost does not sound.
        """
        assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
        begins: list[int] = []
        if block.stamp_ns - self._until_ns > 2 * FRAME_S * NANOSECONDS or block.sample_rate_hz != self._rate_hz:
            begins = self.finish()
            self._waves, self._seconds = [], 0.0
        self._waves.append(block.data.reshape(-1, block.channels)[:, 0])
        self._rate_hz, self._until_ns = block.sample_rate_hz, block.stamp_ns + block.duration_ns
        self._seconds += block.duration_ns / NANOSECONDS
        return begins + self.finish() if self._seconds >= AT_ONCE_S else begins

    def finish(self) -> list[int]:
        """Return the times of what begins in the sound that waits; nothing more may come."""
        if not self._waves:
            return []
        frame_ns, size = round(FRAME_S * NANOSECONDS), max(2, round(FRAME_S * self._rate_hz))
        wave = np.concatenate(self._waves)
        begin_ns = self._until_ns - len(wave) * NANOSECONDS // self._rate_hz
        whole = len(wave) // size * size
        self._waves, self._seconds = [wave[whole:]], (len(wave) - whole) / self._rate_hz
        changes = np.diff(wave[:whole].reshape(-1, size), axis=1)
        levels_db = 10.0 * np.log10(np.einsum("fi,fi->f", changes, changes) / size + 1e-12)
        return [
            begin_ns + number * frame_ns
            for number, level in enumerate(levels_db.tolist())
            if self._begins(level, begin_ns + number * frame_ns)
        ]

    def _begins(self, level_db: float, stamp_ns: int) -> bool:
        """Take the level of a frame."""
        floor_db = level_db if self._floor_db is None else self._floor_db
        self._floor_db = floor_db + min(UP_DB, max(-DOWN_DB, level_db - floor_db))
        before_db = max(self._recent_db)
        self._recent_db = [*self._recent_db[1:], level_db]
        if stamp_ns < self._quiet_until_ns or level_db < max(floor_db + OVER_FLOOR_DB, before_db + RISE_DB):
            return False
        self._quiet_until_ns = stamp_ns + round(DEAD_S * NANOSECONDS)
        return True
