from __future__ import annotations

import numpy as np
import pytest
from made_scenes import grid, splats

from hearing_hands_ros.scene.splats import SplatScene


@pytest.fixture
def plane() -> SplatScene:
    """A plate of 0.4 m by 0.4 m at z = 0, seen from above only."""
    xy = grid((-0.2, -0.2), (0.2, 0.2), 0.005)
    points = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    return splats(points, np.broadcast_to([0.0, 0.0, 1.0], points.shape), 0.005)


@pytest.fixture
def scene() -> SplatScene:
    """500 Gaussians of every shape, one degree of harmonics."""
    rng = np.random.default_rng(1)
    n = 500
    quats = rng.normal(size=(n, 4))
    quats *= np.sign(quats[:, :1]) / np.linalg.norm(quats, axis=1, keepdims=True)
    return SplatScene(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        scales=np.exp(rng.uniform(-7, -2, (n, 3))).astype(np.float32),
        quats_wxyz=quats.astype(np.float32),
        opacities=rng.uniform(0.05, 0.95, n).astype(np.float32),
        sh=rng.uniform(-0.9, 0.9, (n, 4, 3)).astype(np.float32),
    )
