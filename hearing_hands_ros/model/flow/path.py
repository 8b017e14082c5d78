"""Where a sample is on its way from noise to data, and where it is heading."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(x (B, ...), t (B,)) to velocity (B, ...)."""


class LinearPath:
    """Straight lines: x_t = t x1 + (1 - t) x0, with velocity x1 - x0.

    x0 is Gaussian noise and x1 data, so time runs from noise (0) to data (1).

    >>> LinearPath().at(torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.25]))
    tensor([[0.2500, 0.2500]])

    Source: Liu et al. 2023 (rectified flow); Lipman et al. 2023 with sigma_min = 0.
    """

    def at(self, x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
        """Return x_t.

        Args:
            x0: (B, ...) noise.
            x1: (B, ...) data.
            t: (B,) in 0..1.

        Returns:
            (B, ...).

        Raises:
            ValueError: The shapes do not belong together.
        """
        if x0.shape != x1.shape or t.shape != x1.shape[:1]:
            raise ValueError(
                f"LinearPath: wanted x0 and x1 (B, ...) and t (B,), got {tuple(x0.shape)}, {tuple(x1.shape)} and "
                f"{tuple(t.shape)}"
            )
        return torch.lerp(x0, x1, t.to(x1.dtype).reshape(-1, *[1] * (x1.ndim - 1)))

    def target(self, x0: Tensor, x1: Tensor) -> Tensor:
        """Return dx_t/dt, (B, ...): the same at every time."""
        return x1 - x0
