"""Which material a touch sounds like, in a noisy room too: a small network, run without torch."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.special import log_softmax, ndtr

from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ
from hearing_hands_ros.libraries import optional
from hearing_hands_ros.predictors.protocol import Kind
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel

KIND: Final = "listener"
SEQUENCE: Final = SequenceConfig()
POOLED: Final = 2
BANDS: Final = SEQUENCE.bins // POOLED
ZONES_S: Final = (-0.03, -0.008, 0.008, 0.024, 0.04, 0.072, 0.104, 0.15, 0.2, 0.3, 0.42)
"""Edges of the time zones, from the onset: fine where a touch changes fast."""

ZONES: Final = len(ZONES_S) - 1
FEATURES: Final = ZONES * BANDS + BANDS + ZONES + 1
QUIET_S: Final = -0.04
HIDDEN: Final = 0.1
"""Of the noise: a cell that is fainter is as good as silent."""

NOTHING: Final = 1e-10
_LAYERS: Final = (1, 4, 7)  # of the network that taught it, whose other layers have no weights

Array = NDArray[np.float32]


def listener_features(wave: Array, onset_s: float, kind: Kind, end_s: float | None = None) -> Array:
    """What the network is told of a touch: its levels over the room, those of the room, and what was heard at all.

    Args:
        wave: (L,) samples at 16 kHz, with 0.1 s or more before the onset.
        onset_s: Of the touch.
        kind: Of the touch.
        end_s: Where in `wave` something else begins.

    Returns:
        (FEATURES,): dB / 20 + 1 of each zone and band, and of the noise of each band, all against the loudest cell and
        clipped to -1.5..1; 1 for each zone that was heard; 1 for a slide.
    """
    hop = SEQUENCE.hop
    begin = round(onset_s * RATE_HZ) - hop // 2
    before = begin // hop
    cut = wave[begin - before * hop : None if end_s is None else round(end_s * RATE_HZ)]
    mel = 100.0 ** log_mel(cut, SEQUENCE).astype(np.float64)
    power = mel.T.reshape(mel.shape[1], BANDS, POOLED).mean(axis=2)
    time_s = (np.arange(len(power)) - before) * hop / RATE_HZ
    noise = np.maximum(np.median(power[time_s < QUIET_S], axis=0), NOTHING)
    cells, known = np.zeros((ZONES, BANDS)), np.zeros(ZONES)
    for zone, (first_s, last_s) in enumerate(itertools.pairwise(ZONES_S)):
        inside = (time_s >= first_s) & (time_s < last_s)
        if inside.any():
            cells[zone], known[zone] = np.maximum(power[inside].mean(axis=0) - noise, HIDDEN * noise), 1.0
    peak = max(float(cells.max()), 1e-12)
    levels = [np.clip(np.log10(np.maximum(p / peak, 1e-5)) / 2.0 + 1.0, -1.5, 1.0).ravel() for p in (cells, noise)]
    return np.concatenate([*levels, known, [float(kind == "slide")]]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class MaterialListener:
    """Names materials.

    Attributes:
        materials: That it knows, M.
        layers: Weights (out, in) and biases (out,), from `FEATURES` to M; between them GELU.

    Raises:
        ValueError: The layers do not fit.
    """

    materials: tuple[str, ...]
    layers: tuple[tuple[Array, Array], ...]

    def __post_init__(self) -> None:
        sizes = [FEATURES, *(len(bias) for _, bias in self.layers)]
        shapes = [weight.shape for weight, _ in self.layers]
        if shapes != list(zip(sizes[1:], sizes[:-1], strict=True)) or sizes[-1] != len(self.materials):
            raise ValueError(
                f"MaterialListener: layers wanted from {FEATURES} numbers to {len(self.materials)} materials, "
                f"got {shapes}"
            )

    @classmethod
    def load(cls, folder: str | Path) -> MaterialListener:
        """Read a checkpoint of kind 'listener'.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: It is another kind, damaged, or its tensors do not fit.
        """
        folder = Path(folder)
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        if config.get("kind") != KIND:
            raise ValueError(f"{folder / 'config.yaml'}: kind wanted {KIND!r}, got {config.get('kind')!r}")
        weights = folder / "model.safetensors"
        digest, wanted = hashlib.sha256(weights.read_bytes()).hexdigest(), config["sha256"][weights.name]
        if digest != wanted:
            raise ValueError(f"{weights}: sha256 wanted {wanted}, got {digest}: the file is damaged or was exchanged")
        tensors = optional("safetensors.numpy", "MaterialListener").load_file(weights)
        layers = tuple((tensors[f"{i}.weight"], tensors[f"{i}.bias"]) for i in _LAYERS)
        return cls(tuple(config["network"]["materials"]), layers)

    def listen(self, wave: Array, kind: Kind, onset_s: float = LEAD_S, end_s: float | None = None) -> Array:
        """How likely each material is, (M,) natural logarithms; see `listener_features`."""
        x = listener_features(wave, onset_s, kind, end_s)
        for number, (weight, bias) in enumerate(self.layers):
            x = weight @ (x * ndtr(x) if number else x) + bias
        return np.asarray(log_softmax(x), np.float32)
