"""Follows hands through transforms: which frames of the grid are taken, when, and from where. No ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.motion.contact import ContactSettings, Surface, Touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS, end_effector_keypoints
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackedWindow, TrackerSettings
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns, last_frame_before

LATE_NS = NANOSECONDS // 4  # a frame taken later than this after its time is counted as late
STEP_BACK_NS = NANOSECONDS // 10  # the clock may step back so far (NTP, a recording's jitter); more is a jump
JUMP_NS = 2 * NANOSECONDS  # the clock may step ahead so far

Pose = tuple[float, float, float, float, float, float, float]
"""x, y, z in metres and the quaternion x, y, z, w of a frame in the scene."""


class PoseMissingError(LookupError):
    """A frame has no pose at the time asked for.

    Args:
        reason: For people.
        may_come: The time lies outside what is known so far, so it may be known later.
    """

    def __init__(self, reason: str, *, may_come: bool) -> None:
        super().__init__(reason)
        self.may_come = may_come


PoseLookup = Callable[[str, int], Pose]
"""Pose of a TF frame in the scene at a time in ns; raises `PoseMissingError`."""


@dataclass(frozen=True)
class FollowerSettings:
    """What is followed, and how; the parameters of `hand_tracker`.

    Attributes:
        left_keypoint_frames: The 21 TF frames of the left hand, wrist first; or one name with {index}; or one empty
            name for no hand.
        right_keypoint_frames: Likewise for the right hand.
        left_end_effector_frame: One TF frame that the gripper model expands to the left hand; wins over keypoints.
        right_end_effector_frame: Likewise for the right hand.
        gripper_length_m: From the end-effector's origin to its fingertips.
        gripper_opening_m: Between its fingertips; 0 is a probe.
        tf_wait_s: How long a frame waits for its poses before it is invalid.
        tracker: Rates and lengths.
        contact: Thresholds of touch.
    """

    left_keypoint_frames: Sequence[str] = ("",)
    right_keypoint_frames: Sequence[str] = ("hand_right/kp_{index:02d}",)
    left_end_effector_frame: str = ""
    right_end_effector_frame: str = ""
    gripper_length_m: float = 0.15
    gripper_opening_m: float = 0.0
    tf_wait_s: float = 0.1
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    contact: ContactSettings = field(default_factory=ContactSettings)

    def frames_of_hand(self) -> dict[int, list[str]]:
        """TF frames by hand: one (an end-effector) or 21.

        Raises:
            ValueError: There is no hand, or the frames of one are neither one nor 21.
        """
        found = {
            0: _frames("left", self.left_keypoint_frames, self.left_end_effector_frame),
            1: _frames("right", self.right_keypoint_frames, self.right_end_effector_frame),
        }
        frames_of_hand = {hand: frames for hand, frames in found.items() if frames}
        if not frames_of_hand:
            raise ValueError(
                "hand_tracker: wants the frames of at least one hand in 'left_' or 'right_keypoint_frames' or "
                "'..._end_effector_frame', got none"
            )
        return frames_of_hand


def _frames(hand: str, keypoint_frames: Sequence[str], end_effector_frame: str) -> list[str]:
    if end_effector_frame:
        return [end_effector_frame]
    frames = [frame for frame in keypoint_frames if frame]
    wanted = f"hand_tracker: '{hand}_keypoint_frames' wants {KEYPOINTS} names or one with {{index}}"
    if len(frames) == 1 and "{" in frames[0]:
        try:
            frames = [frames[0].format(index=index) for index in range(KEYPOINTS)]
        except (LookupError, AttributeError, ValueError) as error:
            raise ValueError(f"{wanted}, got '{frames[0]}': {type(error).__name__}: {error}") from error
    if frames and len(set(frames)) != KEYPOINTS:
        raise ValueError(f"{wanted}, all different, got {len(set(frames))}: {', '.join(frames[:3])}")
    return frames


@dataclass(frozen=True)
class Followed:
    """What came of a frame: touches that began or ended, in the order of time, and the window, if one is due."""

    touches: Sequence[Touch]
    window: TrackedWindow | None


class HandFollower:
    """Takes every frame whose time has come and whose poses are there or will not come any more.

    Args:
        surface: What is touched.
        settings: What is followed.
        look_up: Where frames are.
        first_id: Id of the first touch; the next ones count up from it.
        warn: Told of what an operator should know.

    Raises:
        ValueError: There is no hand to follow; see `FollowerSettings.frames_of_hand`.
    """

    def __init__(
        self,
        surface: Surface,
        settings: FollowerSettings,
        look_up: PoseLookup,
        first_id: int = 1,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.frames_of_hand: Mapping[int, Sequence[str]] = settings.frames_of_hand()
        self.counts: Counter[str] = Counter()
        self._gripper = end_effector_keypoints(settings.gripper_length_m, settings.gripper_opening_m)
        self._tracker = SceneHandTracker(surface, settings.tracker, settings.contact, first_id)
        self._look_up, self._warn = look_up, warn
        self._why: dict[int, str] = {}
        self._last_valid_ns: dict[int, int] = {}
        self._next_frame: int | None = None
        self._now_ns = 0

    @property
    def hand_jumps(self) -> int:
        """Frames that were invalid because a hand had jumped."""
        return self._tracker.jumps

    def lost(self) -> dict[int, str]:
        """Hands that were not followed within the last second, and why not."""
        return {
            hand: self._why.get(hand, "no TF yet")
            for hand in self.frames_of_hand
            if self._now_ns - self._last_valid_ns.get(hand, -NANOSECONDS) >= NANOSECONDS
        }

    def advance(self, now_ns: int) -> list[Followed]:
        """Take the frames that are due at a time, ns; a clock that jumped makes it begin afresh."""
        followed: list[Followed] = []
        if self._now_ns and not -STEP_BACK_NS <= now_ns - self._now_ns <= JUMP_NS:
            self.counts["clock_jumps"] += 1
            before_s, now_s = self._now_ns / NANOSECONDS, now_ns / NANOSECONDS
            self._warn(f"the clock went from {before_s:.3f} to {now_s:.3f} s: starting afresh")
            followed.append(self.restart())
        now_ns = self._now_ns = max(now_ns, self._now_ns)
        rate_hz = self.settings.tracker.rate_hz
        newest = last_frame_before(now_ns, rate_hz)
        if self._next_frame is None:
            self._next_frame = newest
        while self._next_frame <= newest:
            stamp_ns = frame_stamp_ns(self._next_frame, rate_hz)
            late = now_ns - stamp_ns >= self.settings.tf_wait_s * NANOSECONDS
            poses = self._keypoints(stamp_ns, late)
            if poses is None:
                break
            self.counts["late_frames"] += now_ns - stamp_ns > LATE_NS
            followed.append(self._take(self._next_frame, *poses))
            self._next_frame += 1
        return followed

    def restart(self) -> Followed:
        """End the touches that go on, and begin afresh with the next frame."""
        ended, window = self._tracker.finish()
        self._next_frame = None
        self._now_ns = 0
        self._last_valid_ns.clear()
        self._why.clear()
        return self._count(Followed(ended, window))

    def _keypoints(self, stamp_ns: int, late: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """(2, 21, 3) keypoints and (2,) validity at one time, or None to wait for poses that are still to come."""
        keypoints = np.full((len(HANDS), KEYPOINTS, 3), np.nan)
        valid = np.zeros(len(HANDS), np.bool_)
        for hand, frames in self.frames_of_hand.items():
            try:
                poses = [self._look_up(frame, stamp_ns) for frame in frames]
            except PoseMissingError as error:
                if error.may_come and not late:
                    return None
                self._why[hand] = str(error)
                continue
            keypoints[hand] = [pose[:3] for pose in poses]
            if len(frames) == 1:
                keypoints[hand] += Rotation.from_quat(poses[0][3:]).apply(self._gripper)
            valid[hand] = True
        return keypoints, valid

    def _take(self, frame: int, keypoints: NDArray[np.float64], valid: NDArray[np.bool_]) -> Followed:
        tracked = self._tracker.push(frame, keypoints, valid)
        self.counts["frames"] += 1
        for hand in self.frames_of_hand:
            if tracked.valid[hand]:
                self._last_valid_ns[hand] = frame_stamp_ns(frame, self.settings.tracker.rate_hz)
                continue
            self.counts["invalid_frames"] += 1
            if valid[hand]:
                most = self.settings.tracker.max_speed_mps
                self._why[hand] = f"keypoints jump, faster than {most:g} m/s, or are not finite"
        return self._count(Followed(tracked.touches, tracked.window))

    def _count(self, followed: Followed) -> Followed:
        self.counts["touches"] += sum(touch.ended for touch in followed.touches)
        self.counts["windows"] += followed.window is not None
        return followed
