"""What can be had without a prediction, or with a wrong one: what the prediction helps is measured against these.

Novelty of the sound alone is `embedding.Neighbours` with touches of every kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hearing_hands_ros.compare.scoring.level import heard_db
from hearing_hands_ros.compare.scoring.protocol import Score
from hearing_hands_ros.compare.scoring.touch import HeardTouch


class EnergyChange:
    """How far the level of a touch is from the exponentially weighted mean of the touches before it.

    Args:
        weight: Of the newest touch in the mean, over 0, up to 1.
    """

    name = "energy"

    def __init__(self, weight: float = 0.1) -> None:
        if not 0.0 < weight <= 1.0:
            raise ValueError(f"EnergyChange: weight wanted more than 0, up to 1, got {weight}")
        self._weight = weight
        self._mean_db: float | None = None

    def learn(self, touches: Iterable[HeardTouch]) -> None:
        """Let normal touches move the mean, oldest first."""
        for touch in touches:
            level = heard_db(touch)
            self._mean_db = level if self._mean_db is None else self._mean_db + self._weight * (level - self._mean_db)

    def score(self, touch: HeardTouch) -> float:
        """|level - mean|, dB; NaN before the first touch was learned."""
        return float("nan") if self._mean_db is None else abs(heard_db(touch) - self._mean_db)


class Shuffled:
    """Another score, given the prediction of the touch before this one.

    Args:
        score: The other.
    """

    def __init__(self, score: Score) -> None:
        self.name = f"{score.name}_shuffled"
        self._score = score
        self._before: HeardTouch | None = None

    def score(self, touch: HeardTouch) -> float:
        """The score; NaN for the first touch."""
        before, self._before = self._before, touch
        return float("nan") if before is None else self._score.score(swapped(touch, before))


def swapped(touch: HeardTouch, other: HeardTouch) -> HeardTouch:
    """What was heard of one touch, with what was expected of another."""
    return replace(touch, prediction=other.prediction, contact=other.contact)
