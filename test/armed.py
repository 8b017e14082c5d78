"""A comparator that is armed: calibrated with the demo's bank, each recording predicted by the others."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from hearing_hands_ros.compare.calibrated import calibrated
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.scoring.scorer import Scorer
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.train.anomalies.bank_touches import touches_of_bank

BANK = Path(__file__).parents[1] / "demo" / "bank"
QUIET_S = 150
_FOLDER = tempfile.TemporaryDirectory(prefix="armed")  # goes when the tests have ended


@lru_cache
def scorer() -> Scorer:
    """The one that ships."""
    return load_scorer()


@lru_cache
def bank_calibration() -> ConformalCalibration:
    """For alpha 0.01, taps of more than 0.3 m/s, 50 dB over the room's noise, nothing alone or after."""
    touches = [touch for touch in touches_of_bank(ExampleBank.load(BANK), snr_db=50.0) if touch.contact.kind == "tap"]
    source = "the demo's bank, each recording without its group"
    return calibrated(touches, [0.0] * QUIET_S, scorer(), 0.01, source, after=[0.0] * QUIET_S)


@lru_cache
def bank_calibration_file() -> Path:
    """The same as a file."""
    path = Path(_FOLDER.name) / "calibration.yaml"
    bank_calibration().save(path)
    return path
