"""What can be had without a prediction, or with a wrong one: what the prediction helps is measured against these."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.embedding import embedded, heard_window
from hearing_hands_ros.compare.scoring.level import heard_db
from hearing_hands_ros.compare.scoring.protocol import Score, score_all
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.sound.embedding.mel_statistics import MelStatistics

NEIGHBOUR: Final = 3
KNOWN: Final = 30
"""Always as many, so that the distance means the same in a calibration and after it."""


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


class RunningNovelty:
    """How unlike the touches before it a touch sounds, whatever was predicted.

    The distance to the third nearest of them in a sound embedding that needs no weights, each number standardised.

    Args:
        known: The newest touches that it is compared with.
    """

    name = "novelty"

    def __init__(self, known: int = KNOWN) -> None:
        self._embedding = MelStatistics()
        self._known: deque[NDArray[np.float64]] = deque(maxlen=known)

    def score(self, touch: HeardTouch) -> float:
        """The distance, as a root mean square; NaN for the first touches. Remembers the touch."""
        place = embedded(self._embedding, heard_window(touch))
        distance = float("nan")
        if len(self._known) == self._known.maxlen:
            known = np.array(self._known)
            spread = np.maximum(known.std(axis=0), 1e-6)
            off = np.sqrt((((known - place) / spread) ** 2).mean(axis=1))
            distance = float(np.sort(off)[NEIGHBOUR - 1])
        self._known.append(place)
        return distance


class Baselines:
    """All of them, beside one score that has a prediction. They know the touches that they were asked about.

    Args:
        score: The score that the prediction is for.
    """

    def __init__(self, score: Score) -> None:
        self._energy, self._novelty, self._shuffled = EnergyChange(), RunningNovelty(), Shuffled(score)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        return self._energy.name, self._novelty.name, self._shuffled.name

    def scores(self, touch: HeardTouch) -> dict[str, float]:
        """Scores of the next touch by name; larger is odder, NaN where one could not be had."""
        found = score_all((self._energy, self._novelty, self._shuffled), touch)
        self._energy.learn([touch])
        return found


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
