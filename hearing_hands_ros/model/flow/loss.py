"""The error that a velocity network is trained on."""

from __future__ import annotations

from torch import Tensor

from hearing_hands_ros.model.flow.path import LinearPath, Velocity
from hearing_hands_ros.model.flow.weighting import Weighting, uniform


def flow_matching_loss(
    velocity: Velocity,
    x0: Tensor,
    x1: Tensor,
    t: Tensor,
    weighting: Weighting = uniform,
    path: LinearPath | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Weighted squared error: mean over all of w(t) m |v(x_t, t) - (x1 - x0)|^2.

    Args:
        velocity: The network with its conditions.
        x0: (B, ...) noise; for reflow the noise that a teacher started from.
        x1: (B, ...) data; for reflow what the teacher arrived at.
        t: (B,) in 0..1.
        weighting: Of the times.
        path: Straight lines if not given.
        weight: m, broadcast over (B, ...); as long as it follows from the conditions of the network, and not from the
            data, the best velocity is the same with it. 1 if not given.

    Returns:
        A number, with gradients.
    """
    path = path or LinearPath()
    error = velocity(path.at(x0, x1, t), t) - path.target(x0, x1)
    squared = error.float().pow(2)
    per_item = (squared if weight is None else weight * squared).flatten(1).mean(dim=1)
    return (weighting(t).to(per_item.dtype) * per_item).mean()
