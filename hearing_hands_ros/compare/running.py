"""P-values of one touch after another that do not share the accidents of one calibration."""

from __future__ import annotations

import math
from bisect import insort
from typing import Final

import numpy as np

from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.groups import Group
from hearing_hands_ros.compare.ranks import rank_p_value

MOST: Final = 5000
"""Touches of one group from which on one more makes no difference."""

LEAST: Final = 19
"""A group with fewer says nothing: its p-values would be drawn lots."""


class RunningReference:
    """Compares each touch with the calibration and with all touches since, then takes it in.

    P-values of one calibration that stays are uniform one by one but not together: where its largest scores are small
    by chance, all touches look odd, and a change alarm that adds p-values up fires for that. Compared with all before
    it, each touch has a p-value that is uniform and independent of all others, if they are exchangeable (Vovk et al.
    2003), however few touches there are.

    Every touch is taken in, odd ones too: to leave those out would make the next ones look odd. That a real change is
    learned as well delays the alarm a little; after an alarm `forget` brings the calibration back, so that what has
    changed goes on to be reported. For the verdict on a single touch use the calibration itself.

    Args:
        calibration: Where it begins.
        name: Of the score.
        generator: Draws the lots that make p-values uniform.

    Raises:
        KeyError: There is no such score.
    """

    def __init__(self, calibration: ConformalCalibration, name: str, generator: np.random.Generator) -> None:
        if name not in calibration.scores:
            raise KeyError(f"RunningReference: wanted one of {sorted(calibration.scores)}, got {name!r}")
        self._calibration = calibration
        self._name = name
        self._generator = generator
        self.forget()

    def forget(self) -> None:
        """Back to the calibration."""
        self._scores: dict[Group, list[float]] = {}

    def count(self, group: Group) -> int:
        """Touches of a group that the next one is compared with."""
        return len(self._of(group))

    def update(self, value: float, group: Group) -> float:
        """Take the score of a touch.

        Args:
            value: NaN if the touch has none.
            group: Of the touch; it is compared with this group only.

        Returns:
            Its p-value, more than 0, up to 1; NaN without a score, and while the group has less than `LEAST` touches.
        """
        if math.isnan(value):
            return math.nan
        scores = self._of(group)
        p = rank_p_value(scores, value, self._generator) if len(scores) >= LEAST else math.nan
        if len(scores) < MOST:
            insort(scores, value)
        return p

    def _of(self, group: Group) -> list[float]:
        if group not in self._scores:
            self._scores[group] = list(self._calibration.of_group(self._name, group))
        return self._scores[group]
