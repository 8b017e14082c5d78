"""Distances in a frozen sound embedding: from normal touches, and from the predicted sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.material import predicted_wave
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, HeardTouch
from hearing_hands_ros.sound.embedding.protocol import SoundEmbedding

BEFORE_S, AFTER_S = 0.05, 0.55
LEAST_TOUCHES = 5
SHRINKAGE = 0.3

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NormalTouches:
    """Embedded normal touches.

    Attributes:
        embedding: Made the vectors.
        vectors: (N, D), each number standardised.
        kinds: (N,) 'tap' or 'slide'.
        mean: (D,) that was taken off.
        scale: (D,) that was divided by.
    """

    embedding: SoundEmbedding
    vectors: NDArray[np.float64]
    kinds: NDArray[np.str_]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, embedding: SoundEmbedding, touches: Sequence[HeardTouch]) -> NormalTouches:
        """Embed touches that somebody vouches for.

        Raises:
            ValueError: They are fewer than `LEAST_TOUCHES`.
        """
        if len(touches) < LEAST_TOUCHES:
            raise ValueError(f"NormalTouches: wanted {LEAST_TOUCHES} touches or more, got {len(touches)}")
        vectors = np.stack([embedded(embedding, heard_window(touch)) for touch in touches])
        mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
        scale = np.where(scale > 1e-6, scale, 1.0)
        return cls(embedding, (vectors - mean) / scale, np.array([t.contact.kind for t in touches]), mean, scale)

    def place(self, wave: Array) -> NDArray[np.float64]:
        """(D,) where a sound lies among them."""
        return (embedded(self.embedding, wave) - self.mean) / self.scale


class Neighbours:
    """Distance to the k-th nearest normal touch.

    Args:
        normal: The touches.
        k: Which neighbour.
        every_kind: Compare with touches of all kinds, as one who knows of no touch has to: novelty of the sound alone.
    """

    def __init__(self, normal: NormalTouches, k: int = 3, every_kind: bool = False) -> None:
        self.name = "novelty" if every_kind else "neighbours"
        self._normal, self._k, self._every_kind = normal, k, every_kind

    def score(self, touch: HeardTouch) -> float:
        """The distance, as a root mean square over the numbers; NaN if there are not k such touches."""
        keep = self._normal.kinds == touch.contact.kind
        vectors = self._normal.vectors if self._every_kind else self._normal.vectors[keep]
        if len(vectors) < self._k:
            return float("nan")
        off = vectors - self._normal.place(heard_window(touch))
        return float(np.sort(np.sqrt((off**2).mean(axis=1)))[self._k - 1])


class Mahalanobis:
    """Distance from the mean of normal touches of the kind, by their scatter, shrunk towards a sphere.

    Args:
        normal: The touches.
    """

    name = "mahalanobis"

    def __init__(self, normal: NormalTouches) -> None:
        self._normal, self._of = normal, {}
        dimensions = normal.vectors.shape[1]
        for kind in sorted(set(normal.kinds.tolist())):
            own = normal.vectors[normal.kinds == kind]
            middle = own.mean(axis=0)
            scatter = (own - middle).T @ (own - middle) / len(own)
            even = max(float(np.trace(scatter)) / dimensions, 1e-9)
            inverse = np.linalg.inv((1.0 - SHRINKAGE) * scatter + SHRINKAGE * even * np.eye(dimensions))
            self._of[kind] = middle, inverse

    def score(self, touch: HeardTouch) -> float:
        """The distance over the root of the number of dimensions; NaN if no touch of the kind is known."""
        if touch.contact.kind not in self._of:
            return float("nan")
        middle, inverse = self._of[touch.contact.kind]
        off = self._normal.place(heard_window(touch)) - middle
        return float(np.sqrt(off @ inverse @ off / off.size))


class PredictedEmbedding:
    """Distance between what was heard and the predicted sound.

    Args:
        normal: Say what a usual distance is in each number.
    """

    name = "embedding"

    def __init__(self, normal: NormalTouches) -> None:
        self._normal = normal

    def score(self, touch: HeardTouch) -> float:
        """The distance, as a root mean square over the numbers."""
        predicted = _fitted(predicted_wave(touch), LEAD_S)
        off = self._normal.place(heard_window(touch)) - self._normal.place(predicted)
        return float(np.sqrt((off**2).mean()))


def heard_window(touch: HeardTouch) -> Array:
    """What is embedded of a touch, always as long: from 50 ms before its onset on; silence after its end."""
    onset_s = touch.lead_s if touch.onset_s is None else touch.onset_s
    return _fitted(touch.samples[: round(touch.end_s * RATE_HZ)], onset_s)


def embedded(embedding: SoundEmbedding, wave: Array) -> NDArray[np.float64]:
    """(D,) of one sound."""
    return np.asarray(embedding.embed(wave[None], RATE_HZ)[0], np.float64)


def _fitted(wave: Array, onset_s: float) -> Array:
    first = max(0, round((onset_s - BEFORE_S) * RATE_HZ))
    length = round((BEFORE_S + AFTER_S) * RATE_HZ)
    piece = wave[first : first + length]
    return np.pad(piece, (0, length - piece.size))
