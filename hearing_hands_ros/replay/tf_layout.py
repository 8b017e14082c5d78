"""Where names, stamps and numbers lie in the TF messages of one publisher: what stays the same is not read again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.ros.tf2_bytes import Edge, MalformedMessageError, edges_in_bytes

_HEADER_BYTES: Final = 4
_DOUBLES: Final = 7
_LITTLE_CDR1: Final = b"\x00\x01"
_STAMP: Final = struct.Struct("<iI")


@dataclass(eq=False)
class TfLayout:
    """Messages of one publisher: the same frames in the same order.

    Attributes:
        edges: Of the message that it was found in.
    """

    edges: list[Edge]
    _places: list[int]  # of the numbers of each edge
    _names: Callable[[bytes], Any]  # gives all bytes of a message but stamps and numbers
    _known: Any  # what it gives
    _stamps: Callable[[bytes], Any]  # gives the stamps of a message

    def is_of(self, raw: bytes) -> bool:
        """Whether a message of the same length has this layout, too."""
        return bool(self._names(raw) == self._known)

    def stamp_ns(self, raw: bytes) -> int | None:
        """The stamp of a message of this layout; None if its edges have several."""
        stamps = self._stamps(raw)
        if stamps.count(stamps[0]) != len(stamps):
            return None
        sec, nanosec = _STAMP.unpack(stamps[0])
        return int(sec * NANOSECONDS + nanosec)

    def values(self, raw: bytes) -> NDArray[np.float64]:
        """(E, 7) numbers of the edges of a message of this layout: x, y, z and the quaternion x, y, z, w."""
        found: NDArray[np.float64] = np.frombuffer(raw, np.uint8)[self._bytes].view("<f8")
        return found

    @cached_property
    def _bytes(self) -> NDArray[np.int64]:
        return np.array(self._places)[:, None] + np.arange(8 * _DOUBLES)


def layout_of(raw: bytes) -> TfLayout | None:
    """The layout of a message; None if it has no edges or is not as nearly all are."""
    if raw[:2] != _LITTLE_CDR1:
        return None
    try:
        edges = edges_in_bytes(raw)
    except MalformedMessageError:
        return None
    if not edges:
        return None
    place = _HEADER_BYTES + 4
    names, stamps, places = [slice(0, place)], [], []
    for _ in edges:
        place = _aligned(place, 4)
        stamps.append(slice(place, place + _STAMP.size))
        first = place = place + _STAMP.size
        for _ in range(2):
            place = _aligned(place, 4)
            place += 4 + int.from_bytes(raw[place : place + 4], "little")
        place = _aligned(place, 8)
        names.append(slice(first, place))
        places.append(place)
        place += 8 * _DOUBLES
    # Two slices at least, for with one an itemgetter gives no tuple.
    naming, stamping = itemgetter(*names), itemgetter(*stamps, stamps[0])
    return TfLayout(edges, places, naming, naming(raw), stamping)


def _aligned(place: int, size: int) -> int:
    """Alignment counts from the end of the header."""
    return ((place - _HEADER_BYTES + size - 1) // size) * size + _HEADER_BYTES
