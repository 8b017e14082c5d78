"""What a student learns from its teacher's pairs of noise and sound."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from hearing_hands_ros.model.flow.loss import flow_matching_loss
from hearing_hands_ros.model.flow.path import Velocity
from hearing_hands_ros.model.flow.solvers import integrate

ENDS = 4.0  # how much more often times near 0 and 1 are drawn


def reflow_loss(velocity: Velocity, noise: Tensor, sound: Tensor, generator: Generator) -> Tensor:
    """Flow matching on the straight line from noise to sound: the student's flow becomes straighter.

    Times have a density in proportion to cosh(4 (t - 1/2)): lines bend, and errors are, at the ends.

    Args:
        velocity: The student under the conditions that its teacher had.
        noise: (B, ...) that the teacher began with.
        sound: (B, ...) where it arrived.
        generator: Draws the times.

    Returns:
        A number, with gradients.

    Source: Liu et al. 2023, section 2.2; the density of Lee et al. 2024, section 4.1.
    """
    spread = torch.rand(len(noise), generator=generator, device=generator.device).to(noise.device) * 2.0 - 1.0
    times = 0.5 + torch.asinh(spread * math.sinh(0.5 * ENDS)) / ENDS
    return flow_matching_loss(velocity, noise, sound, times)


def distill_loss(velocity: Velocity, noise: Tensor, sound: Tensor, grid: Tensor) -> Tensor:
    """Squared error of where the student's own Euler steps end.

    Gradients go through all steps, so each is learnt where the student will be, and none is bound to a state that the
    teacher went through.

    Args:
        velocity: The student under the conditions that its teacher had.
        noise: (B, ...) that the teacher began with.
        sound: (B, ...) where it arrived.
        grid: (S + 1,) times of the student's steps.

    Returns:
        A number, with gradients.
    """
    return (integrate(velocity, noise, grid) - sound).square().mean()
