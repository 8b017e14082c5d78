"""Collects touches that somebody vouches for, until they make a calibration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hearing_hands_ros.compare.calibrated import calibrated
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.judge import Judgement
from hearing_hands_ros.compare.ranks import least_touches
from hearing_hands_ros.compare.scoring.scorer import Scorer
from hearing_hands_ros.compare.scoring.touch import HeardTouch

MOST_TOUCHES = 5000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass
class CalibrationCollection:
    """The next `wanted` touches are normal, and so is all quiet between them.

    Args:
        wanted: How many touches.
        alpha: False-alarm rate that the calibration is for.
        name: File name without folder and ending, or empty to keep the result in memory only.

    Raises:
        ValueError: `wanted` is too few for `alpha` or more than `MOST_TOUCHES`, or `name` is more than a plain name: no
            path is taken from a message.
    """

    wanted: int
    alpha: float
    name: str
    touches: list[HeardTouch] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        least = least_touches(self.alpha)
        if self.wanted < least:
            raise ValueError(f"calibrate: touches wants {least} or more for alpha {self.alpha:g}, got {self.wanted}")
        if self.wanted > MOST_TOUCHES:
            raise ValueError(f"calibrate: touches wants {MOST_TOUCHES} at most, got {self.wanted}")
        if self.name and not NAME.fullmatch(self.name):
            raise ValueError(f"calibrate: name wants letters, digits, '_' and '-' only, got {self.name!r}")

    def add(self, judgement: Judgement) -> bool:
        """Take a touch and return True, or False if it could not be scored."""
        if judgement.touch is None or not judgement.is_scored:
            return False
        self.touches.append(judgement.touch)
        return True

    def add_quiet(self, seconds: Iterable[float], after: Iterable[float]) -> None:
        """Take quiet seconds, and the times after touches; see `Comparator.take_quiet` and `Comparator.take_after`."""
        self.quiet += seconds
        self.after += after

    @property
    def is_complete(self) -> bool:
        """All touches are there."""
        return len(self.touches) >= self.wanted

    def __str__(self) -> str:
        """Progress, for people."""
        return f"calibrating {len(self.touches)} of {self.wanted}"

    def calibration(self, scorer: Scorer, ego_noise: str, segment_s: float) -> ConformalCalibration:
        """Make the calibration.

        Args:
            scorer: As it ships.
            ego_noise: See `calibrated`.
            segment_s: Likewise.

        Raises:
            ValueError: The touches make none.
        """
        source = f"{len(self.touches)} touches heard live"
        return calibrated(self.touches, self.quiet, scorer, self.alpha, source, ego_noise, self.after, segment_s)

    def save(self, calibration: ConformalCalibration, folder: Path) -> str:
        """Save a calibration if it shall have a name, and say what was done.

        Raises:
            OSError: The file cannot be written.
        """
        done = f"calibrated on {len(self.touches)} touches and {len(self.quiet)} quiet seconds"
        if not self.name:
            return done
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.yaml"
        calibration.save(path)
        return f"{done}, saved as {path}"
