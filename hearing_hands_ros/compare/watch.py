"""What goes on beside the verdicts: baselines without a prediction, change over many touches, drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from hearing_hands_ros.compare.calibrated import levels_of
from hearing_hands_ros.compare.change import ChangeAlarm
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.drift import DriftReference, DriftWatch
from hearing_hands_ros.compare.groups import Group
from hearing_hands_ros.compare.running import RunningReference
from hearing_hands_ros.compare.scoring.baselines import Baselines
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.touch import HeardTouch

SEED: Final = 0
"""Of the lots that ties are drawn by, so that a replay says what was said live."""


@dataclass(frozen=True)
class Watched:
    """What was found beside a verdict.

    Attributes:
        baselines: P-value of each baseline by name, NaN where it has none: small is odd.
        change: How far the change alarm is, 0 to 1; 1 is an alarm.
        changed: There is an alarm now: touches have become odder than they were.
    """

    baselines: Mapping[str, float]
    change: float
    changed: bool


class Watch:
    """Follows all touches that were heard, whatever the verdict on them.

    Args:
        scorer: Adapted to this microphone.
        calibration: Where it begins.
        alpha: Rate of false alarms of a verdict.
        run_length: Touches between false change alarms, on average.
    """

    def __init__(self, scorer: Scorer, calibration: ConformalCalibration, alpha: float, run_length: float) -> None:
        self._scorer, self._calibration, self._alpha = scorer, calibration, alpha
        self.alarm = ChangeAlarm(run_length)
        self.drift = DriftWatch(calibration.reference or DriftReference.of([]))
        self.forget()

    def forget(self) -> None:
        """Begin anew: time jumped, or another recording."""
        self._baselines = Baselines(self._scorer)
        self._running = RunningReference(self._calibration, ANOMALY, np.random.default_rng(SEED))
        self.alarm.reset()
        self.drift.reset()

    def take(self, touch: HeardTouch, anomaly: float, group: Group) -> Watched:
        """Take the next touch.

        Args:
            touch: What was heard.
            anomaly: Its score.
            group: Of its contact.
        """
        self.drift.update(levels_of(touch, self._scorer.level))
        changed = self.alarm.update(self._running.update(anomaly, group))
        if changed:
            self._running.forget()
        p_values = {
            name: self._calibration.p_value(name, value, group, self._alpha).value
            for name, value in self._baselines.scores(touch).items()
            if self._counts(name)
        }
        return Watched(p_values, 1.0 if changed else self.alarm.statistic / self.alarm.threshold, changed)

    def _counts(self, name: str) -> bool:
        try:
            self._calibration.check(name, self._alpha)
        except ValueError:
            return False
        return True
