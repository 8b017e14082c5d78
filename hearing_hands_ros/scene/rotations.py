"""Quaternions as (w, x, y, z), also with the SciPy of Ubuntu 24.04, which knows them the other way round only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation


def from_wxyz(quaternions: ArrayLike) -> Rotation:
    """Rotations of (..., 4) quaternions (w, x, y, z)."""
    return Rotation.from_quat(np.roll(np.asarray(quaternions, np.float64), -1, axis=-1))


def to_wxyz(rotation: Rotation) -> NDArray[np.float64]:
    """(..., 4) quaternions (w, x, y, z) of rotations."""
    return np.roll(rotation.as_quat(), 1, axis=-1)
