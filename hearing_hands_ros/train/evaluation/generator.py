"""A generator as a system: at any number of steps, and with conditions taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.model.compact.conditions import Conditions, conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import CompactGenerator, typical_draw
from hearing_hands_ros.model.compact.noise import noise_of_frames
from hearing_hands_ros.sound.vocoder.protocol import Vocoder
from hearing_hands_ros.train.evaluation.systems import Array, fitted

Drop = Literal["vision", "hands", "local views"]
"""What a generator can be kept from. Local views are replaced by that of the whole scene; for vision and hands it gets
what stood for them in training when they were dropped."""

DROPS: Final[tuple[Drop, ...]] = get_args(Drop)

BATCH = 8  # items at once


class GeneratorSystem:
    """The compact generator and a vocoder.

    Args:
        name: Of the model.
        generator: Loaded.
        vocoder: Makes sound of its spectrograms.
        steps: Of the solver; None for the checkpoint's own.
        drop: What it is kept from; None for nothing.
        seed: Of the noise; every item gets its own.
    """

    def __init__(
        self,
        name: str,
        generator: CompactGenerator,
        vocoder: Vocoder,
        steps: int | None = None,
        drop: Drop | None = None,
        seed: int = 0,
    ) -> None:
        if drop is not None and drop not in DROPS:
            raise ValueError(f"GeneratorSystem: drop wanted one of {DROPS}, got {drop!r}")
        own = generator.sampling
        self._sampling = own if steps is None else replace(own, steps=steps)
        self._generator, self._vocoder, self._drop, self._seed = generator, vocoder, drop, seed
        self.name = self.name_of(name, steps, drop)
        asked = self._sampling
        self.note = (
            f"{asked.steps} steps, guidance {asked.guidance:g}, vocoder {vocoder.name}; "
            f"a draw, its spectra moved by {asked.typical:g}, its level by {asked.typical_level:g} towards the mean of "
            f"{asked.draws}"
        )

    @staticmethod
    def name_of(model: str, steps: int | None, drop: Drop | None) -> str:
        """Name of the row, as 'compact, 4 steps'."""
        words = [model]
        if steps is not None:
            words.append("1 step" if steps == 1 else f"{steps} steps")
        return ", ".join(words + ([f"no {drop}"] if drop else []))

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Draw spectrograms for each item and make the typical one a sound."""
        waves: list[Array] = []
        draws, bins = self._sampling.draws, self._generator.sequence.bins
        for first in range(0, len(items), BATCH):
            batch = items[first : first + BATCH]
            conditions = [made for item in batch for made in [self._conditions(item)] * draws]
            noise = [
                noise_of_frames(0, PATCH * len(made.hands), bins, (self._seed + first) * draws + number)
                for number, made in enumerate(conditions)
            ]
            mels = self._generator.generate(
                conditions, noise, self._sampling, see=self._drop != "vision", feel=self._drop != "hands"
            )
            for number, item in enumerate(batch):
                mel = typical_draw(np.stack(mels[number * draws : (number + 1) * draws]), self._sampling)
                waves.append(fitted(self._vocoder.synthesize(mel), item.audio.size))
        return waves

    def _conditions(self, item: Item) -> Conditions:
        scene = item.scene_views.astype(np.float32)
        looks = item.contact_local.astype(np.float32)
        if self._drop == "local views":
            looks = np.broadcast_to(scene.mean(axis=0), looks.shape)
        return conditions_of(item.motion, looks, scene, self._generator.sequence)
