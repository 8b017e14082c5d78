"""AdamW, and its rate as a function of the step alone."""

from __future__ import annotations

import math

import torch
from torch import nn

from hearing_hands_ros.train.config import OptimizerConfig


def make_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW of all parameters; matrices decay, vectors (biases, gains) do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    matrices, vectors = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    kept = [group for group in groups if group["params"]]
    return torch.optim.AdamW(kept, lr=config.learning_rate, betas=config.betas, fused=True)


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """Rate of a step.

    Args:
        step: From 0.
        steps: In all.
        config: Warm-up and what follows it.

    Returns:
        A rate above 0: `learning_rate` times (step + 1) / warmup_steps in the warm-up; then the same rate, or
        final_share + (1 - final_share) (1 + cos(pi u)) / 2 of it with u from 0 to 1.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    share = min(1.0, (step - config.warmup_steps) / max(1, steps - 1 - config.warmup_steps))
    kept = config.final_share + (1.0 - config.final_share) * 0.5 * (1.0 + math.cos(math.pi * share))
    return config.learning_rate * kept
