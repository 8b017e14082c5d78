"""Images of one camera out of a recording, each with its depth image and the TF of its time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.hands_from_video.clocks import Clocks
from hearing_hands_ros.hands_from_video.depth_messages import depth_of, is_depth
from hearing_hands_ros.replay.hands import TF_TOPICS, TF_TYPE
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.camera_messages import CAMERA_INFO, IMAGES, image_of, lens_of, stamp_ns_of
from hearing_hands_ros.ros.tf2_bytes import Edge, MalformedMessageError, edges_in_bytes
from hearing_hands_ros.scene.registration.localize import Lens

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

WAIT_NS = 500_000_000  # what belongs to an image (TF, depth) has come by then
DEPTH_APART_NS = 17_000_000  # half a frame: a depth image farther off is of another moment


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One image.

    Attributes:
        stamp_ns: When it was taken.
        frame_id: Of the camera, an optical frame.
        message: The image's.
        depth_message: Of the depth image of the same moment, or None.
    """

    stamp_ns: int
    frame_id: str
    message: Any
    depth_message: Any = None

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB.

        Raises:
            ValueError: It cannot be read.
        """
        image = image_of(self.message)
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)

    @cached_property
    def depth_m(self) -> NDArray[np.float32] | None:
        """(H, W) metres along the camera's axis, NaN where it is not known; None without a depth image.

        Raises:
            ValueError: It cannot be read.
        """
        return None if self.depth_message is None else depth_of(self.depth_message)


@dataclass(frozen=True)
class Topics:
    """Which topics are read; empty where the recording has one of its kind only.

    Attributes:
        image: Of the colour images.
        camera_info: Of their CameraInfo.
        depth: Of the depth images that are aligned to them.
    """

    image: str = ""
    camera_info: str = ""
    depth: str = ""


class CameraBag:
    """The camera of a recording.

    Args:
        bag: The recording.
        topics: Which of its topics.

    Attributes:
        lens: Of the camera.
        image_count: How many images there are.
        unstamped: How many of those that `frames` read last have no stamp.
        clocks: Of those images and of TF.

    Raises:
        ValueError: A topic is missing or not the only one, or the camera is not calibrated.
    """

    def __init__(self, bag: RecordedBag, topics: Topics) -> None:
        self.bag = bag
        colour, depth = self._pictures()
        self._image = self._one("colour images (Image or CompressedImage)", topics.image, colour)
        wanted = "depth images (16UC1, 32FC1 or compressedDepth)"
        self._depth = self._one(wanted, topics.depth, depth) if depth or topics.depth else []
        infos = [c for c in bag.connections if c.msgtype == CAMERA_INFO and c.msgcount]
        beside = self.image_topic.rsplit("/", 2 if self.image_topic.endswith("/compressed") else 1)[0] + "/camera_info"
        given = topics.camera_info or (beside if any(c.topic == beside for c in infos) else "")
        info = self._first(self._one("CameraInfo", given, infos))
        self.lens: Lens = lens_of(info, rectified="rect" in self.image_topic)
        self.image_count = sum(connection.msgcount for connection in self._image)
        self.unstamped, self.clocks = 0, Clocks()

    @property
    def image_topic(self) -> str:
        """Of the colour images."""
        return self._image[0].topic

    @property
    def depth_topic(self) -> str:
        """Of the depth images, or empty."""
        return self._depth[0].topic if self._depth else ""

    def frames(self) -> Iterator[tuple[CameraFrame, list[tuple[Edge, bool]]]]:
        """Yield the images in the order in which they were recorded, without those that have no stamp.

        Beside each come the edges of TF that were recorded since the one before, up to half a second after the image,
        and whether they are static.
        """
        tf = [c for c in self.bag.connections if c.topic in TF_TOPICS and c.msgtype == TF_TYPE]
        of_image, of_depth = ({c.id for c in connections} for connections in (self._image, self._depth))
        self.unstamped, self.clocks = 0, Clocks()
        waiting: deque[tuple[int, CameraFrame]] = deque()
        depths: deque[tuple[int, Any]] = deque()
        edges: list[tuple[Edge, bool]] = []

        def until(received_ns: float) -> Iterator[tuple[CameraFrame, list[tuple[Edge, bool]]]]:
            nonlocal edges
            while waiting and waiting[0][0] + WAIT_NS <= received_ns:
                frame = waiting.popleft()[1]
                yield _with_depth(frame, depths), edges
                edges = []

        for connection, received_ns, raw in self.bag.messages([*tf, *self._image, *self._depth]):
            yield from until(received_ns)
            if connection.id in of_image:
                message = self.bag.deserialize(connection, raw)
                if (stamp_ns := stamp_ns_of(message)) > 0:
                    self.clocks.image(received_ns, stamp_ns)
                    waiting.append((received_ns, CameraFrame(stamp_ns, message.header.frame_id, message)))
                else:
                    self.unstamped += 1
            elif connection.id in of_depth:
                message = self.bag.deserialize(connection, raw)
                depths.append((stamp_ns_of(message), message))
                while depths[0][0] < depths[-1][0] - 2 * WAIT_NS:
                    depths.popleft()
            else:
                is_static = connection.topic == "/tf_static"
                with suppress(MalformedMessageError):
                    for edge in edges_in_bytes(raw):
                        edges.append((edge, is_static))
                        if not is_static:
                            self.clocks.tf(received_ns, edge[2])
        yield from until(float("inf"))

    def sample(self, count: int) -> Iterator[CameraFrame]:
        """Yield so many images, spread over the recording."""
        length_ns = self.bag.end_ns - self.bag.start_ns
        for index in range(count):
            start_ns = self.bag.start_ns + length_ns * index // count
            found = next(self.bag.messages(self._image, start_ns), None)
            if found is not None:
                message = self.bag.deserialize(found[0], found[2])
                yield CameraFrame(stamp_ns_of(message), message.header.frame_id, message)

    def _pictures(self) -> tuple[list[Connection], list[Connection]]:
        """Connections of colour and of depth images."""
        colour: list[Connection] = []
        depth: list[Connection] = []
        for connection in self.bag.connections:
            if connection.msgtype in IMAGES and connection.msgcount:
                (depth if is_depth(self._first([connection])) else colour).append(connection)
        return colour, depth

    def _first(self, connections: list[Connection]) -> Any:
        connection, _, raw = next(self.bag.messages(connections))
        return self.bag.deserialize(connection, raw)

    def _one(self, what: str, topic: str, among: list[Connection]) -> list[Connection]:
        found = [connection for connection in among if topic in ("", connection.topic)]
        names = sorted({connection.topic for connection in found})
        if len(names) != 1:
            wanted = f"{what} on '{topic}'" if topic else f"one topic of {what}"
            have = ", ".join(names or sorted({connection.topic for connection in among})) or "none"
            raise ValueError(f"bag '{self.bag.path}': wanted {wanted}, got {have}")
        return found


def _with_depth(frame: CameraFrame, depths: deque[tuple[int, Any]]) -> CameraFrame:
    stamp_ns, message = min(depths, key=lambda depth: abs(depth[0] - frame.stamp_ns), default=(0, None))
    if message is None or abs(stamp_ns - frame.stamp_ns) > DEPTH_APART_NS:
        return frame
    return CameraFrame(frame.stamp_ns, frame.frame_id, frame.message, message)
