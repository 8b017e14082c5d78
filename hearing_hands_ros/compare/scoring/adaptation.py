"""A scorer made to fit another microphone, room and robot by normal touches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hearing_hands_ros.compare.fields import checked_mapping, checked_numbers
from hearing_hands_ros.compare.scoring.anomaly_model import AnomalyModel, Quantiles
from hearing_hands_ros.compare.scoring.level import KINDS
from hearing_hands_ros.compare.scoring.scorer import Scorer
from hearing_hands_ros.compare.scoring.touch import HeardTouch

LEAST_FOR_LEVEL: Final = 5
LEAST_FOR_QUANTILES: Final = 20


@dataclass(frozen=True)
class Adaptation:
    """What normal touches say of another microphone, room and robot.

    Attributes:
        base_db: By kind of touch, in place of `LevelBySpeed.base_db`; a kind that is missing keeps that.
        quantiles: By kind of touch and score, in place of those of `AnomalyModel`; what is missing keeps them.
    """

    base_db: Mapping[str, float]
    quantiles: Mapping[str, Mapping[str, Quantiles]]

    @classmethod
    def of(cls, scorer: Scorer, touches: Sequence[HeardTouch]) -> Adaptation:
        """From normal touches that no calibration counts.

        Args:
            scorer: As it ships.
            touches: Few of a kind say nothing: 5 are needed for its level, 20 for its quantiles.
        """
        kinds = [touch.contact.kind for touch in touches]
        centred = scorer.level.centred(touches)
        base_db: dict[str, float] = {
            kind: centred.base_db[kind] for kind in KINDS if kinds.count(kind) >= LEAST_FOR_LEVEL
        }
        level = cls(base_db, {}).applied(scorer)
        values = [level.scores(touch) for touch in touches]
        measured = scorer.model.measured_by(values, kinds).quantiles
        return cls(
            base_db,
            {
                kind: {name: found for name, found in measured[kind].items() if all(map(math.isfinite, found))}
                for kind in KINDS
                if kinds.count(kind) >= LEAST_FOR_QUANTILES
            },
        )

    def applied(self, scorer: Scorer) -> Scorer:
        """The scorer for this microphone, room and robot."""
        return replace(
            scorer,
            level=replace(scorer.level, base_db={**scorer.level.base_db, **self.base_db}),
            model=self._measured(scorer.model),
            unlabelled=self._measured(scorer.unlabelled),
        )

    def _measured(self, model: AnomalyModel) -> AnomalyModel:
        return replace(
            model,
            quantiles={
                kind: {name: self.quantiles.get(kind, {}).get(name, known) for name, known in of.items()}
                for kind, of in model.quantiles.items()
            },
        )

    def document(self) -> dict[str, Any]:
        """As it is written into a file."""
        return {
            "base_db": dict(self.base_db),
            "quantiles": {
                kind: {name: list(values) for name, values in of.items()} for kind, of in self.quantiles.items()
            },
        }

    @classmethod
    def read(cls, who: str, document: object) -> Adaptation:
        """From what `document` gave.

        Args:
            who: Names the file and the field in errors.
            document: What stood in the file.

        Raises:
            ValueError: It is something else; the message names the field.
        """
        fields = checked_mapping(who, document, ("base_db", "quantiles"))
        base_db = {
            kind: checked_numbers(f"{who}.base_db.{kind}", [value])[0]
            for kind, value in checked_mapping(f"{who}.base_db", fields["base_db"]).items()
        }
        quantiles: dict[str, dict[str, Quantiles]] = {}
        for kind, of in checked_mapping(f"{who}.quantiles", fields["quantiles"]).items():
            quantiles[kind] = {}
            for name, values in checked_mapping(f"{who}.quantiles.{kind}", of).items():
                low, middle, high = checked_numbers(f"{who}.quantiles.{kind}.{name}", values, 3)
                quantiles[kind][name] = (low, middle, high)
        if unknown := sorted({*base_db, *quantiles} - set(KINDS)):
            raise ValueError(f"{who}: wanted kinds out of {list(KINDS)}, got {unknown}")
        return cls(base_db, quantiles)
