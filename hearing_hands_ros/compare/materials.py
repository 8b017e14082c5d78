"""Which recorded material a heard touch sounds like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from hearing_hands_ros.compare.timbre import BANDS, RANGE_DB, RATE_HZ, ZONES_S, Timbre, timbre
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank, Exemplar
from hearing_hands_ros.predictors.protocol import Kind

SHRINKAGE = 0.5
"""Share of the identity in the scatter: a hundred recordings cannot say how 192 numbers vary together."""

_MOST_PER_CLASS = 10.0
_D = (len(ZONES_S) - 1) * BANDS


def in_room(
    exemplar: Exemplar, lead_s: float, snr_db: float, generator: np.random.Generator, gain_db: float = 0.0
) -> NDArray[np.float32]:
    """An exemplar as a microphone in a quiet room would hear it.

    Args:
        exemplar: Its loudest 50 ms are at 0 dB.
        lead_s: Room noise before the onset.
        snr_db: Loudest 50 ms over the room's noise (low-passed noise, as rooms have).
        generator: For the noise.
        gain_db: Of the microphone.

    Returns:
        (L,) samples; the onset is at `lead_s`, and the exemplar is followed by 0.5 s of noise.
    """
    lead = round((lead_s - LEAD_S) * RATE_HZ)
    noise = lfilter([0.3], [1.0, -0.7], generator.normal(0.0, 1.0, lead + exemplar.wave.size + RATE_HZ // 2))
    noise *= 10.0 ** (-snr_db / 20.0) / noise.std()
    noise[lead : lead + exemplar.wave.size] += exemplar.wave
    heard: NDArray[np.float32] = (noise * 10.0 ** ((gain_db - 20.0) / 20.0)).astype(np.float32)
    return heard


def whitener(
    features: NDArray[np.float64], classes: NDArray[np.str_], shrinkage: float = SHRINKAGE
) -> NDArray[np.float64]:
    """Turn and scale features so that they vary alike in all directions within a class.

    W = (1 - s) S / (tr S / D) + s I, where S is the scatter of each recording about the mean of its class, classes with
    many recordings counting as ten; the result is V diag(l^-1/2) of W = V diag(l) V^T.

    Args:
        features: (N, D).
        classes: (N,) what each recording is of; classes of fewer than three say nothing.
        shrinkage: s, 0..1.

    Returns:
        (D, D), to be multiplied from the right.

    Source: linear discriminant analysis with a shrunk covariance (Ledoit and Wolf 2004).
    """
    parts = []
    for name in sorted(set(classes.tolist())):
        own = features[classes == name]
        if len(own) >= 3:
            parts.append((own - own.mean(axis=0)) * np.sqrt(min(len(own), _MOST_PER_CLASS) / (len(own) - 1.0)))
    dimensions = features.shape[1]
    scatter = np.zeros((dimensions, dimensions))
    for part in parts:
        scatter += part.T @ part
    trace = float(np.trace(scatter)) / dimensions
    shrunk = shrinkage * np.eye(dimensions)
    if trace > 0:
        shrunk += (1.0 - shrinkage) * scatter / trace
    else:
        shrunk = np.eye(dimensions)
    values, vectors = np.linalg.eigh(shrunk)
    result: NDArray[np.float64] = vectors / np.sqrt(values)
    return result


def _centred(level_db: NDArray[np.float32], floor_db: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, Z, B) levels raised to a floor (B,), less their own mean (the gain), (N, Z * B)."""
    flat: NDArray[np.float64] = np.maximum(level_db, floor_db).reshape(len(level_db), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat


@dataclass(frozen=True, eq=False)
class MaterialModel:
    """Recorded touches, ready to be compared with a heard one.

    Attributes:
        level_db: (N, Z, BANDS) of every exemplar.
        material: (N,) of every exemplar.
        kind: (N,) 'tap' or 'slide'.
        group: (N,) groups of duplicates.
        tool: (N,) what touched it.
        whitening: (D, D).
    """

    level_db: NDArray[np.float32]
    material: NDArray[np.str_]
    kind: NDArray[np.str_]
    group: NDArray[np.str_]
    tool: NDArray[np.str_]
    whitening: NDArray[np.float64]

    @classmethod
    def fit(cls, bank: ExampleBank, snr_db: float = 30.0) -> MaterialModel:
        """Learn from a bank.

        Args:
            bank: The exemplars.
            snr_db: Each is heard over this much room noise first, always the same, so that exemplars and heard touches
                have gone the same way.

        Returns:
            The model.

        Raises:
            ValueError: The bank is not at 16 kHz.
        """
        if bank.sample_rate_hz != RATE_HZ:
            raise ValueError(f"MaterialModel: bank {bank.model} wanted at {RATE_HZ} Hz, got {bank.sample_rate_hz}")
        levels = [
            timbre(in_room(e, 0.25, snr_db, np.random.default_rng([7, i])), 0.25).level_db
            for i, e in enumerate(bank.exemplars)
        ]
        return cls._of(
            np.stack(levels),
            np.array([e.material for e in bank.exemplars]),
            np.array([e.kind for e in bank.exemplars]),
            np.array([e.group for e in bank.exemplars]),
            np.array([e.tool for e in bank.exemplars]),
        )

    @classmethod
    def _of(
        cls,
        level_db: NDArray[np.float32],
        material: NDArray[np.str_],
        kind: NDArray[np.str_],
        group: NDArray[np.str_],
        tool: NDArray[np.str_],
    ) -> MaterialModel:
        features = _centred(level_db, np.full(BANDS, -RANGE_DB, dtype=np.float32))
        classes = np.array([" ".join(c) for c in zip(material, kind, tool, strict=True)])
        return cls(level_db, material, kind, group, tool, whitener(features, classes))

    def only(self, keep: NDArray[np.bool_]) -> MaterialModel:
        """The model that a bank with only these exemplars would have given, (N,) True for those to keep."""
        return self._of(self.level_db[keep], self.material[keep], self.kind[keep], self.group[keep], self.tool[keep])

    def distances(self, heard: Timbre, kind: Kind) -> Mapping[str, float]:
        """Distance of a heard touch to each material: that to its nearest exemplar.

        d_i = |(x - y_i) W|^2 / D, where x and y_i are levels raised to the higher of the 40 dB range and the room's
        noise and less their mean, and W whitens. Exemplars of the other kind are left out for a material that has
        exemplars of this kind.

        Args:
            heard: The touch.
            kind: Of the touch.

        Returns:
            Material to distance, at least 0.
        """
        floor = np.maximum(heard.floor_db, -RANGE_DB)
        x = _centred(heard.level_db[None], floor)
        y = _centred(self.level_db, floor)
        if not heard.heard.all():
            cells = np.repeat(heard.heard, BANDS)
            x, y = x - x[:, cells].mean(axis=1, keepdims=True), y - y[:, cells].mean(axis=1, keepdims=True)
            x, y = x * cells, y * cells
        d = (((x - y) @ self.whitening) ** 2).sum(axis=1) / _D
        result = {}
        for name in sorted(set(self.material.tolist())):
            own = self.material == name
            same = own & (self.kind == kind)
            result[name] = float(d[same if same.any() else own].min())
        return result


def odds_against(distances: Mapping[str, float], material: str) -> float:
    """How much nearer the heard touch is to another material than to the expected one.

    The logarithm of a likelihood ratio, where the likelihood of a material is exp(-distance): s = d(expected) -
    min over others d(other). Negative if the expected material is the nearest.

    Args:
        distances: From `MaterialModel.distances`.
        material: The expected one.

    Returns:
        s; NaN if the expected material is not among `distances`, or no other is.
    """
    others = [d for m, d in distances.items() if m != material]
    if material not in distances or not others:
        return float("nan")
    return distances[material] - min(others)
