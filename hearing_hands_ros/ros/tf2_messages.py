"""Between the transform tree's numbers and ROS messages: times and TransformStamped."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.duration import Duration
from rclpy.time import Time
from std_msgs.msg import Header

from hearing_hands_ros.motion.window import NANOSECONDS

from .tf2_bytes import Edge
from .tf2_core import StampedTransform


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
