"""Follows hands through TF into the scene, and reports every touch of its surface."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from hearing_hands_ros.motion.contact import ContactSettings, Touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS, end_effector_keypoints
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackedWindow, TrackerSettings
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns, last_frame_before
from hearing_hands_ros.msg import ContactEvent, HandTrajectory
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.hand_messages import contact_event, hand_trajectory
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.ros.tf2 import (
    Buffer,
    ExtrapolationException,
    PolledTransformListener,
    StaticTransformBroadcaster,
    TransformException,
)
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

LATE_NS = NANOSECONDS // 4  # a frame taken later than this after its time is counted as late
STEP_BACK_NS = NANOSECONDS // 10  # the clock may step back so far (NTP, a recording's jitter); more is a jump
JUMP_NS = 2 * NANOSECONDS  # the clock may step ahead so far
STANDS_S = 1.0  # a clock that has not moved for so long of wall time stands


@dataclass(frozen=True)
class HandTrackerParameters(CommonParameters):
    """Parameters of `hand_tracker`."""

    scene: str = parameter("", "Folder of the scene bundle (scene.yaml and splats).")
    left_keypoint_frames: list[str] = parameter(
        [""], "The 21 TF frames of the left hand, wrist first; or one name with {index}; or one empty name for no hand."
    )
    right_keypoint_frames: list[str] = parameter(["hand_right/kp_{index:02d}"], "Likewise for the right hand.")
    left_end_effector_frame: str = parameter("", "One TF frame that the gripper model expands to the left hand.")
    right_end_effector_frame: str = parameter("", "Likewise for the right hand; wins over keypoint frames.")
    gripper_length_m: float = parameter(
        0.15, "From the end-effector's origin to its fingertips, m.", low=0.01, high=2.0
    )
    gripper_opening_m: float = parameter(0.0, "Between its fingertips, m; 0 is a probe.", low=0.0, high=1.0)
    rate_hz: int = parameter(30, "Frames per second; models are made for 30, leave it there.", low=1, high=240)
    window_s: float = parameter(4.0, "Length of a published window, s.", low=0.5, high=30.0)
    stride_s: float = parameter(0.5, "Time between two windows while no touch begins or ends, s.", low=0.03, high=30.0)
    tf_wait_s: float = parameter(0.1, "How long a frame waits for TF before it is invalid, s.", low=0.0, high=2.0)
    touch_m: float = parameter(0.004, "A keypoint nearer to the surface than this touches, m.", low=0.0005, high=0.1)
    release_m: float = parameter(0.008, "A touch ends beyond this distance, m; more than touch_m.", low=0.001, high=0.2)
    slide_m: float = parameter(
        0.03, "A touch that moved farther than this along the surface slides, m.", low=0.005, high=1.0
    )
    longest_touch_s: float = parameter(3.0, "A touch is ended after this time, s.", low=0.2, high=20.0)
    max_speed_mps: float = parameter(
        8.0, "A keypoint faster than this jumped; its frame is invalid, m/s.", low=0.1, high=100.0
    )
    publish_scene_transform: bool = parameter(True, "Publish the scene's registration as a static transform.")


class HandTracker(ManagedNode):
    """TF in, `hands` and `contacts` out."""

    parameters_class = HandTrackerParameters

    def __init__(self) -> None:
        super().__init__("hand_tracker")
        self._buffer = Buffer(node=self)
        self._listener: PolledTransformListener | None = None
        self._hands = self.create_lifecycle_publisher(HandTrajectory, "hands", 10)
        self._contacts = self.create_lifecycle_publisher(ContactEvent, "contacts", 50)
        self._static = StaticTransformBroadcaster(self)
        self._timer: Any = None

    def configure(self) -> None:
        """Load the scene and work out which frames to look up."""
        self.p = read_parameters(self, HandTrackerParameters)
        if not self.p.scene:
            raise ValueError("hand_tracker: parameter 'scene' wants the folder of a scene bundle, got an empty string")
        self._bundle = SceneBundle.load(Path(self.p.scene).expanduser())
        self._frames_of_hand = {
            hand: frames for hand, name in enumerate(HANDS) if (frames := self._frames(name)) is not None
        }
        if not self._frames_of_hand:
            raise ValueError(
                "hand_tracker: wants the frames of at least one hand in 'left_' or 'right_keypoint_frames' or "
                "'..._end_effector_frame', got none"
            )
        self._gripper = end_effector_keypoints(self.p.gripper_length_m, self.p.gripper_opening_m)
        self._tracker = SceneHandTracker(
            SplatSurface(self._bundle),
            TrackerSettings(self.p.rate_hz, self.p.window_s, self.p.stride_s, self.p.max_speed_mps),
            ContactSettings(self.p.touch_m, self.p.release_m, slide_m=self.p.slide_m, longest_s=self.p.longest_touch_s),
            # Microseconds: no id comes again when the node is started anew, and all are exact as doubles for decades.
            first_id=time.time_ns() // 1000,
        )
        self._counts: Counter[str] = Counter()
        self._why: dict[int, str] = {}
        self._last_valid_ns: dict[int, int] = {}
        self._next_frame: int | None = None
        self._now_ns = 0
        self._clock_ns, self._clock_moved_s = 0, 0.0
        if self.p.publish_scene_transform:
            self._static.sendTransform(self._scene_transform())
        self._listener = PolledTransformListener(self._buffer, self)
        self.get_logger().info(
            f"scene '{self._bundle.name}' in frame '{self._bundle.frame_id}', "
            f"following {', '.join(HANDS[hand] for hand in self._frames_of_hand)}"
        )

    def activate(self) -> None:
        """Begin to follow."""
        # Twice the frame rate: a frame whose TF came a little late is taken half a frame later, not a whole one.
        self._timer = self.create_timer(0.5 / self.p.rate_hz, self._tick)

    def deactivate(self) -> None:
        """Cease to follow."""
        self.destroy_timer(self._timer)
        self._restart()

    def cleanup(self) -> None:
        """Cease to listen to TF, let go of the scene."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None
        self._buffer.clear()
        del self._bundle, self._tracker

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say which hand is followed, and why one is not."""
        for name in ("frames", "invalid_frames", "late_frames", "windows", "touches", "clock_jumps"):
            status.add(name, self._counts[name])
        status.add("hand_jumps", self._tracker.jumps)
        lost = []
        for hand in self._frames_of_hand:
            valid_ns = self._last_valid_ns.get(hand)
            if valid_ns is not None and self._now_ns - valid_ns < NANOSECONDS:
                status.add(f"{HANDS[hand]}_hand", "followed")
            else:
                why = self._why.get(hand, "no TF yet")
                status.add(f"{HANDS[hand]}_hand", why)
                lost.append(f"{HANDS[hand]} hand not followed: {why}")
        if self._clock_stands(self.get_clock().now().nanoseconds):
            return WARN, "the clock stands"
        if self._counts["frames"] == 0:
            return WARN, "no frame yet"
        if lost:
            return ERROR, "; ".join(lost)
        return OK, "following"

    def _frames(self, name: str) -> list[str] | None:
        """TF frames of one hand: one (an end-effector), 21, or None."""
        end_effector = getattr(self.p, f"{name}_end_effector_frame")
        frames = [frame for frame in getattr(self.p, f"{name}_keypoint_frames") if frame]
        if end_effector:
            return [end_effector]
        wanted = f"hand_tracker: '{name}_keypoint_frames' wants {KEYPOINTS} names or one with {{index}}"
        if len(frames) == 1 and "{" in frames[0]:
            try:
                frames = [frames[0].format(index=index) for index in range(KEYPOINTS)]
            except (LookupError, AttributeError, ValueError) as error:
                raise ValueError(f"{wanted}, got '{frames[0]}': {type(error).__name__}: {error}") from error
        if frames and len(set(frames)) != KEYPOINTS:
            raise ValueError(f"{wanted}, all different, got {len(set(frames))}: {', '.join(frames[:3])}")
        return frames or None

    def _scene_transform(self) -> TransformStamped:
        transform = TransformStamped()
        transform.header.frame_id = self._bundle.parent_frame
        transform.child_frame_id = self._bundle.frame_id
        w, x, y, z = (float(value) for value in self._bundle.rotation_wxyz)
        rotation, translation = transform.transform.rotation, transform.transform.translation
        rotation.w, rotation.x, rotation.y, rotation.z = w, x, y, z
        translation.x, translation.y, translation.z = (float(value) for value in self._bundle.translation_m)
        return transform

    def _restart(self) -> None:
        """End the touches that go on, and begin afresh with the next frame."""
        ended, window = self._tracker.finish()
        if self.context.ok():  # else the process is being stopped, and nobody can be told
            self._tell(ended, window)
        self._next_frame = None
        self._now_ns = 0
        self._last_valid_ns.clear()
        self._why.clear()

    def _clock_stands(self, now_ns: int) -> bool:
        """Whether the clock has not begun, or has not moved for a while of wall time."""
        wall_s = time.monotonic()
        if now_ns != self._clock_ns:
            self._clock_ns, self._clock_moved_s = now_ns, wall_s
        return now_ns == 0 or wall_s - self._clock_moved_s > STANDS_S

    def _tick(self) -> None:
        """Take every frame whose time has come and whose TF is there or will not come any more."""
        now_ns = self.get_clock().now().nanoseconds
        if self._listener is not None:
            self._listener.take_waiting()
        if self._clock_stands(now_ns):
            return
        if self._now_ns and not -STEP_BACK_NS <= now_ns - self._now_ns <= JUMP_NS:
            self._counts["clock_jumps"] += 1
            before_s, now_s = self._now_ns / NANOSECONDS, now_ns / NANOSECONDS
            self.get_logger().warning(f"the clock went from {before_s:.3f} to {now_s:.3f} s: starting afresh")
            self._restart()
        now_ns = self._now_ns = max(now_ns, self._now_ns)
        newest = last_frame_before(now_ns, self.p.rate_hz)
        if self._next_frame is None:
            self._next_frame = newest
        while self._next_frame <= newest:
            stamp_ns = frame_stamp_ns(self._next_frame, self.p.rate_hz)
            late = now_ns - stamp_ns >= self.p.tf_wait_s * NANOSECONDS
            taken = self._look_up(stamp_ns, late)
            if taken is None:
                return
            self._counts["late_frames"] += now_ns - stamp_ns > LATE_NS
            self._take(self._next_frame, *taken)
            self._next_frame += 1

    def _look_up(self, stamp_ns: int, late: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Keypoints and validity at one time, or None to wait for TF that is still to come."""
        keypoints = np.full((len(HANDS), KEYPOINTS, 3), np.nan)
        valid = np.zeros(len(HANDS), np.bool_)
        moment = Time(nanoseconds=stamp_ns, clock_type=self.get_clock().clock_type)
        for hand, frames in self._frames_of_hand.items():
            try:
                poses = [self._buffer.lookup_transform(self._bundle.frame_id, f, moment).transform for f in frames]
            except ExtrapolationException as error:
                if not late:
                    return None
                self._why[hand] = str(error)
                continue
            except TransformException as error:
                self._why[hand] = str(error)
                continue
            keypoints[hand] = [(pose.translation.x, pose.translation.y, pose.translation.z) for pose in poses]
            if len(frames) == 1:
                q = poses[0].rotation
                keypoints[hand] += Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(self._gripper)
            valid[hand] = True
        return keypoints, valid

    def _take(self, frame: int, keypoints: NDArray[np.float64], valid: NDArray[np.bool_]) -> None:
        tracked = self._tracker.push(frame, keypoints, valid)
        self._counts["frames"] += 1
        for hand in self._frames_of_hand:
            if tracked.valid[hand]:
                self._last_valid_ns[hand] = frame_stamp_ns(frame, self.p.rate_hz)
                continue
            self._counts["invalid_frames"] += 1
            if valid[hand]:
                self._why[hand] = f"keypoints jump, faster than {self.p.max_speed_mps:g} m/s, or are not finite"
        self._tell(tracked.touches, tracked.window)

    def _tell(self, touches: Sequence[Touch], window: TrackedWindow | None) -> None:
        for touch in touches:
            self._counts["touches"] += touch.ended
            self._contacts.publish(contact_event(touch, self._bundle.frame_id, self._bundle.material_names))
        if window is not None:
            self._counts["windows"] += 1
            self._hands.publish(hand_trajectory(window, self._bundle.frame_id, self._bundle.material_names))


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(HandTracker, args)


if __name__ == "__main__":
    main()
