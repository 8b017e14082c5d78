"""Leaves out the messages of TF that no frame of the hands asks for: of 1 kHz, one in seventeen is decoded.

Hands are looked up at the frames of a grid, and a look-up needs the samples next to it: of all messages of a publisher
between two frames, the first and the last. What is looked up is the same to the last bit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns, last_frame_before
from hearing_hands_ros.ros.tf2_bytes import MalformedMessageError, edges_in_bytes

MOST: Final = 16
"""Publishers whose messages are of one length; more are not told apart."""

_HEADER_BYTES: Final = 4
_DOUBLES_BYTES: Final = 56
_LITTLE_CDR1: Final = b"\x00\x01"
_STAMP: Final = struct.Struct("<iI")


@dataclass(eq=False)
class _Stream:
    """Messages of one publisher: the same frames in the same order.

    Attributes:
        names: Gives all bytes of a message but stamps and numbers.
        known: What it gives.
        stamps: Gives the stamps of a message.
        interval: The newest frame of the grid that its messages have reached.
        stamp_ns: Of the newest message.
        on_frame: That was given on and stands on the frame itself: the next one is wanted too.
        held: That message, if it was not given on yet.
    """

    names: Callable[[bytes], Any]
    known: Any
    stamps: Callable[[bytes], Any]
    interval: int = -1
    stamp_ns: int = -1
    on_frame: bool = False
    held: bytes | None = None


class TfThinning:
    """Takes the messages of /tf one after the other.

    Args:
        rate_hz: Of the grid of frames.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._streams: dict[int, list[_Stream]] = {}  # by length of their messages

    def kept(self, raw: bytes) -> list[bytes]:
        """Messages that are to be decoded now, which may be earlier ones; what cannot be told is among them."""
        streams = self._streams.setdefault(len(raw), [])
        stream = next((s for s in streams if s.names(raw) == s.known), None)
        if stream is None:
            stream = _stream_of(raw)
            if stream is None:
                return [raw]
            if len(streams) < MOST:
                streams.append(stream)
        stamps = stream.stamps(raw)
        if stamps.count(stamps[0]) != len(stamps):
            return [*self._given(stream), raw]
        sec, nanosec = _STAMP.unpack(stamps[0])
        stamp_ns = sec * NANOSECONDS + nanosec
        interval = last_frame_before(stamp_ns, self._rate_hz)
        if interval == stream.interval and stamp_ns >= stream.stamp_ns and not stream.on_frame:
            stream.stamp_ns, stream.held = stamp_ns, raw
            return []
        if interval < stream.interval or stamp_ns < stream.stamp_ns:
            return [*self._given(stream), raw]
        # Another publisher may have the last word on the same frames.
        held = [kept for others in self._streams.values() for other in others for kept in self._given(other)]
        stream.interval, stream.stamp_ns = interval, stamp_ns
        stream.on_frame = stamp_ns == frame_stamp_ns(interval, self._rate_hz)
        return [*held, raw]

    @staticmethod
    def _given(stream: _Stream) -> list[bytes]:
        held, stream.held = stream.held, None
        return [] if held is None else [held]


def _stream_of(raw: bytes) -> _Stream | None:
    """The stream that a message is the first of; None if it has none or is not as nearly all are."""
    if raw[:2] != _LITTLE_CDR1:
        return None
    try:
        edges = edges_in_bytes(raw)
    except MalformedMessageError:
        return None
    if not edges:
        return None
    place, stamps, names = _HEADER_BYTES + 4, [], [slice(0, _HEADER_BYTES + 4)]
    for _ in edges:
        place = _aligned(place, 4)
        stamps.append(slice(place, place + _STAMP.size))
        first = place = place + _STAMP.size
        for _ in range(2):
            place = _aligned(place, 4)
            place += 4 + int.from_bytes(raw[place : place + 4], "little")
        place = _aligned(place, 8)
        names.append(slice(first, place))
        place += _DOUBLES_BYTES
    # Two slices at least, for with one an itemgetter gives no tuple.
    naming, stamping = itemgetter(*names), itemgetter(*stamps, stamps[0])
    return _Stream(naming, naming(raw), stamping)


def _aligned(place: int, size: int) -> int:
    """Alignment counts from the end of the header."""
    return ((place - _HEADER_BYTES + size - 1) // size) * size + _HEADER_BYTES
