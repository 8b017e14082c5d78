"""Between the transform tree's numbers and ROS messages: times, TransformStamped, and the bytes of a TFMessage."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.duration import Duration
from rclpy.time import Time
from std_msgs.msg import Header

from hearing_hands_ros.motion.window import NANOSECONDS

from .tf2_core import StampedTransform

# (parent, child, stamp in ns, (tx, ty, tz, qx, qy, qz, qw))
Edge = tuple[str, str, int, tuple[float, ...]]


def time_ns(time: Any) -> int:
    """Nanoseconds of an rclpy Time or Duration, or of a builtin_interfaces Time or Duration.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(time, (Time, Duration)):
        return int(time.nanoseconds)
    sec = getattr(time, "sec", None)
    nanosec = getattr(time, "nanosec", None)
    if sec is not None and nanosec is not None:
        return int(sec) * NANOSECONDS + int(nanosec)
    nanoseconds = getattr(time, "nanoseconds", None)
    if nanoseconds is None:
        raise TypeError("time must have sec and nanosec, or nanoseconds.")
    return int(nanoseconds)


def edge_of(message: Any) -> Edge:
    """The edge in a TransformStamped."""
    header = message.header
    stamp = header.stamp
    transform = message.transform
    translation = transform.translation
    rotation = transform.rotation
    return (
        header.frame_id,
        message.child_frame_id,
        stamp.sec * NANOSECONDS + stamp.nanosec,
        (translation.x, translation.y, translation.z, rotation.x, rotation.y, rotation.z, rotation.w),
    )


def _message(target: str, source: str, transform: StampedTransform) -> Any:
    stamp, tx, ty, tz, qx, qy, qz, qw = transform
    sec, nanosec = divmod(stamp, NANOSECONDS)
    return TransformStamped(
        header=Header(stamp=TimeMessage(sec=sec, nanosec=nanosec), frame_id=target),
        child_frame_id=source,
        transform=Transform(
            translation=Vector3(x=tx, y=ty, z=tz),
            rotation=Quaternion(x=qx, y=qy, z=qz, w=qw),
        ),
    )


def _message_by_slots(target: str, source: str, transform: StampedTransform) -> Any:
    """As `_message` in a third of the time: the constructors make default fields only to have them replaced."""
    stamp = TimeMessage.__new__(TimeMessage)
    header = Header.__new__(Header)
    translation = Vector3.__new__(Vector3)
    rotation = Quaternion.__new__(Quaternion)
    both = Transform.__new__(Transform)
    message = TransformStamped.__new__(TransformStamped)
    for part in (stamp, header, translation, rotation, both, message):
        part._check_fields = _CHECK_FIELDS
    ns, translation._x, translation._y, translation._z, rotation._x, rotation._y, rotation._z, rotation._w = transform
    stamp._sec, stamp._nanosec = divmod(ns, NANOSECONDS)
    header._stamp = stamp
    header._frame_id = target
    both._translation = translation
    both._rotation = rotation
    message._header = header
    message._child_frame_id = source
    message._transform = both
    return message


def _slots_work() -> bool:
    """Whether this ROS's generated classes are laid out as `_message_by_slots` takes them to be."""
    sample: StampedTransform = (3_000_000_004, 1.0, 2.0, 3.0, 0.0, 0.6, 0.0, 0.8)
    try:
        return repr(_message_by_slots("a", "b", sample)) == repr(_message("a", "b", sample))
    except AttributeError:
        return False


_CHECK_FIELDS: bool = getattr(TimeMessage(), "_check_fields", False)
message_of = _message_by_slots if _slots_work() else _message


class MalformedMessageError(ValueError):
    """The bytes are not those of a TFMessage."""


_LITTLE = (struct.Struct("<I"), struct.Struct("<iII"), struct.Struct("<7d"))
_BIG = (struct.Struct(">I"), struct.Struct(">iII"), struct.Struct(">7d"))
# The first two bytes name the representation: plain CDR 1 or 2 (they differ in this only), odd for little-endian.
_DOUBLES_ALIGNED_TO = {b"\x00\x00": 8, b"\x00\x01": 8, b"\x00\x06": 4, b"\x00\x07": 4}
_HEADER_BYTES = 4
# An edge with two empty names: stamp, two lengths, seven doubles.
_LEAST_BYTES = 8 + 4 + 4 + 56


def edges_in_bytes(data: bytes) -> list[Edge]:
    """Edges of a serialized TFMessage (plain CDR), all of them or none.

    Three times as fast as the message objects, which nobody would look at.

    Raises:
        MalformedMessageError: The bytes end early, count more than they hold, or are not plain CDR.
    """
    try:
        return list(_edges(data))
    except struct.error as error:
        raise MalformedMessageError(f"TFMessage of {len(data)} bytes: ends early ({error})") from None


def _edges(data: bytes) -> Iterator[Edge]:
    kind = bytes(data[:2])
    if kind not in _DOUBLES_ALIGNED_TO:
        raise MalformedMessageError(
            f"TFMessage of {len(data)} bytes: wanted plain CDR, got {kind.hex()!r} at the start"
        )
    length, stamp_and_length, seven_doubles = _LITTLE if kind[1] & 1 else _BIG
    mask = _DOUBLES_ALIGNED_TO[kind] - 1
    (count,) = length.unpack_from(data, _HEADER_BYTES)
    place = _HEADER_BYTES + 4
    if count * _LEAST_BYTES > len(data):
        raise MalformedMessageError(f"TFMessage of {len(data)} bytes: counts {count} transforms, more than fit")
    for _ in range(count):
        place = (place + 3) & ~3
        sec, nanosec, size = stamp_and_length.unpack_from(data, place)
        parent, place = _text(data, place + 12, size)
        place = (place + 3) & ~3
        (size,) = length.unpack_from(data, place)
        child, place = _text(data, place + 4, size)
        # Alignment counts from the end of the 4-byte header.
        place = ((place - _HEADER_BYTES + mask) & ~mask) + _HEADER_BYTES
        values = seven_doubles.unpack_from(data, place)
        place += 56
        yield parent, child, sec * NANOSECONDS + nanosec, values


def _text(data: bytes, start: int, size: int) -> tuple[str, int]:
    end = start + size
    if end > len(data):
        raise MalformedMessageError(f"TFMessage of {len(data)} bytes: a name of {size} bytes, more than are left")
    if size and not data[end - 1]:
        return str(data[start : end - 1], "utf-8", "replace"), end
    return str(data[start:end], "utf-8", "replace"), end
