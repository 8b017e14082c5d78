"""First Gaussians: one on each 3D point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hearing_hands_ros.scene.splats import SplatScene

NEIGHBOURS = 3


def splats_from_points(
    points: NDArray[np.float64], rgb: NDArray[np.uint8], opacity: float, size: float = 1.0, source: str = ""
) -> SplatScene:
    """Round Gaussians as large as the points are apart.

    Args:
        points: (N, 3), N at least 4.
        rgb: (N, 3) in 0..255.
        opacity: Of each, 0..1.
        size: Standard deviation in root mean square distances to the 3 nearest points.
        source: Name, for messages.

    Raises:
        ValueError: There are fewer than 4 points.

    Source: Kerbl et al. 2023, section 5 (initialisation).
    """
    if len(points) <= NEIGHBOURS:
        raise ValueError(f"splats_from_points: wanted at least {NEIGHBOURS + 1} points, got {len(points)}")
    apart, _ = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    sigma = size * np.sqrt((apart[:, 1:] ** 2).mean(axis=1))
    # Far-off points would be huge, doubled ones of no size.
    low, high = np.quantile(sigma, (0.02, 0.98))
    sigma = np.clip(sigma, max(low, 1e-9), max(high, 1e-9))
    count = len(points)
    return SplatScene.from_rgb(
        means=points.astype(np.float32),
        scales=np.repeat(sigma[:, None], 3, axis=1).astype(np.float32),
        quats_wxyz=np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (count, 1)),
        opacities=np.full(count, opacity, np.float32),
        rgb=(rgb / 255.0).astype(np.float32),
        source=source,
    )
