"""Guided sampling as it was published: Euler steps from noise to a latent."""

from __future__ import annotations

import torch
from torch import Tensor

from hearing_hands_ros.model.flow.guidance import Guided
from hearing_hands_ros.model.flow.solvers import Method, integrate, uniform_grid
from hearing_hands_ros.model.published.velocity import VelocityNetwork, published_step

STEPS = 25
GUIDANCE = 4.5


def sample(
    network: VelocityNetwork,
    x0: Tensor,
    context: Tensor,
    null_context: Tensor,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    method: Method = "euler",
) -> Tensor:
    """Flow noise to a latent.

    The contexts go through their part of the network once; conditioned and null velocity come from one call.

    Args:
        network: The velocity.
        x0: (B, 20, T) Gaussian noise.
        context: (B, T, 768).
        null_context: (1, T, 768) or (B, T, 768).
        steps: Of equal width; the published `--timesteps 26` counts the points between.
        guidance: v = v_null + guidance (v_context - v_null).
        method: Of the solver.

    Returns:
        (B, 20, T), scaled as the network knows it.
    """
    embedded = network.embed_context(context)
    null = network.embed_context(null_context).expand_as(embedded)
    both = torch.cat([null, embedded])
    guided = Guided(
        velocity=lambda x, t: network.velocity(x, published_step(t), both),
        scale=guidance,
        alone=lambda x, t: network.velocity(x, published_step(t), embedded),
    )
    return integrate(guided, x0, uniform_grid(steps), method)
