"""Classifier-free guidance: away from what would happen under no condition."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hearing_hands_ros.model.flow.path import Velocity


@dataclass(frozen=True)
class Guided:
    """v = v_null + scale (v_condition - v_null), both from one call of the network; itself a velocity.

    Attributes:
        velocity: Takes twice the batch: B items under no condition, then the same B under theirs. Its owner joins the
            conditions once, before the loop.
        scale: 1 is the plain conditional velocity; over 1 exaggerates the condition.
        interval: Times from and to which there is guidance, both included; outside of them scale is 1.
        alone: B items under their conditions. If given, it saves the null condition where it does not count: on the CPU
            outside of the interval. (On other devices choosing would have to wait for the time to arrive.)

    Raises:
        ValueError: The scale is not finite, or the interval is not within 0..1.

    Source: Ho and Salimans 2022; the interval of Kynkäänniemi et al. 2024.
    """

    velocity: Velocity
    scale: float
    interval: tuple[float, float] = (0.0, 1.0)
    alone: Velocity | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise ValueError(f"Guided: scale wanted a finite number, got {self.scale}")
        if not 0.0 <= self.interval[0] <= self.interval[1] <= 1.0:
            raise ValueError(f"Guided: interval wanted 0 <= from <= to <= 1, got {self.interval}")

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the guided velocity (B, ...) of x (B, ...) at t (B,)."""
        inside = (t >= self.interval[0]) & (t <= self.interval[1])
        if self.alone is not None and (self.scale == 1.0 or (x.device.type == "cpu" and not inside.any())):
            return self.alone(x, t)
        null, conditioned = self.velocity(torch.cat([x, x]), torch.cat([t, t])).chunk(2)
        scale = torch.where(inside, self.scale, 1.0).to(null.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return torch.lerp(null, conditioned, scale)
