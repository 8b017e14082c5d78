"""The edges in the bytes of a TFMessage, live or recorded. No ROS."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hearing_hands_ros.motion.window import NANOSECONDS

# (parent, child, stamp in ns, (tx, ty, tz, qx, qy, qz, qw))
Edge = tuple[str, str, int, tuple[float, ...]]


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
