"""The flesh about 21 keypoints, as balls: how deep its skin is along a ray."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.scene.hand_shape import PALM, PALM_HALF_THICKNESS_M, bones, radii_m

Array = NDArray[np.float64]

STEPS = 5  # balls from one end of a bone to the other, and along the sides of a triangle of the palm


@cache
def _balls() -> tuple[Array, Array]:
    """(B, 21) weights of the keypoints in the centre of each ball, and (B,) its radius, m."""
    weights, radii = [], []
    share = np.linspace(0.0, 1.0, STEPS)
    of_keypoint = radii_m()
    for one, other in bones():
        if one:  # the palm is a slab
            for s in share:
                weights.append((1 - s) * np.eye(KEYPOINTS)[one] + s * np.eye(KEYPOINTS)[other])
                radii.append((1 - s) * of_keypoint[one] + s * of_keypoint[other])
    for corners in PALM:
        for i in range(STEPS + 1):
            for j in range(STEPS + 1 - i):
                u, v = i / STEPS, j / STEPS
                weights.append(np.array([1 - u - v, u, v]) @ np.eye(KEYPOINTS)[list(corners)])
                radii.append(PALM_HALF_THICKNESS_M)
    return np.array(weights), np.array(radii)


def surface_depth(keypoints: Array, rays: Array, otherwise: Array) -> Array:
    """Depth at which rays from the camera meet the skin.

    Args:
        keypoints: (21, 3) in the camera's frame, m.
        rays: (M, 2) x and y over z.
        otherwise: (M,) depth where a ray misses the hand.

    Returns:
        (M,) along the camera's axis, m.
    """
    weights, radii = _balls()
    centres = weights @ keypoints
    directions = np.column_stack([rays, np.ones(len(rays))])
    length = np.linalg.norm(directions, axis=1)
    along = (directions / length[:, None]) @ centres.T
    inside = radii**2 - ((centres**2).sum(axis=1) - along**2)
    meets = np.where(inside > 0.0, along - np.sqrt(np.maximum(inside, 0.0)), np.inf).min(axis=1) / length
    return np.where(np.isfinite(meets), meets, otherwise)
