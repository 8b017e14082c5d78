"""The last seconds of both hands on a fixed grid of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS

NANOSECONDS: Final = 1_000_000_000  # of a second


def frame_stamp_ns(frame: int, rate_hz: int) -> int:
    """Time of a frame of the grid: frames stand at whole multiples of 1/rate since time 0, live and in replay alike."""
    return frame * NANOSECONDS // rate_hz


def last_frame_before(stamp_ns: int, rate_hz: int) -> int:
    """Return the number of the last frame at or before a time."""
    frame = stamp_ns * rate_hz // NANOSECONDS
    return frame + 1 if frame_stamp_ns(frame + 1, rate_hz) <= stamp_ns else frame


@dataclass(frozen=True)
class HandFrames:
    """Frames `first_frame` .. `first_frame + T - 1` of both hands.

    Attributes:
        first_frame: Number of the first frame on the grid.
        rate_hz: Frames per second.
        keypoints: (T, 2, 21, 3) float32, metres in the scene frame, NaN where invalid.
        valid: (T, 2) bool.
    """

    first_frame: int
    rate_hz: int
    keypoints: NDArray[np.float32]
    valid: NDArray[np.bool_]

    @property
    def start_ns(self) -> int:
        """Time of the first frame."""
        return frame_stamp_ns(self.first_frame, self.rate_hz)

    @property
    def end_ns(self) -> int:
        """Time of the last frame."""
        return frame_stamp_ns(self.first_frame + len(self.valid) - 1, self.rate_hz)


class HandWindow:
    """Ring of the newest frames; frames that nobody gave are invalid.

    Args:
        frames: T, how many frames it keeps.
        rate_hz: Frames per second of the grid.
    """

    def __init__(self, frames: int, rate_hz: int) -> None:
        if frames < 1 or rate_hz < 1:
            raise ValueError(f"HandWindow: wants at least one frame and a rate of 1 Hz, got {frames} and {rate_hz}")
        self.rate_hz = rate_hz
        self._keypoints = np.full((frames, len(HANDS), KEYPOINTS, 3), np.nan, np.float32)
        self._valid = np.zeros((frames, len(HANDS)), np.bool_)
        self._newest: int | None = None

    def push(self, frame: int, keypoints: NDArray[np.float64], valid: NDArray[np.bool_]) -> None:
        """Append one frame: keypoints (2, 21, 3) in metres and validity (2,) by hand.

        Raises:
            ValueError: `frame` is not newer than the newest one; the caller clears the window when time jumps back.
        """
        if self._newest is not None and frame <= self._newest:
            raise ValueError(f"HandWindow: frame wants a number over {self._newest}, got {frame}")
        size = len(self._valid)
        skipped = 1 if self._newest is None else min(frame - self._newest, size)
        for lost in range(frame - skipped + 1, frame):
            self._valid[lost % size] = False
            self._keypoints[lost % size] = np.nan
        self._valid[frame % size] = valid
        self._keypoints[frame % size] = np.where(valid[:, None, None], keypoints, np.nan)
        self._newest = frame

    def clear(self) -> None:
        """Forget all frames."""
        self._newest = None
        self._valid[:] = False
        self._keypoints[:] = np.nan

    def frames(self) -> HandFrames | None:
        """Return the window, oldest first, or None before the first frame.

        It is shorter in the first seconds of simulated time: no frame stands before time 0.
        """
        if self._newest is None:
            return None
        size = len(self._valid)
        first = max(self._newest - size + 1, 0)
        order = np.arange(first, self._newest + 1) % size
        return HandFrames(first, self.rate_hz, self._keypoints[order], self._valid[order])
