"""What is compared: anything that turns items into sounds, and the ends of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.vocoder.protocol import Vocoder

Array = NDArray[np.float32]


class System(Protocol):
    """Predicts the sound of items.

    Attributes:
        name: Row of the table.
        note: What it was told and by whom, for people.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """A sound for each item, (L,) of the length of its true one."""


class Truth:
    """The true sound: what the measures give at best."""

    name = "truth"
    note = "the true sound itself: the ceiling of every measure"

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Give the true sounds."""
        return [item.audio for item in items]


class Silence:
    """Nothing."""

    name = "silence"
    note = "distances are 1 by definition; a probe must answer something"

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Give silence."""
        return [np.zeros_like(item.audio) for item in items]


class ThroughVocoder:
    """The true log-mel spectrogram made a sound again: what a generator of spectrograms gives at best."""

    name = "truth, through the vocoder"

    def __init__(self, vocoder: Vocoder, sequence: SequenceConfig) -> None:
        self.note = f"true log-mel spectrogram, vocoder {vocoder.name}"
        self._vocoder, self._sequence = vocoder, sequence

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Analyse and synthesise."""
        return [
            fitted(self._vocoder.synthesize(log_mel(item.audio, self._sequence)), item.audio.size) for item in items
        ]


class Shuffled:
    """A system's sounds, each given to another item: what can be had without looking at what is done.

    Item i gets the sound of item i + N / 2, which is of another scene where items are in order of scenes.
    """

    def __init__(self, system: System) -> None:
        self.name = f"{system.name}, shuffled"
        self.note = f"'{system.name}' for another item"
        self._system = system

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Predict all, then turn round."""
        waves = self._system.predict(items)
        half = len(items) // 2
        return [fitted(wave, item.audio.size) for wave, item in zip(waves[half:] + waves[:half], items, strict=True)]


def fitted(wave: Array, length: int) -> Array:
    """A wave cut or filled up with silence to (length,)."""
    return np.pad(wave[:length], (0, max(0, length - wave.size)))
