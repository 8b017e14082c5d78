"""What a comparator would be given beside the sound: the predictions for the items of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.model.checkpoint import WEIGHTS, load_checkpoint
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.generator import GeneratorPredictor
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction
from hearing_hands_ros.sound.vocoder.protocol import Vocoder, load_vocoder

Array = NDArray[np.float32]


class ItemPredictor(Protocol):
    """Predicts the sound of items."""

    def predict(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """One prediction an item, over all of it."""


class StoredLooks:
    """What an item's places look like, from the features that are stored with it.

    Args:
        item: The item.
    """

    def __init__(self, item: Item) -> None:
        self.scene: Array = item.scene_views.astype(np.float32).mean(axis=0)
        self._looks: Array = item.contact_local.astype(np.float32)

    def looks(self, motion: HandMotion) -> Array:
        """(C, D) features of the place of each contact of the item."""
        return self._looks[: len(motion.contacts)]


class ByGenerator:
    """The compact generator with the stored looks of each item.

    Args:
        generator: Draws spectrograms.
        vocoder: Makes the first one heard.
        model: Which checkpoint.
        alternatives: Sounds drawn of each item.
    """

    def __init__(self, generator: CompactGenerator, vocoder: Vocoder, model: str, alternatives: int = 3) -> None:
        self._generator, self._vocoder, self._model, self._alternatives = generator, vocoder, model, alternatives

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> ByGenerator:
        """Load a checkpoint and its vocoder."""
        checkpoint = load_checkpoint(folder, KIND)
        asked = checkpoint.config.get("vocoder", "")
        return cls(
            CompactGenerator.of(checkpoint, device),
            load_vocoder(asked or share_directory() / "models" / "vocoder", device),
            f"{folder.resolve().name}@{checkpoint.config['sha256'][WEIGHTS][:8]}",
        )

    def predict(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Draw each item with noise of its own: all items begin at time 0, where the noise is the same."""
        for number, item in enumerate(items):
            predictor = GeneratorPredictor(
                self._generator,
                self._vocoder,
                StoredLooks(item),
                self._model,
                self._alternatives,
                seed=number * self._alternatives,
            )
            yield predictor.predict([item.motion])[0]


class ByExample:
    """Recorded touches of the material that each contact names.

    Args:
        predictor: With its bank.
    """

    def __init__(self, predictor: ExamplePredictor) -> None:
        self._predictor = predictor

    def predict(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Lay exemplars on the touches of each item."""
        for item in items:
            yield self._predictor.predict([item.motion])[0]
