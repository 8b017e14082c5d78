"""From pixels to the directions they look in, for every lens that CameraInfo knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.registration.localize import Lens

Array = NDArray[np.float64]

ROUNDS = 20  # of the fixed-point iterations, as many as OpenCV makes at most


def rays_of(lens: Lens, pixels: Array) -> Array:
    """Where the rays of pixels pass the plane one metre in front of the camera.

    Args:
        lens: Of the camera.
        pixels: (M, 2); the middle of the first pixel is at 0.5.

    Returns:
        (M, 2) x and y over z.
    """
    bent = (np.asarray(pixels, np.float64) - [lens.cx, lens.cy]) / [lens.fx, lens.fy]
    if not lens.model:
        return bent
    if lens.model == "equidistant":
        return _from_fisheye(bent, lens.distortion)
    return _from_brown(bent, lens.distortion)


def _from_brown(bent: Array, distortion: tuple[float, ...]) -> Array:
    """Undo plumb_bob (k1 k2 p1 p2 k3) or rational_polynomial (and k4 k5 k6 below the fraction)."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*distortion, 0.0, 0.0, 0.0)[:8]
    straight = bent
    for _ in range(ROUNDS):
        x, y = straight.T
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        shift = np.stack([2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], axis=1)
        straight = (bent - shift) / radial[:, None]
    return straight


def _from_fisheye(bent: Array, distortion: tuple[float, ...]) -> Array:
    """Undo equidistant: the angle to the axis became a polynomial of itself."""
    k1, k2, k3, k4 = distortion
    length = np.linalg.norm(bent, axis=1)
    angle = length
    for _ in range(ROUNDS):
        a2 = angle * angle
        angle = length / (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
    return bent * (np.tan(angle) / np.maximum(length, 1e-12))[:, None]
