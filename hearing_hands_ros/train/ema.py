"""The running mean of a network's weights, which sounds better than the weights of the last step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """Exponential moving average.

    mean <- mean + (1 - d) (weights - mean), with d = min(decay, (1 + n) / (10 + n)) at update n, so that the first
    weights, which are random, are soon forgotten.

    Args:
        network: Whose weights are averaged; its buffers are copied.
        decay: 0 to 1.

    Attributes:
        network: A copy with the mean weights, in evaluation mode.
        updates: So far.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        means: list[Tensor] = list(self.network.parameters())
        weights = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(means, weights, 1.0 - decay)
        for mean, value in zip(self.network.buffers(), network.buffers(), strict=True):
            mean.copy_(value)
        self.updates += 1
