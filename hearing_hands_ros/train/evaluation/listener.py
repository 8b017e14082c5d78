"""Judges sounds by a frozen embedding: what was touched, how, and how far a set of touches is from the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.sound.embedding.mel_statistics import MelStatistics
from hearing_hands_ros.sound.embedding.protocol import SoundEmbedding
from hearing_hands_ros.sound.metrics.probe import LinearProbe
from hearing_hands_ros.train.evaluation.tally import Tally
from hearing_hands_ros.train.evaluation.touches import AFTER_S, BEFORE_S, Heard, heard, window

AXES = 64
"""Dimensions in which sets of touches are compared: few hundred touches cannot fill more."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Listener:
    """Linear probes on an embedding, learnt from the true sounds of training scenes.

    Attributes:
        embedding: Of sounds.
        material: Tells the material of a touch that is alone.
        kind: Tells a tap from a slide, of the same.
        action: Tells the action of an item, all of it heard.
        axes: (D, AXES or fewer) principal axes of training touches.
    """

    embedding: SoundEmbedding
    material: LinearProbe
    kind: LinearProbe
    action: LinearProbe
    axes: NDArray[np.float64]

    @classmethod
    def train(cls, embedding: SoundEmbedding, items: Sequence[Item], sample_rate_hz: int) -> Listener:
        """Learn from items that no system is judged on.

        Raises:
            ValueError: Fewer than two materials, kinds or actions are in them.
        """
        waves = [item.audio for item in items]
        touches, vectors = _embedded_touches(embedding, items, waves, sample_rate_hz)
        contacts = [touch.contact for _, touch in touches]
        named = np.array([bool(contact.material) for contact in contacts], dtype=np.bool_)
        centred = vectors - vectors.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:AXES].T
        return cls(
            embedding,
            LinearProbe.fit(vectors[named], [contact.material for contact in contacts if contact.material]),
            LinearProbe.fit(vectors, [contact.kind for contact in contacts]),
            LinearProbe.fit(_whole(embedding, waves, sample_rate_hz), [item.action for item in items]),
            axes.astype(np.float64),
        )

    def judge(
        self, items: Sequence[Item], waves: Sequence[Array], sample_rate_hz: int
    ) -> tuple[list[dict[str, Tally]], list[NDArray[np.float64]]]:
        """Judge the predicted sound of each item.

        Args:
            items: N, with the true touches and actions.
            waves: N predicted sounds.
            sample_rate_hz: Of them.

        Returns:
            N tallies 'material', 'kind' and 'action', and for each item its touches on `axes`, (touches, AXES).
        """
        touches, vectors = _embedded_touches(self.embedding, items, waves, sample_rate_hz)
        tallies: list[dict[str, Tally]] = [{} for _ in items]
        if touches:
            materials, kinds = self.material.predict(vectors), self.kind.predict(vectors)
            for (index, touch), material, kind in zip(touches, materials, kinds, strict=True):
                _count(tallies[index], "kind", kind == touch.contact.kind)
                if touch.contact.material:
                    _count(tallies[index], "material", material == touch.contact.material)
        actions = self.action.predict(_whole(self.embedding, waves, sample_rate_hz))
        for tally, item, action in zip(tallies, items, actions, strict=True):
            _count(tally, "action", action == item.action)
        owner = np.array([index for index, _ in touches], dtype=np.intp)
        points = vectors @ self.axes
        return tallies, [points[owner == index] for index in range(len(items))]


def _count(tally: dict[str, Tally], key: str, right: bool) -> None:
    tally[key] = tally.get(key, Tally()) + Tally(float(right), 1.0)


def _whole(embedding: SoundEmbedding, waves: Sequence[Array], sample_rate_hz: int) -> Array:
    """Vectors of whole items, (N, D'): the embedding, and the statistics of the spectrogram where that is another.

    Networks for sound effects forget how often something happened; the modulation of the level tells.
    """
    statistics = MelStatistics()
    parts = [embedding] if embedding.name == statistics.name else [embedding, statistics]
    return np.concatenate([_embedded(part, waves, sample_rate_hz) for part in parts], axis=1)


def _embedded(embedding: SoundEmbedding, waves: Sequence[Array], sample_rate_hz: int) -> Array:
    """(N, D); waves of one length are embedded at once."""
    result = np.zeros((len(waves), embedding.dim), np.float32)
    lengths = np.array([wave.size for wave in waves])
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        result[rows] = embedding.embed(np.stack([waves[int(row)] for row in rows]), sample_rate_hz)
    return result


def _embedded_touches(
    embedding: SoundEmbedding, items: Sequence[Item], waves: Sequence[Array], sample_rate_hz: int
) -> tuple[list[tuple[int, Heard]], Array]:
    """Touches that are alone, as (number of the item, touch), and their (touches, D) vectors."""
    touches = [(i, touch) for i, item in enumerate(items) for touch in heard(item, sample_rate_hz) if touch.alone]
    cut = [window(waves[i], touch, sample_rate_hz) for i, touch in touches]
    length = round((BEFORE_S + AFTER_S) * sample_rate_hz)
    return touches, embedding.embed(np.stack(cut) if cut else np.zeros((0, length), np.float32), sample_rate_hz)
