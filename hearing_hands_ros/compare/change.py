"""Whether touches have become odder, from many p-values where one alone says little."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.optimize import brentq

POWERS: Final = (0.2, 0.5)
"""Bets are on p-values that are distributed as u^(1/power): a strong and a weak change."""

LEAST_P: Final = 0.002
"""Smaller p-values win no more: from some hundred touches they are chance."""

SHORTEST: Final = 10
LONGEST: Final = 1_000_000
"""Between these a run length may be wanted."""


def log_bet(p: float) -> float:
    """Logarithm of what a unit bet against 'p is uniform' gives back.

    The bet is b(p) = mean over e in `POWERS` of e q^(e - 1) / c_e, with q = max(p, `LEAST_P`) and c_e such that b has
    mean 1 under uniform p.

    Args:
        p: 0 to 1.

    Source: power betting functions, Vovk et al. 2003, here cut off at small p.
    """
    q = max(p, LEAST_P)
    return math.log(sum(e * q ** (e - 1.0) / (1.0 - (1.0 - e) * LEAST_P**e) for e in POWERS) / len(POWERS))


def mean_run_length(threshold: float, states: int = 200, steps: int = 4000) -> float:
    """Touches until the sum of `ChangeAlarm` reaches a threshold, on average, if p is uniform.

    L(s) = 1 + E[L(max(0, s + log b(p)))], the mean over p with s + log b(p) < threshold, is solved for L(0) on a grid.

    Args:
        threshold: More than 0.
        states: Points of the grid for s.
        steps: Points of the mean over p.

    Source: Brook and Evans, An approach to the probability distribution of CUSUM run length, Biometrika 1972.
    """
    grid = np.linspace(0.0, threshold, states)
    gains = np.array([log_bet((step + 0.5) / steps) for step in range(steps)])
    after = np.maximum(0.0, grid[:, None] + gains)
    row, column = np.nonzero(after < threshold)
    place = after[row, column] / grid[1]
    below = np.minimum(place.astype(np.int64), states - 2)
    share = place - below
    flow = np.bincount(row * states + below, 1.0 - share, states * states)
    flow += np.bincount(row * states + below + 1, share, states * states)
    lengths = np.linalg.solve(np.eye(states) - flow.reshape(states, states) / steps, np.ones(states))
    return float(lengths[0])


@lru_cache(maxsize=32)
def threshold_for(run_length: float) -> float:
    """Threshold at which `mean_run_length` is `run_length` to within 1 %.

    Raises:
        ValueError: `run_length` is not from `SHORTEST` to `LONGEST`.
    """
    if not SHORTEST <= run_length <= LONGEST:
        raise ValueError(f"ChangeAlarm: run_length wanted {SHORTEST} to {LONGEST} touches, got {run_length}")
    # A run is e^threshold long at least (Lorden 1971), so the threshold is not over the logarithm of its length.
    return float(brentq(lambda h: math.log(mean_run_length(h) / run_length), 1e-3, math.log(run_length), xtol=1e-3))


class ChangeAlarm:
    """A conformal CUSUM: raises an alarm when p-values have become smaller than they were.

    s = max(0, s + log b(p)) is the log-likelihood ratio, since the moment that explains best what was seen, of odder
    touches against normal ones. At the threshold there is an alarm and s begins anew. As long as nothing changes there
    are `run_length` touches from one alarm to the next on average, in a geometric distribution nearly: half of the
    alarms come within 0.7 of that.

    This holds for independent uniform p-values. Those of one calibration that stays share its accidents; a
    `RunningReference` gives p-values that are independent and uniform exactly.

    Args:
        run_length: Touches between false alarms, on average.

    Attributes:
        threshold: Of `statistic`.
        statistic: s.
        rising: Touches since `statistic` was last 0: when what it says would have begun.
        touches: P-values since the beginning or the last alarm.
        alarms: So far.
        found_over: Touches over which the last of them rose; 0 without one.

    Raises:
        ValueError: `run_length` is not possible.

    Source: Page, Biometrika 1954; conformal: Vovk et al., Retrain or not retrain (2021).
    """

    def __init__(self, run_length: float) -> None:
        self.run_length = run_length
        self.threshold = threshold_for(run_length)
        self.alarms = self.found_over = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew; `alarms` stays."""
        self.statistic = 0.0
        self.rising = 0
        self.touches = 0

    def update(self, p: float) -> bool:
        """Take the p-value of a touch.

        Args:
            p: 0 to 1; NaN says nothing.

        Returns:
            Whether there is an alarm.

        Raises:
            ValueError: `p` is not possible.
        """
        if math.isnan(p):
            return False
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"ChangeAlarm: p wanted 0 to 1, got {p}")
        self.touches += 1
        self.statistic = max(0.0, self.statistic + log_bet(p))
        self.rising = self.rising + 1 if self.statistic > 0.0 else 0
        if self.statistic < self.threshold:
            return False
        self.alarms += 1
        self.found_over = self.rising
        self.reset()
        return True

    def __str__(self) -> str:
        """How it stands, for diagnostics."""
        return (
            f"{self.statistic:.2f} of {self.threshold:.2f}, rising for {self.rising} touches, {self.alarms} alarms "
            f"(one in {self.run_length:g} touches is expected of normal ones)"
        )
