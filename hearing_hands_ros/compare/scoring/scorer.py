"""All scores of a touch, ready made: what a comparator needs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml

from hearing_hands_ros.compare.scoring.anomaly_model import AnomalyModel
from hearing_hands_ros.compare.scoring.level import LevelBySpeed
from hearing_hands_ros.compare.scoring.listener import MaterialListener
from hearing_hands_ros.compare.scoring.material import MaterialOdds, PredictedMaterial
from hearing_hands_ros.compare.scoring.onsets import MissingOnset, Timing, UnexpectedOnset
from hearing_hands_ros.compare.scoring.protocol import Score, score_all
from hearing_hands_ros.compare.scoring.shape import EnvelopeDistance, LogMelResidual
from hearing_hands_ros.compare.scoring.surprise import Amplitude, Deficit, Excess
from hearing_hands_ros.compare.scoring.touch import HeardTouch

FORMAT: Final = "hearing_hands_ros/anomalies/1"
ANOMALY: Final = "anomaly"
"""Name of the score that all others make together."""


def single_scores(listener: MaterialListener, level: LevelBySpeed) -> tuple[Score, ...]:
    """The scores that are fused."""
    return (
        MaterialOdds(listener),
        PredictedMaterial(listener),
        level,
        Amplitude(),
        Deficit(),
        Excess("whole"),
        Excess("before"),
        Excess("after"),
        LogMelResidual(),
        EnvelopeDistance(),
        Timing(),
        MissingOnset(),
        UnexpectedOnset("before"),
        UnexpectedOnset("after"),
    )


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores touches.

    Attributes:
        listener: Names materials.
        level: What a touch of a speed is as loud as.
        model: Makes one score of all.
        unlabelled: The same where the scene does not name the material.
        origin: What it was learnt from, for people.
    """

    listener: MaterialListener
    level: LevelBySpeed
    model: AnomalyModel
    unlabelled: AnomalyModel
    origin: str = ""

    name = ANOMALY

    @classmethod
    def load(cls, listener: str | Path, config: str | Path) -> Scorer:
        """Read what ships: `models/listener` and `config/anomalies.yaml`.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: It is something else.
        """
        document: dict[str, Any] = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
        if document.get("format") != FORMAT:
            raise ValueError(f"Scorer: {config}: format wanted {FORMAT!r}, got {document.get('format')!r}")
        return cls(
            MaterialListener.load(listener),
            LevelBySpeed.read(document["level"]),
            AnomalyModel.read(document["model"]),
            AnomalyModel.read(document["unlabelled"]),
            str(document.get("origin", "")),
        )

    @cached_property
    def digest(self) -> str:
        """Tells this scorer from others: calibrations made with another one mean nothing."""
        weights = hashlib.sha256(repr(self._document()).encode())
        for weight, bias in self.listener.layers:
            weights.update(weight.tobytes() + bias.tobytes())
        return weights.hexdigest()[:16]

    def save(self, config: str | Path) -> None:
        """Write all but the listener."""
        text = yaml.safe_dump(self._document(), sort_keys=False, width=120, default_flow_style=None)
        Path(config).write_text(text, encoding="utf-8")

    def scores(self, touch: HeardTouch) -> dict[str, float]:
        """All scores by name, `ANOMALY` among them; larger is odder, NaN where one could not be had."""
        values = score_all(single_scores(self.listener, self.level), touch)
        return {ANOMALY: self._model(values).score(values, touch.contact.kind), **values}

    def score(self, touch: HeardTouch) -> float:
        """Log-odds that anything is wrong."""
        return self.scores(touch)[ANOMALY]

    def likeliest(self, values: Mapping[str, float], kind: str) -> str:
        """What is wrong, if anything is."""
        odds = self._model(values).log_odds(values, kind)
        return max(odds, key=lambda anomaly: odds[anomaly])

    def _document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "origin": self.origin,
            "level": self.level.document(),
            "model": self.model.document(),
            "unlabelled": self.unlabelled.document(),
        }

    def _model(self, values: Mapping[str, float]) -> AnomalyModel:
        return self.unlabelled if math.isnan(values[MaterialOdds.name]) else self.model
