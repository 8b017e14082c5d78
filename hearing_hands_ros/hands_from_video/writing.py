"""The recording again, with the hands in its TF."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from hearing_hands_ros.hands_from_video.finding import FoundHands, HandTrack, frame_names
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.hands import TF_TYPE
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.camera_messages import IMAGES
from hearing_hands_ros.scene.sim3 import Sim3

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

TF_TOPIC = "/tf"


@dataclass(frozen=True)
class HandFrames:
    """What the hands hang under.

    Attributes:
        parent: TF frame.
        parent_from_scene: Rigid, metres.
    """

    parent: str
    parent_from_scene: Sim3


def write_with_hands(
    bag: RecordedBag,
    out: Path,
    found: FoundHands,
    frames: HandFrames,
    with_images: bool = True,
    tell: Callable[[float], object] = lambda _: None,
) -> None:
    """Write what was recorded, byte for byte, and the hands on /tf.

    A hand that is away hangs under a frame of its own, `hand_right/away`, that nothing leads to: else TF would draw a
    line from where it was last to where it comes back, and nobody could tell that from a hand.

    Args:
        bag: The recording.
        out: A folder, or one file if it ends in .mcap; there whole or not at all.
        found: The hands.
        frames: What they hang under.
        with_images: Copy images too, not only what else there is.
        tell: Told the share that is done.

    Raises:
        OSError: It cannot be written.
    """
    store = get_typestore(Stores.ROS2_KILTED)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        draft = Path(folder) / out.name
        writer = Writer(draft, version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            kept = [connection for connection in bag.connections if with_images or connection.msgtype not in IMAGES]
            copies = _copies(writer, kept)
            tf = next((c for c in writer.connections if (c.topic, c.msgtype) == (TF_TOPIC, TF_TYPE)), None)
            tf = tf or writer.add_connection(TF_TOPIC, TF_TYPE, typestore=store)
            recorded = ((stamp_ns, copies[c.id], raw) for c, stamp_ns, raw in bag.messages(kept))
            hands = ((max(stamp_ns, bag.start_ns), tf, raw) for stamp_ns, raw in _messages(store, found, frames))
            length_ns = max(1, bag.end_ns - bag.start_ns)
            for stamp_ns, connection, raw in merge(recorded, hands, key=lambda entry: entry[0]):
                writer.write(connection, stamp_ns, raw)
                tell(min(1.0, (stamp_ns - bag.start_ns) / length_ns))
        (next(draft.glob("*.mcap")) if out.suffix == ".mcap" else draft).replace(out)


def _copies(writer: Writer, connections: list[Connection]) -> dict[int, Connection]:
    """The writer's connection for each of the recording's; those that differ in nothing become one."""
    copies: dict[int, Connection] = {}
    for connection in connections:
        ext: Any = connection.ext
        same = [
            c for c in writer.connections if (c.topic, c.msgtype, c.ext) == (connection.topic, connection.msgtype, ext)
        ]
        copies[connection.id] = (
            same[0]
            if same
            else writer.add_connection(
                connection.topic,
                connection.msgtype,
                msgdef=connection.msgdef.data,
                rihs01=connection.digest,
                serialization_format=ext.serialization_format,
                offered_qos_profiles=ext.offered_qos_profiles,
            )
        )
    return copies


def _messages(store: Any, found: FoundHands, frames: HandFrames) -> Iterator[tuple[int, bytes]]:
    """Stamp and bytes of every TF message, in the order of time."""
    hands = (_of_hand(store, hand, tracks, frames) for hand, tracks in enumerate((found.left, found.right)))
    yield from merge(*hands, key=lambda entry: entry[0])


def _of_hand(store: Any, hand: int, tracks: tuple[HandTrack, ...], frames: HandFrames) -> Iterator[tuple[int, bytes]]:
    names, away = frame_names(hand), f"hand_{HANDS[hand]}/away"
    for track in tracks:
        points = frames.parent_from_scene.apply(track.keypoints_m)
        for stamp_ns, keypoints in zip(track.stamps_ns.tolist(), points, strict=True):
            yield stamp_ns, _tf(store, stamp_ns, frames.parent, names, keypoints)
        # A nanosecond later, so that the last image still counts.
        yield stamp_ns + 1, _tf(store, stamp_ns + 1, away, names, np.zeros((KEYPOINTS, 3)))


def _tf(store: Any, stamp_ns: int, parent: str, names: list[str], places: NDArray[np.float64]) -> bytes:
    types = store.types
    time = types["builtin_interfaces/msg/Time"](sec=stamp_ns // NANOSECONDS, nanosec=stamp_ns % NANOSECONDS)
    header = types["std_msgs/msg/Header"](stamp=time, frame_id=parent)
    unturned = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    vector, transform = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Transform"]
    stamped = types["geometry_msgs/msg/TransformStamped"]
    transforms = [
        stamped(header, name, transform(vector(float(x), float(y), float(z)), unturned))
        for name, (x, y, z) in zip(names, places, strict=True)
    ]
    return bytes(store.serialize_cdr(types[TF_TYPE](transforms), TF_TYPE))
