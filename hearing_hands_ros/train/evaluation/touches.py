"""Where in an item which touch can be heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact

EDGE_S = 0.1
"""Touches this near to the ends of an item are not judged: onset detectors warm up, and sounds are cut off."""

BEFORE_S, AFTER_S = 0.05, 0.6
"""What is cut out for a classifier, from the begin of the touch."""

ALONE_S = 0.5
"""A touch is alone if no other one, of either hand, begins or goes on within this time of its begin."""

SEGMENT_S = 0.3
"""Longest part of a touch that is judged for level and brightness."""

LEAST_SEGMENT_S = 0.05


@dataclass(frozen=True)
class Heard:
    """A touch of an item that is judged.

    Attributes:
        contact: The touch.
        start_s: When it begins, from the first sample of the item.
        until_s: When the next one begins, or the item ends.
        alone: Whether it can be told from its neighbours.
    """

    contact: Contact
    start_s: float
    until_s: float
    alone: bool


def heard(item: Item, sample_rate_hz: int) -> list[Heard]:
    """Touches of an item that are judged, oldest first.

    Args:
        item: The item.
        sample_rate_hz: Of its sound.
    """
    length_s = item.audio.size / sample_rate_hz
    contacts = item.motion.contacts
    starts = [(c.start_ns - item.motion.start_ns) / NANOSECONDS for c in contacts]
    ends = [(c.end_ns - item.motion.start_ns) / NANOSECONDS for c in contacts]
    result = []
    for i, (contact, start) in enumerate(zip(contacts, starts, strict=True)):
        if not EDGE_S <= start <= length_s - EDGE_S:
            continue
        others = [(s, e) for j, (s, e) in enumerate(zip(starts, ends, strict=True)) if j != i]
        near = any(s < start + ALONE_S and e > start - ALONE_S for s, e in others)
        alone = not near and start + AFTER_S <= length_s
        until = min((s for s, _ in others if s > start), default=length_s)
        result.append(Heard(contact, start, until, alone))
    return result


def window(wave: NDArray[np.float32], touch: Heard, sample_rate_hz: int) -> NDArray[np.float32]:
    """What is cut out for a classifier: `BEFORE_S` before the touch to `AFTER_S` after, always the same length.

    Args:
        wave: (L,) sound of the item, true or predicted.
        touch: One that is alone.
        sample_rate_hz: Of `wave`.
    """
    first = round((touch.start_s - BEFORE_S) * sample_rate_hz)
    length = round((BEFORE_S + AFTER_S) * sample_rate_hz)
    piece = wave[max(first, 0) : first + length]
    return np.pad(piece, (max(-first, 0), length - piece.size - max(-first, 0)))


def segment(wave: NDArray[np.float32], touch: Heard, sample_rate_hz: int) -> NDArray[np.float32] | None:
    """The touch until the next begins, `SEGMENT_S` at most; None if that is too short to judge."""
    end_s = min(touch.until_s, touch.start_s + SEGMENT_S)
    if end_s - touch.start_s < LEAST_SEGMENT_S:
        return None
    return wave[round(touch.start_s * sample_rate_hz) : round(end_s * sample_rate_hz)]
