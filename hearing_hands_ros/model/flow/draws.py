"""Everything random in training and sampling; the generator is always the caller's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_noise(shape: Sequence[int], generator: torch.Generator, device: torch.device | str | None = None) -> Tensor:
    """Gaussian noise, the same on every device for the same generator.

    Args:
        shape: Of the result.
        generator: Draws, on its own device.
        device: Of the result; by default the generator's.

    Returns:
        `shape`, float32.
    """
    noise = torch.randn(tuple(shape), generator=generator, device=generator.device)
    return noise.to(device or generator.device, non_blocking=True)


def draw_times(
    count: int, generator: torch.Generator, device: torch.device | str | None = None, steps: int | None = None
) -> Tensor:
    """Uniform times.

    Args:
        count: B.
        generator: Draws, on its own device.
        device: Of the result; by default the generator's.
        steps: If given, only whole multiples of 1 / steps come, as in the published training (1000).

    Returns:
        (B,) float32 in [0, 1).
    """
    times = torch.rand(count, generator=generator, device=generator.device)
    if steps is not None:
        times = torch.floor(times * steps) / steps
    return times.to(device or generator.device, non_blocking=True)
