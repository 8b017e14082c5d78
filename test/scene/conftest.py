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
