"""From poses to hands in the scene: frames on a fixed grid, jumps refused, touches found. No ROS."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.contact import ContactDetector, ContactSettings, Surface, Touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.settling import has_settled
from hearing_hands_ros.motion.window import NANOSECONDS, HandFrames, HandWindow, frame_stamp_ns


@dataclass(frozen=True)
class TrackerSettings:
    """How hands are followed.

    Attributes:
        rate_hz: Frames per second.
        window_s: Length of a published window.
        stride_s: Time between two windows while nothing happens.
        max_speed_mps: A keypoint that is faster between two frames has jumped; that frame is invalid.
    """

    rate_hz: int = 30
    window_s: float = 4.0
    stride_s: float = 0.5
    max_speed_mps: float = 8.0

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def stride_frames(self) -> int:
        """Frames between two windows."""
        return max(1, round(self.stride_s * self.rate_hz))


@dataclass(frozen=True)
class TrackedWindow:
    """A window of hands and the touches that overlap it, oldest first."""

    hands: HandFrames
    touches: tuple[Touch, ...]


@dataclass(frozen=True)
class TrackedFrame:
    """What came of one frame.

    Attributes:
        valid: (2,) by hand; a hand that jumped or is not finite is not.
        touches: Those that began or ended, in the order of time.
        window: The window, if one is due: every stride, and at once when a touch begins or ends, or may be over soon.
    """

    valid: NDArray[np.bool_]
    touches: list[Touch]
    window: TrackedWindow | None


class SceneHandTracker:
    """Takes one frame of both hands at a time.

    Args:
        surface: What is touched.
        settings: Rates and limits.
        contact: Thresholds of touch.
        first_id: Id of the first touch; the next ones count up from it.
    """

    def __init__(
        self, surface: Surface, settings: TrackerSettings, contact: ContactSettings, first_id: int = 1
    ) -> None:
        self.settings = settings
        self.jumps = 0
        self._detector = ContactDetector(surface, contact, first_id)
        self._window = HandWindow(settings.frames, settings.rate_hz)
        self._ended: deque[Touch] = deque()
        self._settled: set[int] = set()
        self._last = np.full((len(HANDS), KEYPOINTS, 3), np.nan)
        self._last_ns = [0] * len(HANDS)

    def finish(self) -> tuple[list[Touch], TrackedWindow | None]:
        """End the touches that go on, then forget all frames and touches; ids go on counting.

        Returns:
            The touches that this has ended, and the window that holds them, if there are any.
        """
        ended = [touch for hand in range(len(HANDS)) for touch in self._detector.lose(hand)]
        self._ended.extend(ended)
        window = self.window() if ended else None
        self._window.clear()
        self._ended.clear()
        self._last[:] = np.nan
        return ended, window

    def push(self, frame: int, keypoints_m: NDArray[np.float64], valid: NDArray[np.bool_]) -> TrackedFrame:
        """Take frame number `frame` of the grid.

        Args:
            frame: Number, larger than the last one's.
            keypoints_m: (2, 21, 3) in the scene frame.
            valid: (2,) by hand.
        """
        stamp_ns = frame_stamp_ns(frame, self.settings.rate_hz)
        valid = valid & np.isfinite(keypoints_m).all(axis=(1, 2))
        changed: list[Touch] = []
        for hand in np.flatnonzero(valid):
            way = np.linalg.norm(keypoints_m[hand] - self._last[hand], axis=1)
            seconds = (stamp_ns - self._last_ns[hand]) / NANOSECONDS
            if np.any(way > self.settings.max_speed_mps * seconds):  # false against NaN: the first frame is no jump
                self.jumps += 1
                valid[hand] = False
                changed += self._detector.lose(int(hand))
            self._last[hand], self._last_ns[hand] = keypoints_m[hand], stamp_ns
        self._window.push(frame, keypoints_m, valid)
        changed += self._detector.update(stamp_ns, keypoints_m, valid)
        self._ended.extend(touch for touch in changed if touch.ended)
        oldest_ns = stamp_ns - int(self.settings.window_s * NANOSECONDS)
        while self._ended and self._ended[0].end_ns < oldest_ns:
            self._ended.popleft()
        due = self._settles() or bool(changed) or frame % self.settings.stride_frames == 0
        return TrackedFrame(valid, changed, self.window() if due else None)

    def window(self) -> TrackedWindow | None:
        """Return the newest window, or None before the first frame."""
        hands = self._window.frames()
        if hands is None:
            return None
        touches = sorted([*self._ended, *self._detector.open_touches()], key=lambda touch: touch.start_ns)
        return TrackedWindow(hands, tuple(touches))

    def _settles(self) -> bool:
        """Whether a touch that went on until now may be over soon."""
        before, self._settled = self._settled, set()
        going_on = self._detector.open_touches()
        hands = self._window.frames() if going_on else None
        if hands is not None:
            self._settled = {touch.id for touch in going_on if has_settled(hands, touch, touch.slides)}
        return bool(self._settled - before)
