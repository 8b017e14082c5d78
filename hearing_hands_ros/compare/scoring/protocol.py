"""What every score of a touch takes and gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from hearing_hands_ros.compare.scoring.touch import HeardTouch


class Score(Protocol):
    """One measure of how odd a touch sounds.

    Attributes:
        name: Of the score, as messages and calibrations have it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def score(self, touch: HeardTouch) -> float:
        """Larger is odder; NaN where it could not be had."""


def score_all(scores: Sequence[Score], touch: HeardTouch) -> dict[str, float]:
    """All scores of a touch by name; one that cannot look at the touch is NaN."""
    return {one.name: _score(one, touch) for one in scores}


def _score(one: Score, touch: HeardTouch) -> float:
    try:
        return float(one.score(touch))
    except ValueError:
        return math.nan
