"""Sums that measures are made of, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LOW, HIGH = 2.5, 97.5


@dataclass(frozen=True)
class Tally:
    """A measure of some items as the ratio of two sums; tallies of more items add up.

    A mean of n errors is their sum over n, an accuracy right answers over answers, F1 twice the hits over the onsets of
    both sides.

    Attributes:
        total: The sum above.
        weight: The sum below; 0 where the items say nothing.
    """

    total: float = 0.0
    weight: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.total + other.total, self.weight + other.weight)


@dataclass(frozen=True)
class Cell:
    """A value and its 95 % interval; NaN where nothing can be said.

    Attributes:
        value: Over all scenes.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def resamples(scenes: int, generator: np.random.Generator, count: int = RESAMPLES) -> NDArray[np.intp]:
    """Draw scenes with replacement, as often as there are: (count, scenes).

    Scenes and not items are drawn, because the touches of one scene are alike. Use the same draw for all systems; their
    intervals can then be compared.
    """
    return generator.integers(0, scenes, (count, scenes))


def ratio_cell(by_scene: Sequence[Tally], draws: NDArray[np.intp]) -> Cell:
    """The ratio of sums over scenes, with the percentile interval of the bootstrap.

    Args:
        by_scene: One tally a scene.
        draws: Of `resamples`.
    """
    totals = np.array([tally.total for tally in by_scene])
    weights = np.array([tally.weight for tally in by_scene])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(totals.sum() / weights.sum())
        drawn = totals[draws].sum(axis=1) / weights[draws].sum(axis=1)
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not drawn.size:
        return Cell(np.nan, np.nan, np.nan)
    low, high = np.percentile(drawn, [LOW, HIGH])
    return Cell(value, float(low), float(high))


def function_cell(of_scenes: Callable[[NDArray[np.intp]], float], scenes: int) -> Cell:
    """A measure that is no ratio of sums and at least 0, with the interval of the jackknife: value -+ 1.96 e.

    e^2 = (n - 1) / n sum_i (v_i - mean v)^2 with v_i the measure without scene i. A bootstrap, which draws scenes
    twice, makes a set of sounds less various than it is, and so a distance of sets too large.

    Args:
        of_scenes: Gives the measure of the scenes with these numbers.
        scenes: How many there are, n.

    Source: Efron and Stein 1981.
    """
    everything = np.arange(scenes)
    value = of_scenes(everything)
    without = np.array([of_scenes(np.delete(everything, scene)) for scene in range(scenes)])
    margin = 1.96 * float(np.sqrt((scenes - 1) * np.mean((without - without.mean()) ** 2)))
    if not np.isfinite([value, margin]).all():
        return Cell(np.nan, np.nan, np.nan)
    return Cell(value, max(0.0, value - margin), value + margin)
