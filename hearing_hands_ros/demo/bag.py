"""Writes the demo's recording: TF of the hand and the microphone's sound, as one .mcap file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo.heard import RATE_HZ
from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS

Array = NDArray[np.float64]

AUDIO_TYPE: Final = "hearing_hands_ros/msg/Audio"
CAMERA_FRAME, MICROPHONE_FRAME = "tracking_camera", "microphone"
BLOCK_S: Final = 0.02
POSITION_STEP_M: Final = 2.0**-17  # 8 um: numbers with few binary digits compress well
ROTATION_STEP: Final = 2.0**-14


@dataclass(frozen=True)
class Recording:
    """What goes into the bag.

    Attributes:
        start_ns: Its first moment.
        parent_frame: What the camera hangs under.
        camera: T_parent_from_camera.
        time_s: (T,) of the hand, since the start.
        keypoints_m: (T, 21, 3) in the camera's frame.
        rotations: (T,) of the hand in the camera's frame.
        wave: (L,) sound; its first sample is stamped with the start.
    """

    start_ns: int
    parent_frame: str
    camera: tuple[Rotation, Array]
    time_s: Array
    keypoints_m: Array
    rotations: Rotation
    wave: NDArray[np.float32]


def _qos(depth: int, latched: bool) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        QosTime(0, 0),
        QosTime(0, 0),
        QosLiveliness.SYSTEM_DEFAULT,
        QosTime(0, 0),
        False,
    )


def _audio_definition() -> str:
    folders = (Path(__file__).parents[2] / "msg", Path(sys.prefix) / "share" / "hearing_hands_ros" / "msg")
    for folder in folders:
        if (folder / "Audio.msg").is_file():
            return (folder / "Audio.msg").read_text()
    raise FileNotFoundError(f"write_bag: wanted Audio.msg, got nothing in {' or '.join(str(f) for f in folders)}")


def write_bag(path: Path, recording: Recording) -> None:
    """Write the recording, messages in the order in which a recorder would have got them.

    Args:
        path: The .mcap file; an older one is replaced.
        recording: What goes in.
    """
    store = get_typestore(Stores.ROS2_KILTED)
    store.register(get_types_from_msg(_audio_definition(), AUDIO_TYPE))
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "bag", version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            topics = (
                ("/tf_static", "tf2_msgs/msg/TFMessage", _qos(1, True)),
                ("/tf", "tf2_msgs/msg/TFMessage", _qos(100, False)),
                ("/microphone/audio", AUDIO_TYPE, _qos(50, False)),
            )
            connections = {
                topic: writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=[qos])
                for topic, kind, qos in topics
            }
            messages = [*_static(store, recording), *_motion(store, recording), *_sound(store, recording)]
            for received_ns, topic, message in sorted(messages, key=lambda item: item[:2]):
                connection = connections[topic]
                writer.write(connection, received_ns, store.serialize_cdr(message, connection.msgtype))
        written = next((Path(folder) / "bag").glob("*.mcap"))
        shutil.copyfile(written, path)


def _stamp(store: Any, time_ns: int) -> Any:
    time = store.types["builtin_interfaces/msg/Time"]
    return time(sec=time_ns // NANOSECONDS, nanosec=time_ns % NANOSECONDS)


def _header(store: Any, time_ns: int, frame_id: str) -> Any:
    return store.types["std_msgs/msg/Header"](stamp=_stamp(store, time_ns), frame_id=frame_id)


def _transform(store: Any, header: Any, child: str, position: Array, quat_xyzw: Array) -> Any:
    types = store.types
    x, y, z = (float(v) for v in position)
    return types["geometry_msgs/msg/TransformStamped"](
        header=header,
        child_frame_id=child,
        transform=types["geometry_msgs/msg/Transform"](
            translation=types["geometry_msgs/msg/Vector3"](x=x, y=y, z=z),
            rotation=types["geometry_msgs/msg/Quaternion"](
                **dict(zip("xyzw", (float(v) for v in quat_xyzw), strict=True))
            ),
        ),
    )


def _static(store: Any, recording: Recording) -> Iterator[tuple[int, str, Any]]:
    rotation, translation = recording.camera
    header = _header(store, recording.start_ns, recording.parent_frame)
    transform = _transform(store, header, CAMERA_FRAME, translation, rotation.as_quat())
    yield recording.start_ns, "/tf_static", store.types["tf2_msgs/msg/TFMessage"](transforms=[transform])


def _motion(store: Any, recording: Recording) -> Iterator[tuple[int, str, Any]]:
    positions = np.round(recording.keypoints_m / POSITION_STEP_M) * POSITION_STEP_M
    quats = np.round(recording.rotations.as_quat() / ROTATION_STEP) * ROTATION_STEP
    message = store.types["tf2_msgs/msg/TFMessage"]
    for at_s, points, quat in zip(recording.time_s, positions, quats, strict=True):
        stamp_ns = recording.start_ns + round(float(at_s) * NANOSECONDS)
        header = _header(store, stamp_ns, CAMERA_FRAME)
        transforms = [_transform(store, header, f"hand_right/kp_{k:02d}", points[k], quat) for k in range(KEYPOINTS)]
        yield stamp_ns + 4_000_000, "/tf", message(transforms=transforms)


def _sound(store: Any, recording: Recording) -> Iterator[tuple[int, str, Any]]:
    block = round(BLOCK_S * RATE_HZ)
    for first in range(0, len(recording.wave) - block + 1, block):
        stamp_ns = recording.start_ns + round(first * NANOSECONDS / RATE_HZ)
        message = store.types[AUDIO_TYPE](
            header=_header(store, stamp_ns, MICROPHONE_FRAME),
            sample_rate_hz=RATE_HZ,
            channels=1,
            first_sample=first,
            data=recording.wave[first : first + block],
            lost=np.zeros(0, np.bool_),
        )
        yield stamp_ns + round(BLOCK_S * NANOSECONDS) + 1_000_000, "/microphone/audio", message
