"""How much each time counts in training; every weighting has mean 1 over uniform times, so losses compare."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Weighting = Callable[[Tensor], Tensor]
"""Times (B,) in 0..1 to weights (B,)."""


def uniform(t: Tensor) -> Tensor:
    """Weight 1 at every time.

    Args:
        t: (B,) in 0..1.

    Returns:
        (B,).
    """
    return torch.ones_like(t)


def logit_normal(t: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Density of sigmoid(n), n normal: the middle of the way counts most, its ends nothing.

    w(t) = exp(-(logit(t) - mean)^2 / (2 std^2)) / (std sqrt(2 pi) t (1 - t)), a density: its mean over 0..1 is 1.

    Args:
        t: (B,) in 0..1.
        mean: Of n; over 0 for times near the data.
        std: Of n.

    Returns:
        (B,), 0 at t = 0 and t = 1.

    Raises:
        ValueError: `std` is not positive.

    Source: Esser et al. 2024, section 3.1.
    """
    if not std > 0:
        raise ValueError(f"logit_normal: std wanted a positive number, got {std}")
    inside = (t > 0) & (t < 1)
    middle = torch.where(inside, t, torch.full_like(t, 0.5))
    distance = (torch.logit(middle) - mean) / std
    density = torch.exp(-0.5 * distance**2) / (std * math.sqrt(2.0 * math.pi) * middle * (1.0 - middle))
    return torch.where(inside, density, torch.zeros_like(t))
