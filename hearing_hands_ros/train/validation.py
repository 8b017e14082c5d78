"""How good the mean weights are on items that they were not trained on."""

from __future__ import annotations

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from hearing_hands_ros.train.config import RunConfig
from hearing_hands_ros.train.sampler import Pick, generator_of, seed_of
from hearing_hands_ros.train.task import Batches, Sample, Task

FIGURES, SAMPLES = 1 << 40, 1 << 41  # in place of a step's number, in seeds


@torch.no_grad()
def measured(task: Task, network: nn.Module, val: Batches, run: RunConfig, fabric: Fabric) -> dict[str, float]:
    """Means over at most `run.validation_batches`: the same items and the same noise each time.

    Args:
        task: Measures a batch.
        network: In evaluation mode.
        val: At least one item.
        run: Sizes and seed.
        fabric: Device and precision.
    """
    size = max(1, run.batch // fabric.world_size)
    count = min(len(val), size * run.validation_batches)
    sums: dict[str, float] = {}
    for first in range(0, count, size):
        items = np.arange(first, min(first + size, count))
        key = (run.seed, FIGURES, first)
        batch = fabric.to_device(val[Pick(items, seed_of(*key))])
        with fabric.autocast():
            means = task.validate(network, batch, generator_of(*key, device=fabric.device))
        for name, value in means.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(items)
    return {name: value / count for name, value in sums.items()}


@torch.no_grad()
def heard(task: Task, network: nn.Module, run: RunConfig, fabric: Fabric) -> list[Sample]:
    """Sounds of `run.samples` items, from the same noise each time."""
    if not run.samples:
        return []
    return task.samples(network, run.samples, generator_of(run.seed, SAMPLES, device=fabric.device))
