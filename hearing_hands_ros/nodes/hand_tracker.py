"""Follows hands through TF into the scene, and reports every touch of its surface."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.follower import Followed, FollowerSettings, HandFollower, Pose, PoseMissingError
from hearing_hands_ros.motion.hands import HANDS
from hearing_hands_ros.motion.tracker import TrackerSettings
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
        settings = FollowerSettings(
            left_keypoint_frames=self.p.left_keypoint_frames,
            right_keypoint_frames=self.p.right_keypoint_frames,
            left_end_effector_frame=self.p.left_end_effector_frame,
            right_end_effector_frame=self.p.right_end_effector_frame,
            gripper_length_m=self.p.gripper_length_m,
            gripper_opening_m=self.p.gripper_opening_m,
            tf_wait_s=self.p.tf_wait_s,
            tracker=TrackerSettings(self.p.rate_hz, self.p.window_s, self.p.stride_s, self.p.max_speed_mps),
            contact=ContactSettings(
                self.p.touch_m, self.p.release_m, slide_m=self.p.slide_m, longest_s=self.p.longest_touch_s
            ),
        )
        self._follower = HandFollower(
            SplatSurface(self._bundle),
            settings,
            self._pose,
            # Microseconds: no id comes again when the node is started anew, and all are exact as doubles for decades.
            first_id=time.time_ns() // 1000,
            warn=self.get_logger().warning,
        )
        self._clock_ns, self._clock_moved_s = 0, 0.0
        if self.p.publish_scene_transform:
            self._static.sendTransform(self._scene_transform())
        self._listener = PolledTransformListener(self._buffer, self)
        self.companions = [self._listener.node]
        self.get_logger().info(
            f"scene '{self._bundle.name}' in frame '{self._bundle.frame_id}', "
            f"following {', '.join(HANDS[hand] for hand in self._follower.frames_of_hand)}"
        )

    def activate(self) -> None:
        """Begin to follow."""
        # Twice the frame rate: a frame whose TF came a little late is taken half a frame later, not a whole one.
        self._timer = self.create_timer(0.5 / self.p.rate_hz, self._tick)

    def deactivate(self) -> None:
        """Cease to follow."""
        self.destroy_timer(self._timer)
        followed = self._follower.restart()
        if self.context.ok():  # else the process is being stopped, and nobody can be told
            self._tell(followed)

    def cleanup(self) -> None:
        """Cease to listen to TF, let go of the scene."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener, self.companions = None, []
        self._buffer.clear()
        del self._bundle, self._follower

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say which hand is followed, and why one is not."""
        counts = self._follower.counts
        for name in ("frames", "invalid_frames", "late_frames", "windows", "touches", "clock_jumps"):
            status.add(name, counts[name])
        status.add("hand_jumps", self._follower.hand_jumps)
        lost = self._follower.lost()
        for hand in self._follower.frames_of_hand:
            status.add(f"{HANDS[hand]}_hand", lost.get(hand, "followed"))
        if self._clock_stands(self.get_clock().now().nanoseconds):
            return WARN, "the clock stands"
        if counts["frames"] == 0:
            return WARN, "no frame yet"
        if lost:
            return ERROR, "; ".join(f"{HANDS[hand]} hand not followed: {why}" for hand, why in lost.items())
        return OK, "following"

    def _scene_transform(self) -> TransformStamped:
        transform = TransformStamped()
        transform.header.frame_id = self._bundle.parent_frame
        transform.child_frame_id = self._bundle.frame_id
        w, x, y, z = (float(value) for value in self._bundle.rotation_wxyz)
        rotation, translation = transform.transform.rotation, transform.transform.translation
        rotation.w, rotation.x, rotation.y, rotation.z = w, x, y, z
        translation.x, translation.y, translation.z = (float(value) for value in self._bundle.translation_m)
        return transform

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
        for followed in self._follower.advance(now_ns):
            self._tell(followed)

    def _pose(self, frame: str, stamp_ns: int) -> Pose:
        """Where TF has a frame in the scene at a time."""
        moment = Time(nanoseconds=stamp_ns, clock_type=self.get_clock().clock_type)
        try:
            transform = self._buffer.lookup_transform(self._bundle.frame_id, frame, moment).transform
        except TransformException as error:
            raise PoseMissingError(str(error), may_come=isinstance(error, ExtrapolationException)) from error
        t, r = transform.translation, transform.rotation
        return t.x, t.y, t.z, r.x, r.y, r.z, r.w

    def _tell(self, followed: Followed) -> None:
        frame_id, names = self._bundle.frame_id, self._bundle.material_names
        for touch in followed.touches:
            self._contacts.publish(contact_event(touch, frame_id, names))
        if followed.window is not None:
            self._hands.publish(hand_trajectory(followed.window, frame_id, names))


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(HandTracker, args)


if __name__ == "__main__":
    main()
