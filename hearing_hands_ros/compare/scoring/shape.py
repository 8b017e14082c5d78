"""How far the course of level over time and frequency is from the predicted one, whatever the gain."""

from __future__ import annotations

from typing import Final

import numpy as np

from hearing_hands_ros.compare.scoring.picture import Power, TouchPicture, decibel, picture
from hearing_hands_ros.compare.scoring.touch import HeardTouch

BEGIN_S, END_S = -0.02, 0.4
OVER: Final = 2.0
"""Cells count where the heard or the predicted power is this many times the room's noise."""

LEAST_CELLS: Final = 8
ROUNDS: Final = 6
LEAST_SPREAD_DB: Final = 3.0
"""A spread smaller than this is what recording the same touch twice gives."""


class LogMelResidual:
    """Mean over the cells of |heard - predicted| / spread, in dB, after the gain between them is taken out."""

    name = "log_mel"

    def score(self, touch: HeardTouch) -> float:
        """Standard deviations of the prediction."""
        seen = picture(touch).between(BEGIN_S, END_S)
        difference, over, _ = matched(seen)
        return float((np.abs(difference) / np.maximum(seen.spread, LEAST_SPREAD_DB))[over].mean())


class EnvelopeDistance:
    """Mean over the frames of |heard - predicted level|, after the gain between them is taken out."""

    name = "envelope"

    def score(self, touch: HeardTouch) -> float:
        """The distance, dB."""
        seen = picture(touch).between(BEGIN_S, END_S)
        _, _, gain_db = matched(seen)
        wanted = in_room(seen, gain_db).sum(axis=1)
        difference = decibel(seen.heard.sum(axis=1)) - decibel(wanted)
        return float(np.abs(difference - np.median(difference)).mean())


def in_room(seen: TouchPicture, gain_db: float = 0.0) -> Power:
    """(T, B) what would be heard of the prediction in the room's noise."""
    return np.asarray(seen.expected * 10.0 ** (gain_db / 10.0) + seen.noise)


def matched(seen: TouchPicture) -> tuple[Power, np.ndarray[tuple[int, ...], np.dtype[np.bool_]], float]:
    """Take the gain between heard and predicted out: the median difference over the cells that stand out of the room.

    Args:
        seen: The picture.

    Returns:
        (T, B) heard less predicted, dB; (T, B) cells that stand out; the gain, dB.

    Raises:
        ValueError: Fewer than `LEAST_CELLS` cells stand out.
    """
    heard_db, gain_db = decibel(seen.heard), 0.0
    for _ in range(ROUNDS):  # what the room hides depends on the gain, and the gain on what is not hidden
        wanted = in_room(seen, gain_db)
        over = (seen.heard > OVER * seen.noise) | (wanted > OVER * seen.noise)
        if int(over.sum()) < LEAST_CELLS:
            raise ValueError(f"matched: wanted {LEAST_CELLS} cells over the room's noise, got {int(over.sum())}")
        gain_db += float(np.median((heard_db - decibel(wanted))[over]))
    return heard_db - decibel(in_room(seen, gain_db)), over, gain_db
