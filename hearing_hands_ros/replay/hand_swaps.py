"""Counts how often left and right hand take each other's place: trackers mix them up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import HandFrames, frame_stamp_ns

GAP_S = 0.3
"""A hand that was not seen for longer may have gone anywhere."""

APART_M = 0.06
"""Hands that are nearer to each other cannot be told from where they were."""

CROSSED = 0.3
"""They took each other's place if that is so much shorter than the way to where each was."""


class HandSwaps:
    """Is fed with the windows of one recording.

    Attributes:
        count: How often they did.
        first_ns: When they did first; None if never.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first_ns: int | None = None
        self._last: NDArray[np.float32] | None = None  # (2, 3) wrists when both were seen last
        self._last_frame = self._next_frame = -1

    def see(self, frames: HandFrames) -> None:
        """Take a window; frames that came before are passed over."""
        new = max(self._next_frame - frames.first_frame, 0)
        for row in np.flatnonzero(frames.valid[new:].all(axis=1)) + new:
            self._follow(frames.first_frame + int(row), frames.keypoints[row, :, 0], frames.rate_hz)
        self._next_frame = frames.first_frame + len(frames.valid)

    def _follow(self, frame: int, wrists: NDArray[np.float32], rate_hz: int) -> None:
        last = self._last
        if last is not None and frame - self._last_frame <= GAP_S * rate_hz:
            own = np.linalg.norm(wrists - last, axis=1).sum()
            crossed = np.linalg.norm(wrists - last[::-1], axis=1).sum()
            if np.linalg.norm(last[0] - last[1]) > APART_M and crossed < CROSSED * own:
                self.count += 1
                if self.first_ns is None:
                    self.first_ns = frame_stamp_ns(frame, rate_hz)
        self._last, self._last_frame = wrists, frame

    def __str__(self) -> str:
        """For people; empty if they never did."""
        if not self.count:
            return ""
        return f"the hands took each other's place {self.count} times: are left and right mixed up?"
