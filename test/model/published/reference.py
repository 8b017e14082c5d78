"""The stored numbers of the published networks, and small networks of the same sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.bigvgan import BigVGAN, fold_weight_norm
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PublishedConfig,
    VelocityConfig,
    VocoderConfig,
)
from hearing_hands_ros.model.published.velocity import VelocityNetwork
from hearing_hands_ros.sequence import SequenceConfig

FOLDER = Path(__file__).parents[2] / "data" / "reference"

TINY = PublishedConfig(
    ConditionerConfig(global_dim=6, local_dim=10, hand_dim=12, width=16),
    VelocityConfig(latent=4, context=16, width=32, heads=4, blocks=2, positions=300),
    AutoencoderConfig(bins=8, latent=4, width=32, multiples=(1, 2, 2), encoder_blocks=1),
    VocoderConfig(bins=8, width=64, rates=(4, 4, 2), kernels=(8, 8, 4)),
)
TINY_SEQUENCE = SequenceConfig(sample_rate_hz=2000, hop=32, window=128, bins=8, high_hz=1000.0)


def stored(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Inputs and outputs, and weights."""
    with np.load(FOLDER / f"{name}_tiny.npz", allow_pickle=False) as content:
        arrays = {key: torch.from_numpy(content[key].copy()) for key in content.files}
    weights = {key[2:]: value for key, value in arrays.items() if key.startswith("w:")}
    return {key: value for key, value in arrays.items() if not key.startswith("w:")}, weights


def published_keys() -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes by prefix and name."""
    content = json.loads((FOLDER / "checkpoint_keys.json").read_text())
    return {prefix: {name: tuple(shape) for name, shape in part.items()} for prefix, part in content.items()}


def conditioner() -> Conditioner:
    network = Conditioner(TINY.conditioner)
    network.load_state_dict(stored("conditioner")[1])
    return network.eval()


def velocity() -> VelocityNetwork:
    network = VelocityNetwork(TINY.velocity)
    network.load_state_dict(stored("flow")[1])
    return network.eval()


def autoencoder() -> Autoencoder:
    network = Autoencoder(TINY.autoencoder)
    network.load_state_dict(stored("autoencoder")[1])
    return network.eval()


def vocoder() -> BigVGAN:
    network = BigVGAN(TINY.vocoder)
    network.load_state_dict(fold_weight_norm(stored("vocoder")[1]))
    return network.eval()


def error(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, as a share of the std."""
    assert got.shape == wanted.shape, (got.shape, wanted.shape)
    return float((got - wanted).abs().max() / wanted.std())
