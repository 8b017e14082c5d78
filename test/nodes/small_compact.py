"""A compact checkpoint of random weights, small enough for tests in real time."""

from __future__ import annotations

from dataclasses import asdict

import torch

from hearing_hands_ros.model.checkpoint import save_checkpoint
from hearing_hands_ros.model.compact.config import CompactConfig
from hearing_hands_ros.model.compact.network import CompactNetwork
from hearing_hands_ros.sequence import SequenceConfig

DIM = 8


def save_small_compact(folder, encoder, kind="compact"):
    """Write it; `encoder` is the spec of an image encoder of `DIM` numbers."""
    torch.manual_seed(0)
    config = CompactConfig(feature_dim=DIM, dim=32, depth=2, heads=2, reach=8)
    network = CompactNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    document = {
        "network": asdict(config),
        "sequence": asdict(SequenceConfig()),
        "training": "nothing: random weights",
        "licence": "Apache-2.0",
        "encoder": encoder,
        "sampling": {"steps": 2},
    }
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {"mel_mean": torch.linspace(-1.0, -4.0, 80), "mel_std": torch.full((80,), 0.2)}
    save_checkpoint(folder, kind, document, tensors)
    return folder
