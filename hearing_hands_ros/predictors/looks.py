"""What a generator must be told of a scene."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.predictors.protocol import HandMotion

Array = NDArray[np.float32]


class Looks(Protocol):
    """What a scene and its touched places look like; see `vision.scene_looks.SceneLooks`."""

    @property
    def scene(self) -> Array:
        """(D,) image features of the scene."""

    def looks(self, motion: HandMotion) -> Array:
        """(C, D) image features of the place of each contact."""
