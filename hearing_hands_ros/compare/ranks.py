"""Where a score stands among those of normal touches."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from scipy.special import betaincinv

_T = TypeVar("_T")


def rank_p_value(values: Sequence[float], value: float, generator: np.random.Generator | None = None) -> float:
    """How rarely one of n scores is as odd as this one.

    Without a generator p = (1 + #{values >= value}) / (n + 1), which ties make larger than it need be. With one
    p = (#{values > value} + u (1 + #{values = value})) / (n + 1), u uniform: if this score and the others are
    exchangeable, p is uniform whatever the ties, and p <= alpha has probability alpha exactly.

    Args:
        values: n scores, ascending.
        value: The score; NaN if there is none.
        generator: Draws u; None for the first formula.

    Returns:
        More than 0, up to 1; NaN of NaN.

    Source: Vovk et al., Algorithmic Learning in a Random World (2005), 2.2 and 2.6.
    """
    if math.isnan(value):
        return math.nan
    above = len(values) - bisect_right(values, value)
    equal = len(values) - bisect_left(values, value) - above
    share = 1.0 if generator is None else 1.0 - generator.random()  # over 0, so that p is
    return (above + share * (1 + equal)) / (len(values) + 1)


def least_touches(alpha: float) -> int:
    """Normal touches without which no touch, however odd, can have a p-value of `alpha`: 1 / alpha - 1, rounded up."""
    return math.ceil(1.0 / alpha - 1.0 - 1e-9)


def realised_rates(alpha: float, touches: int, confidence: float = 0.95) -> tuple[float, float]:
    """Between which false-alarm rates one calibration that stays may lie.

    Over all calibrations the rate is alpha at most. That of one, over ever more touches, is a draw from
    Beta(k, n + 1 - k) with k = floor(alpha (n + 1)), for scores without ties.

    Args:
        alpha: False-alarm rate wanted.
        touches: n, normal touches in the calibration.
        confidence: Share of calibrations that lie between.

    Returns:
        Lowest and highest rate; twice 0 with too few touches for `alpha`.

    Source: Vovk, Conditional validity of inductive conformal predictors (2012).
    """
    k = math.floor(alpha * (touches + 1) + 1e-9)
    if k == 0:
        return 0.0, 0.0
    tail = (1.0 - confidence) / 2.0
    return float(betaincinv(k, touches + 1 - k, tail)), float(betaincinv(k, touches + 1 - k, 1.0 - tail))


def divided(touches: Sequence[_T], first: int, generator: np.random.Generator) -> tuple[list[_T], list[_T]]:
    """Normal touches in two parts, drawn at random: one to fit a `Fusion` to, the rest to calibrate with.

    Args:
        touches: All normal touches.
        first: Touches of the first part.
        generator: Draws them.

    Raises:
        ValueError: There are fewer than `first`.
    """
    if not 0 <= first <= len(touches):
        raise ValueError(f"divided: wanted 0 to {len(touches)} touches (all) in the first part, got {first}")
    order = generator.permutation(len(touches))
    return [touches[i] for i in order[:first]], [touches[i] for i in order[first:]]
