"""Collects the scores of touches that somebody vouches for, until they make a calibration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from hearing_hands_ros.compare.calibration import Calibration, least_touches
from hearing_hands_ros.compare.scores import TouchScores

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass
class CalibrationCollection:
    """The next `wanted` touches are normal.

    Args:
        wanted: How many touches.
        alpha: False-alarm rate that the calibration is for.
        name: File name without folder and ending, or empty to keep the result in memory only.

    Raises:
        ValueError: `wanted` is too few for `alpha`, or `name` is more than a plain name: no path is taken from a
            message.
    """

    wanted: int
    alpha: float
    name: str
    touches: list[TouchScores] = field(default_factory=list)

    def __post_init__(self) -> None:
        least = least_touches(self.alpha)
        if self.wanted < least:
            raise ValueError(f"calibrate: touches wants {least} or more for alpha {self.alpha:g}, got {self.wanted}")
        if self.name and not NAME.fullmatch(self.name):
            raise ValueError(f"calibrate: name wants letters, digits, '_' and '-' only, got {self.name!r}")

    def add(self, scores: TouchScores | None) -> bool:
        """Take a touch's scores and return True, or False if it lacks the score that decides."""
        if scores is None or not math.isfinite(scores.deciding[1]):
            return False
        self.touches.append(scores)
        return True

    @property
    def is_complete(self) -> bool:
        """All touches are there."""
        return len(self.touches) >= self.wanted

    def __str__(self) -> str:
        """Progress, for people."""
        return f"calibrating {len(self.touches)} of {self.wanted}"

    def finish(self, folder: Path) -> tuple[Calibration, str]:
        """Make the calibration, save it if it has a name, and say what was done.

        Raises:
            OSError: The file cannot be written.
        """
        calibration = Calibration.of(f"{len(self.touches)} touches heard live", self.touches)
        if not self.name:
            return calibration, f"calibrated on {len(self.touches)} touches"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.yaml"
        calibration.save(path)
        return calibration, f"calibrated on {len(self.touches)} touches, saved as {path}"
