"""From noise to data: solvers of dx/dt = v(x, t) on a grid of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from hearing_hands_ros.model.flow.path import Velocity

Method = Literal["euler", "midpoint", "heun"]
Step = Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]


def uniform_grid(steps: int) -> Tensor:
    """Times of `steps` equal steps.

    Returns:
        (steps + 1,) float32 from 0 to 1.

    Raises:
        ValueError: There is no step.
    """
    if steps < 1:
        raise ValueError(f"uniform_grid: steps wanted at least 1, got {steps}")
    return torch.linspace(0.0, 1.0, steps + 1)


def shifted_grid(steps: int, shift: float) -> Tensor:
    """Times t = u / (u + shift (1 - u)) of equal steps in u: for more than 1, short steps near the noise.

    The more numbers a sample has that tell of each other, the earlier on the path it is decided what it will be.

    Args:
        steps: How many.
        shift: 1 for equal steps.

    Returns:
        (steps + 1,) float32 from 0 to 1.

    Raises:
        ValueError: There is no step, or `shift` is not positive.

    Source: Esser et al. 2024 (Stable Diffusion 3), section 5.3.2, with time in the other direction.
    """
    if not shift > 0.0:
        raise ValueError(f"shifted_grid: shift wanted a positive number, got {shift}")
    u = uniform_grid(steps)
    return u / (u + shift * (1.0 - u))


def published_grid(points: int = 26) -> Tensor:
    """Times of the published sampler, which counts points and not steps: 26 points are 25 steps.

    Returns:
        (points,) float32 from 0 to 1.
    """
    return uniform_grid(points - 1)


def integrate(velocity: Velocity, x0: Tensor, grid: Tensor, method: Method = "euler") -> Tensor:
    """Follow the velocity from the first time of the grid to the last.

    Nothing waits for the device inside the loop.

    Args:
        velocity: v(x, t); gets every time as (B,).
        x0: (B, ...) at the first time.
        grid: (S + 1,) times, rising or falling.
        method: "euler" (order 1, one evaluation a step), "midpoint" or "heun" (order 2, two evaluations).

    Returns:
        (B, ...) at the last time.

    Raises:
        ValueError: The method is unknown, or the grid has fewer than two times or no direction.

    Source: Hairer, Norsett, Wanner 1993, section II.1.
    """
    if method not in _STEPS:
        raise ValueError(f"integrate: method wanted one of {', '.join(_STEPS)}, got {method!r}")
    if grid.ndim != 1 or len(grid) < 2:
        raise ValueError(f"integrate: grid wanted at least two times (S + 1,), got shape {tuple(grid.shape)}")
    widths = grid.diff()
    if not bool((widths > 0).all() | (widths < 0).all()):
        raise ValueError(f"integrate: grid wanted times that rise or fall throughout, got {grid.tolist()}")
    step = _STEPS[method]
    times, widths = grid.to(x0.device), widths.to(x0.device)
    x = x0
    for time, width in zip(times[:-1].unbind(), widths.unbind(), strict=True):
        x = step(velocity, x, time.expand(len(x)), width)
    return x


def _euler(velocity: Velocity, x: Tensor, t: Tensor, width: Tensor) -> Tensor:
    """Return x + h v(x, t)."""
    return x + width * velocity(x, t)


def _midpoint(velocity: Velocity, x: Tensor, t: Tensor, width: Tensor) -> Tensor:
    """Return x + h v(x + h/2 v(x, t), t + h/2)."""
    half = 0.5 * width
    return x + width * velocity(x + half * velocity(x, t), t + half)


def _heun(velocity: Velocity, x: Tensor, t: Tensor, width: Tensor) -> Tensor:
    """Return x + h/2 (v(x, t) + v(x + h v(x, t), t + h))."""
    first = velocity(x, t)
    return x + 0.5 * width * (first + velocity(x + width * first, t + width))


_STEPS: dict[str, Step] = {"euler": _euler, "midpoint": _midpoint, "heun": _heun}
