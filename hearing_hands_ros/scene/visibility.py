"""Which way out is: a surface was seen from its outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BIN_RAD = np.deg2rad(0.4)
SLACK_M = 0.004  # this far behind the nearest Gaussian of its bin, one still counts as seen


def seen_from(means: Array, viewpoint: Array) -> NDArray[np.bool_]:
    """Which Gaussians nothing hides: those nearest to the viewpoint in their bin of direction.

    Args:
        means: (N, 3) in metres.
        viewpoint: (3,) in metres.

    Returns:
        (N,) true where seen.
    """
    ray = means - viewpoint
    distance = np.linalg.norm(ray, axis=1)
    height = np.arcsin(np.clip(ray[:, 2] / np.maximum(distance, 1e-9), -1.0, 1.0))
    row = np.floor((height + np.pi / 2) / BIN_RAD).astype(np.int64)
    around = np.arctan2(ray[:, 1], ray[:, 0]) * np.cos(height)  # bins of one size, near the pole as well
    column = np.floor((around + np.pi) / BIN_RAD).astype(np.int64)
    width = int(2 * np.pi / BIN_RAD) + 2
    _, cell = np.unique(row * width + column, return_inverse=True)
    nearest = np.full(int(cell.max()) + 1, np.inf)
    np.minimum.at(nearest, cell, distance)
    return np.asarray(distance <= nearest[cell] + SLACK_M)


def outward(means: Array, axes: Array, viewpoints: Array, up: Array) -> Array:
    """Turn normals to the outside.

    Every viewpoint that sees a Gaussian votes with the solid angle under which it does, so near and frontal ones
    decide, not the many far ones that look along the surface and may not really see it. A Gaussian that none sees is
    turned to the nearest viewpoint; without viewpoints all are turned up.

    Args:
        means: (N, 3) in metres.
        axes: (N, 3) unit normals of either sign.
        viewpoints: (V, 3) in metres.
        up: (3,) unit vector.

    Returns:
        (N, 3) the same normals, turned.
    """
    if not len(viewpoints):
        return axes * np.where(axes @ up < 0.0, -1.0, 1.0)[:, None]
    votes = np.zeros(len(means))
    nearest = np.full(len(means), np.inf)
    fallback = np.zeros(len(means))
    for viewpoint in viewpoints:
        to_view = viewpoint - means
        distance = np.linalg.norm(to_view, axis=1)
        cosine = np.einsum("ni,ni->n", to_view, axes) / np.maximum(distance, 1e-9)
        votes += np.where(seen_from(means, viewpoint), cosine / np.maximum(distance, 1e-9) ** 2, 0.0)
        closer = distance < nearest
        nearest[closer], fallback[closer] = distance[closer], cosine[closer]
    decided = np.where(votes != 0.0, votes, fallback)
    return axes * np.where(decided < 0.0, -1.0, 1.0)[:, None]
