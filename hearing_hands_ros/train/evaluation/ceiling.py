"""What a probe tells of real recordings: no prediction can be told better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank
from hearing_hands_ros.sound.embedding.protocol import SoundEmbedding
from hearing_hands_ros.sound.metrics.probe import cross_validated
from hearing_hands_ros.train.evaluation.touches import AFTER_S, BEFORE_S


@dataclass(frozen=True)
class Ceiling:
    """Accuracy on recorded touches, each told by a probe that never heard its group.

    Attributes:
        recordings: How many.
        materials: How many.
        material: Share told right.
        chance: Share of the most frequent material.
    """

    recordings: int
    materials: int
    material: float
    chance: float

    @classmethod
    def of(cls, bank: ExampleBank, embedding: SoundEmbedding) -> Ceiling:
        """Cross-validate on a bank, each recording cut as touches of items are.

        Raises:
            ValueError: The bank has fewer than two materials or groups.
        """
        rate = bank.sample_rate_hz
        before, length = round((BEFORE_S - LEAD_S) * rate), round((BEFORE_S + AFTER_S) * rate)
        waves = [np.pad(e.wave, (before, length))[:length] for e in bank.exemplars]
        labels = [e.material for e in bank.exemplars]
        right = cross_validated(embedding.embed(np.stack(waves), rate), labels, [e.group for e in bank.exemplars])
        most = max(labels.count(material) for material in bank.materials)
        return cls(len(labels), len(bank.materials), float(right.mean()), most / len(labels))
