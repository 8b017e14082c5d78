"""Teaches the listener which material a touch sounds like, in noise of any level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hearing_hands_ros.compare.scoring.listener import FEATURES, MaterialListener, listener_features
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ
from hearing_hands_ros.train.anomalies.cases import in_noise
from hearing_hands_ros.train.anomalies.kinds import delayed, normal
from hearing_hands_ros.train.anomalies.takes import Take

SNR_DB: Final = (0.0, 35.0)
LAG_S: Final = 0.008
AGAIN: Final = 5  # times that each touch is heard, in other noise
WIDTHS: Final = (128, 64)
EPOCHS, BATCH = 15, 128
RATE, DECAY, SMOOTHING = 2e-3, 0.05, 0.05

Array = NDArray[np.float32]


def heard_in_noise(take: Take, rng: np.random.Generator) -> Iterator[Array]:
    """Features of a touch in noise of `AGAIN` levels, at a slightly wrong time."""
    for _ in range(AGAIN):
        noise_power = take.power * 10.0 ** (-rng.uniform(*SNR_DB) / 10.0)
        sound = delayed(normal(take), round(rng.normal(0.0, LAG_S) * RATE_HZ))
        samples = in_noise(sound, max(noise_power, 1.1 * take.room_power), rng).astype(np.float32)
        yield listener_features(samples, LEAD_S, take.contact.kind, take.until_s)


def teach(takes: Sequence[Take], seed: int = 0) -> tuple[MaterialListener, Mapping[str, Tensor]]:
    """Train a listener.

    Args:
        takes: Touches of training scenes; each material counts alike.
        seed: Of noise, weights and their order.

    Returns:
        The listener, and its tensors as a checkpoint has them.

    Raises:
        ValueError: They are of one material only.
    """
    materials = tuple(sorted({take.contact.material for take in takes}))
    if len(materials) < 2:
        raise ValueError(f"teach: wanted touches of two materials or more, got {materials}")
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(np.stack([row for take in takes for row in heard_in_noise(take, rng)]))
    labels = torch.tensor([materials.index(take.contact.material) for take in takes for _ in range(AGAIN)])
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout and first weights take torch's own state
        network = _trained(features, labels, len(materials), generator)
    tensors = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    layers = tuple((tensors[f"{i}.weight"].numpy(), tensors[f"{i}.bias"].numpy()) for i in (1, 4, 7))
    return MaterialListener(materials, layers), tensors


def _trained(features: Tensor, labels: Tensor, classes: int, generator: torch.Generator) -> nn.Sequential:
    network = nn.Sequential(
        nn.Dropout(0.1),
        nn.Linear(FEATURES, WIDTHS[0]),
        nn.GELU(),
        nn.Dropout(0.3),
        nn.Linear(*WIDTHS),
        nn.GELU(),
        nn.Dropout(0.3),
        nn.Linear(WIDTHS[1], classes),
    )
    share = 1.0 / torch.bincount(labels, minlength=classes).float()
    batches = -(-len(features) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(features), generator=generator), BATCH):
            loss = nn.functional.cross_entropy(
                network(features[rows]), labels[rows], share / share.mean(), label_smoothing=SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network.eval()
