"""What a student learns from its teacher's way: y_0 is noise, y_S a sound, and S the number of equal parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from hearing_hands_ros.model.flow.loss import flow_matching_loss
from hearing_hands_ros.model.flow.path import Velocity

ENDS = 4.0  # how much more often times near 0 and 1 are drawn


def reflow_loss(velocity: Velocity, states: Sequence[Tensor], generator: Generator) -> Tensor:
    """Flow matching on the straight line from y_0 to y_S.

    Times have a density in proportion to cosh(4 (t - 1/2)): lines bend, and errors are, at the ends.

    Args:
        velocity: The student under the conditions that its teacher had.
        states: y_0 ... y_S, each (B, ...); what is between the ends does not count.
        generator: Draws the times.

    Returns:
        A number, with gradients.

    Source: Liu et al. 2023, section 2.2; the density of Lee et al. 2024, section 4.1.
    """
    first, last = states[0], states[-1]
    spread = torch.rand(len(first), generator=generator, device=generator.device).to(first.device) * 2.0 - 1.0
    times = 0.5 + torch.asinh(spread * math.sinh(0.5 * ENDS)) / ENDS
    return flow_matching_loss(velocity, first, last, times)


def distill_loss(velocity: Velocity, states: Sequence[Tensor]) -> Tensor:
    """Squared error of S Euler steps along the student's own way, each towards where the teacher was at its end.

    Mean over i of |v(x_i, i / S) - S (y_(i+1) - x_i)|^2, with x_0 = y_0 and x_(i+1) = x_i + v(x_i, i / S) / S taken as
    given: a step is learnt where the student will be, and makes up for the steps before.

    Args:
        velocity: The student under the conditions that its teacher had.
        states: y_0 ... y_S, each (B, ...).

    Returns:
        A number, with gradients.

    Source: Salimans and Ho 2022, their target without halving; points of the learner's own as Ross et al. 2011.
    """
    steps, x = len(states) - 1, states[0]
    total = x.new_zeros(())
    for number, arrived in enumerate(states[1:]):
        found = velocity(x, x.new_full((len(x),), number / steps))
        total = total + (found - steps * (arrived - x)).float().pow(2).mean()
        x = x + found.detach() / steps
    return total / steps
