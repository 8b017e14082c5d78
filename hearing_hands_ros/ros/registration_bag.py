"""What a registration is made of, out of a recording: camera images or point clouds, each with its pose from TF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.camera_messages import (
    CAMERA_INFO,
    IMAGES,
    NO_STAMP,
    image_of,
    lens_of,
    stamp_name,
    stamp_ns_of,
)
from hearing_hands_ros.ros.cloud_messages import xyz_of
from hearing_hands_ros.ros.image_choice import BEFORE_S, NONE_STILL, ImageChoice
from hearing_hands_ros.ros.tf2_core import TransformTree
from hearing_hands_ros.ros.tf2_exceptions import TransformException
from hearing_hands_ros.scene.registration.images import CameraObservation
from hearing_hands_ros.scene.sim3 import Sim3

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

FOREVER_NS = 2**62
POINT_CLOUD, TF = "sensor_msgs/msg/PointCloud2", "tf2_msgs/msg/TFMessage"


class RegistrationBag:
    """A recording with TF.

    Raises:
        ValueError: It cannot be read, or has no TF.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bag = RecordedBag(path)
        self._tree = TransformTree(FOREVER_NS)
        for connection, message in self._messages("", (TF,)):
            for transform in message.transforms:
                t, r = transform.transform.translation, transform.transform.rotation
                self._tree.insert(
                    transform.header.frame_id,
                    transform.child_frame_id,
                    stamp_ns_of(transform),
                    (t.x, t.y, t.z, r.x, r.y, r.z, r.w),
                    "bag",
                    connection.topic.endswith("tf_static"),
                )

    def close(self) -> None:
        """Close the files."""
        self._bag.close()

    def images(
        self, topic: str, info_topic: str, parent_frame: str, choice: ImageChoice
    ) -> tuple[list[CameraObservation], dict[str, str]]:
        """Images from places that are some way apart, with their poses.

        Args:
            topic: Of the images; empty where the recording has only one.
            info_topic: Of the CameraInfo; empty where the recording has only one.
            parent_frame: TF frame in which poses are wanted.
            choice: Which images are taken.

        Returns:
            The observations, and which images were left out, why.

        Raises:
            ValueError: A topic is missing or not the only one, or the camera is not calibrated.
        """
        info = next((message for _, message in self._messages(info_topic, (CAMERA_INFO,))), None)
        if info is None:
            raise ValueError(f"bag '{self._path}': wanted a CameraInfo message, got none")
        taken: list[CameraObservation] = []
        left_out: dict[str, str] = {}
        for connection, message in self._messages(topic, IMAGES):
            if choice.is_full:
                break
            lens = lens_of(info, rectified="rect" in connection.topic)
            try:
                pose = self._pose(parent_frame, message)
                if not choice.wants(pose, self._pose_before(parent_frame, message)):
                    continue
                image = image_of(message)
            except ValueError as error:
                left_out[stamp_name(message)] = str(error)
                continue
            taken.append(CameraObservation(stamp_name(message), image, lens, pose))
            choice.take(pose)
        if not taken and not left_out:
            left_out["every image"] = NONE_STILL
        return taken, left_out

    def cloud(self, topic: str, parent_frame: str, most: int = 20) -> tuple[NDArray[np.float64], dict[str, str]]:
        """(M, 3) points of at most so many clouds, in the parent frame, and which were left out, why.

        Raises:
            ValueError: There is no cloud with a pose.
        """
        connections = self._connections(topic, (POINT_CLOUD,))
        step = max(1, math.ceil(sum(connection.msgcount for connection in connections) / most))
        clouds = []
        left_out: dict[str, str] = {}
        for connection, _, raw in islice(self._bag.messages(connections), 0, None, step):
            message: Any = self._bag.deserialize(connection, raw)
            try:
                pose = self._pose(parent_frame, message)
                clouds.append(pose.apply(xyz_of(message)))
            except ValueError as error:
                left_out[stamp_name(message)] = str(error)
        if not clouds:
            why = "; ".join(left_out.values()) or "the recording has no PointCloud2"
            raise ValueError(f"bag '{self._path}': wanted point clouds with poses in '{parent_frame}', got none: {why}")
        return np.concatenate(clouds), left_out

    def _pose(self, parent_frame: str, message: Any) -> Sim3:
        """Where the frame of a message was at its time.

        Raises:
            ValueError: Nobody knows.
        """
        stamp_ns = stamp_ns_of(message)
        if stamp_ns <= 0:
            raise ValueError(NO_STAMP)
        return self._pose_at(parent_frame, message.header.frame_id, stamp_ns)

    def _pose_at(self, parent_frame: str, frame: str, stamp_ns: int) -> Sim3:
        try:
            _, x, y, z, qx, qy, qz, qw = self._tree.lookup(parent_frame, frame, stamp_ns)
        except TransformException as error:
            raise ValueError(f"no pose in TF: {error}") from error
        return Sim3(1.0, np.array([qw, qx, qy, qz]), np.array([x, y, z]))

    def _pose_before(self, parent_frame: str, message: Any) -> Sim3 | None:
        """Where the frame of a message was a moment earlier, if TF goes back so far."""
        stamp_ns = stamp_ns_of(message) - round(BEFORE_S * 1e9)
        try:
            return self._pose_at(parent_frame, message.header.frame_id, stamp_ns) if stamp_ns > 0 else None
        except ValueError:
            return None

    def _messages(self, topic: str, types: tuple[str, ...]) -> Iterator[tuple[Connection, Any]]:
        connections = self._connections(topic, types)
        for connection, _, raw in self._bag.messages(connections):
            yield connection, self._bag.deserialize(connection, raw)

    def _connections(self, topic: str, types: tuple[str, ...]) -> list[Connection]:
        """Those of one topic, or of all topics of the types where TF is asked for."""
        connections = [c for c in self._bag.connections if c.msgtype in types and topic in ("", c.topic)]
        topics = sorted({connection.topic for connection in connections})
        if not topics or (types != (TF,) and len(topics) > 1):
            kinds = " or ".join(name.rsplit("/", 1)[1] for name in types)
            wanted = f"the {kinds} topic {topic!r}" if topic else f"one topic of {kinds}"
            got = ", ".join(topics) or "none"
            raise ValueError(f"bag '{self._path}': wanted {wanted}, got {got}")
        return connections
