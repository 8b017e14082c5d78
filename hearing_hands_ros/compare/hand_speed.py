"""How fast the hands moved over the last seconds: what the noise of a robot's motors goes with."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import HandMotion

REMEMBERED_FRAMES = 2000
STEP_S = 0.01
AROUND_NS = NANOSECONDS // 5  # frames around a span that the speeds in it are taken from


class HandSpeed:
    """Takes windows of hands as they come, which may overlap, and says how fast they moved.

    The speed of a hand is that of the mean of its keypoints; that of both is the root of the sum of their squares, as
    the powers of two noises add. A hand that is not followed does not count.
    """

    def __init__(self) -> None:
        # Time, and (2, 3) m: where the hands are, NaN for one that is not followed. Ascending.
        self._frames: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=REMEMBERED_FRAMES)

    def clear(self) -> None:
        """Forget everything: time jumped."""
        self._frames.clear()

    def see(self, motion: HandMotion) -> None:
        """Take a window; frames that are known already are not taken again."""
        stamps = motion.start_ns + np.rint(np.arange(len(motion.valid)) * NANOSECONDS / motion.rate_hz).astype(np.int64)
        if self._frames and stamps[-1] < self._frames[-1][0] - NANOSECONDS:
            self.clear()  # those came from another time
        newest = self._frames[-1][0] if self._frames else -1
        places = np.where(motion.valid[..., None], motion.keypoints.mean(axis=2, dtype=np.float64), np.nan)
        new = stamps > newest
        self._frames += zip(stamps[new].tolist(), places[new], strict=True)

    def between(self, start_ns: int, end_ns: int) -> NDArray[np.float64]:
        """Speed over a span.

        Args:
            start_ns: Of its first moment.
            end_ns: Of its last, later.

        Returns:
            (T,) m/s at moments spread evenly over the span, both ends included, at most `STEP_S` apart; NaN where no
            hand was followed in the frames before and after.
        """
        count = 1 + math.ceil((end_ns - start_ns) / NANOSECONDS / STEP_S)
        near = [frame for frame in self._frames if start_ns - AROUND_NS <= frame[0] <= end_ns + AROUND_NS]
        if len(near) < 2:
            return np.full(count, np.nan)
        since_s = (np.array([stamp for stamp, _ in near]) - start_ns) / NANOSECONDS
        velocity = np.gradient(np.stack([place for _, place in near]), since_s, axis=0)
        squared = (velocity**2).sum(axis=2)
        followed = np.isfinite(squared)
        speed = np.where(followed.any(axis=1), np.sqrt(np.where(followed, squared, 0.0).sum(axis=1)), np.nan)
        asked_s = np.linspace(0.0, (end_ns - start_ns) / NANOSECONDS, count)
        return np.asarray(np.interp(asked_s, since_s, speed, left=np.nan, right=np.nan))
