"""How well a score tells anomalies from normal touches, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, kstest, rankdata

from hearing_hands_ros.compare.ranks import rank_p_value

MOST_FALSE: Final = 0.1
"""Share of false alarms up to which a partial AUC counts."""

DRAWS: Final = 500
Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], float]


def auc(normal: Array, odd: Array) -> float:
    """Chance that an anomaly scores higher than a normal touch; equal scores count half.

    Args:
        normal: (N,) scores, N > 0; NaN is less odd than all else, for nobody is told.
        odd: (M,) scores, M > 0.
    """
    ranks = rankdata(_known(np.concatenate([normal, odd])))
    below = ranks[len(normal) :].sum() - len(odd) * (len(odd) + 1) / 2.0
    return float(below / (len(normal) * len(odd)))


def partial_auc(normal: Array, odd: Array, most_false: float = MOST_FALSE) -> float:
    """Mean share of anomalies that are found, over false-alarm rates up to `most_false`; `auc` says the rest."""
    limits = np.sort(_known(normal))[::-1]
    found = _known(odd)
    wanted = most_false * len(limits)
    whole = int(wanted)
    # With the k-th highest normal score as threshold, k normal touches are false alarms at most.
    steps = [float(np.mean((found > limit) + 0.5 * (found == limit))) for limit in limits[: whole + 1]]
    weights = [1.0] * whole + [wanted - whole]
    return float(np.dot(steps[: len(weights)], weights) / wanted)


def interval_over_scenes(
    statistic: Statistic,
    normal: tuple[Array, NDArray[np.str_]],
    odd: tuple[Array, NDArray[np.str_]],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """95 % interval of a statistic when scenes are drawn anew with replacement: touches of a scene are alike.

    Args:
        statistic: Of normal and odd scores.
        normal: Scores, and the scene of each.
        odd: The same.
        rng: Draws scenes.
        draws: How often.
    """
    scenes = sorted(set(normal[1].tolist()) & set(odd[1].tolist()))
    parts = [(normal[0][normal[1] == scene], odd[0][odd[1] == scene]) for scene in scenes]
    values = []
    for _ in range(draws):
        chosen = [parts[i] for i in rng.integers(len(parts), size=len(parts))]
        values.append(statistic(np.concatenate([a for a, _ in chosen]), np.concatenate([b for _, b in chosen])))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class FalseAlarms:
    """Normal touches that were called odd.

    Attributes:
        alpha: Rate that was asked for.
        alarms: How many.
        touches: Of how many.
        low: Lowest rate that fits, 95 %.
        high: Highest rate that fits.
    """

    alpha: float
    alarms: int
    touches: int
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the rate asked for is in the interval."""
        return self.low <= self.alpha <= self.high


def p_values(calibration: Array, normal: Array, rng: np.random.Generator) -> Array:
    """(N,) how rarely a normal touch of the calibration is as odd; NaN without a score."""
    known = sorted(calibration[~np.isnan(calibration)].tolist())
    return np.array([rank_p_value(known, float(value), rng) for value in normal])


def false_alarms(p: Array, alpha: float) -> FalseAlarms:
    """Count p-values of normal touches that are `alpha` or less; the interval is exact (Clopper and Pearson 1934)."""
    known = p[~np.isnan(p)]
    alarms = int((known <= alpha).sum())
    found = binomtest(alarms, len(known)).proportion_ci(0.95)
    return FalseAlarms(alpha, alarms, len(known), float(found.low), float(found.high))


def uniformity(p: Array) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance of p-values from the uniform distribution, and its own p-value."""
    found = kstest(p[~np.isnan(p)], "uniform")
    return float(found.statistic), float(found.pvalue)


def _known(scores: Array) -> Array:
    return np.where(np.isnan(scores), -np.inf, scores)
