"""Images of a live camera with their poses from TF, taken while the robot moves it about."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hearing_hands_ros.ros.camera_messages import NO_STAMP, image_of, lens_of, stamp_name, stamp_ns_of
from hearing_hands_ros.ros.image_choice import BEFORE_S, NONE_STILL, ImageChoice
from hearing_hands_ros.ros.tf2 import Buffer, ExtrapolationException, TransformException, TransformListener
from hearing_hands_ros.scene.registration.images import CameraObservation
from hearing_hands_ros.scene.sim3 import Sim3

TF_WAIT_S = 0.5  # an image whose TF is not there by then has none


def collect_images(
    topic: str,
    info_topic: str,
    parent_frame: str,
    choice: ImageChoice,
    timeout_s: float,
    advance: Callable[[], None] = lambda: None,
) -> tuple[list[CameraObservation], dict[str, str]]:
    """Listen until there are enough images, or for so long.

    Args:
        topic: Of sensor_msgs/Image, or of CompressedImage where it ends in `compressed`.
        info_topic: Of the CameraInfo.
        parent_frame: TF frame in which poses are wanted.
        choice: Which images are taken.
        timeout_s: How long at most, s.
        advance: Is called after every image that was taken.

    Returns:
        The observations, and which images were left out, why.
    """
    rclpy.init()
    node = rclpy.create_node("scene_registration")
    try:
        collector = _Collector(node, topic, info_topic, parent_frame, choice, advance)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        until_s = time.monotonic() + timeout_s
        while not choice.is_full and time.monotonic() < until_s:
            executor.spin_once(timeout_sec=0.1)
            collector.work()
        if collector.info is None:
            collector.left_out[info_topic] = f"no CameraInfo within {timeout_s:g} s"
        elif not collector.taken and not collector.left_out:
            collector.left_out[topic] = NONE_STILL
        return collector.taken, collector.left_out
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


class _Collector:
    def __init__(
        self,
        node: Any,
        topic: str,
        info_topic: str,
        parent_frame: str,
        choice: ImageChoice,
        advance: Callable[[], None],
    ) -> None:
        self.taken: list[CameraObservation] = []
        self.left_out: dict[str, str] = {}
        self.info: Any = None
        self._rectified = "rect" in topic
        self._parent_frame, self._choice, self._advance = parent_frame, choice, advance
        self._waiting: deque[tuple[float, Any]] = deque(maxlen=30)
        self._buffer = Buffer(node=node)
        self._listener = TransformListener(self._buffer, node)
        kind = CompressedImage if topic.endswith("compressed") else Image
        node.create_subscription(kind, topic, self._keep, qos_profile_sensor_data)
        node.create_subscription(CameraInfo, info_topic, self._learn, qos_profile_sensor_data)

    def _keep(self, message: Any) -> None:
        self._waiting.append((time.monotonic(), message))

    def _learn(self, message: Any) -> None:
        self.info = message

    def work(self) -> None:
        """Take the images whose TF has come."""
        while self._waiting and self.info is not None and not self._choice.is_full:
            came_s, message = self._waiting[0]
            stamp_ns, name = stamp_ns_of(message), stamp_name(message)
            if stamp_ns <= 0:
                self._waiting.popleft()
                self.left_out[name] = NO_STAMP
                continue
            try:
                pose = self._pose(message.header.frame_id, stamp_ns)
            except TransformException as error:
                if isinstance(error, ExtrapolationException) and time.monotonic() - came_s < TF_WAIT_S:
                    return
                self._waiting.popleft()
                self.left_out[name] = f"no pose in TF: {error}"
                continue
            self._waiting.popleft()
            if not self._choice.wants(pose, self._pose_before(message.header.frame_id, stamp_ns)):
                continue
            try:
                image = image_of(message)
            except ValueError as error:
                self.left_out[name] = str(error)
                continue
            self.taken.append(CameraObservation(name, image, lens_of(self.info, self._rectified), pose))
            self._choice.take(pose)
            self._advance()

    def _pose(self, frame: str, stamp_ns: int) -> Sim3:
        found = self._buffer.lookup_transform(self._parent_frame, frame, Time(nanoseconds=stamp_ns))
        t, r = found.transform.translation, found.transform.rotation
        return Sim3(1.0, np.array([r.w, r.x, r.y, r.z]), np.array([t.x, t.y, t.z]))

    def _pose_before(self, frame: str, stamp_ns: int) -> Sim3 | None:
        """Where the camera was a moment earlier, if TF goes back so far."""
        before_ns = stamp_ns - round(BEFORE_S * 1e9)
        try:
            return self._pose(frame, before_ns) if before_ns > 0 else None
        except TransformException:
            return None
