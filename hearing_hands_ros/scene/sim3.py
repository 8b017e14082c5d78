"""Similarities: rotation, translation and one scale; what lies between splat units and metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz

Array = NDArray[np.float64]

LEAST_SPREAD = 1e-3  # second axis of the points over their first; thinner sets are lines, and lines fix no rotation


@dataclass(frozen=True)
class Sim3:
    """`target = scale * R @ source + translation`.

    Attributes:
        scale: Units of the target in one unit of the source; positive.
        rotation_wxyz: (4,) unit quaternion of R.
        translation: (3,) in units of the target.

    Raises:
        ValueError: The scale is not positive, the quaternion not of length 1, or something is not finite.
    """

    scale: float
    rotation_wxyz: Array
    translation: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", float(self.scale))
        object.__setattr__(self, "rotation_wxyz", np.asarray(self.rotation_wxyz, np.float64))
        object.__setattr__(self, "translation", np.asarray(self.translation, np.float64))
        if self.rotation_wxyz.shape != (4,) or self.translation.shape != (3,):
            got = f"{self.rotation_wxyz.shape} and {self.translation.shape}"
            raise ValueError(f"Sim3: wanted rotation_wxyz (4,) and translation (3,), got {got}")
        if not (np.isfinite(self.scale) and self.scale > 0.0):
            raise ValueError(f"Sim3: wanted a positive scale, got {self.scale}")
        if not abs(float(np.linalg.norm(self.rotation_wxyz)) - 1.0) < 1e-3 or not np.isfinite(self.translation).all():
            raise ValueError(f"Sim3: wanted a unit quaternion and a finite translation, got {self}")

    @classmethod
    def identity(cls) -> Sim3:
        """The similarity that changes nothing."""
        return cls(1.0, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Sim3:
        """From a (4, 4) matrix `[[scale * R, translation], [0, 0, 0, 1]]`.

        Raises:
            ValueError: Its upper left is no scaled rotation: sheared, mirrored, of no volume.
        """
        m = np.asarray(matrix, np.float64)
        if m.shape != (4, 4) or not np.isfinite(m).all() or not np.allclose(m[3], [0.0, 0.0, 0.0, 1.0], atol=1e-6):
            raise ValueError(f"Sim3: wanted a finite (4, 4) matrix with last row 0 0 0 1, got {m.tolist()}")
        volume = float(np.linalg.det(m[:3, :3]))
        if volume <= 0.0:
            raise ValueError(f"Sim3: wanted a rotation and positive scale, got a matrix of determinant {volume:g}")
        scale = float(np.cbrt(volume))
        rotation = m[:3, :3] / scale
        off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        if off > 1e-3:
            raise ValueError(f"Sim3: wanted a rotation times one scale, got a matrix that shears by {off:.3g}")
        return cls(scale, to_wxyz(Rotation.from_matrix(rotation)), m[:3, 3])

    @property
    def rotation(self) -> Rotation:
        """R as a scipy rotation."""
        return from_wxyz(self.rotation_wxyz)

    @property
    def matrix(self) -> Array:
        """(4, 4)."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.scale * self.rotation.as_matrix()
        matrix[:3, 3] = self.translation
        return matrix

    def apply(self, points: ArrayLike) -> Array:
        """Map (..., 3) points of the source into the target."""
        points = np.asarray(points, np.float64)
        return np.asarray(self.scale * points @ self.rotation.as_matrix().T + self.translation)

    def inverse(self) -> Sim3:
        """From the target back to the source."""
        back = self.rotation.inv()
        return Sim3(1.0 / self.scale, to_wxyz(back), -back.apply(self.translation) / self.scale)

    def __matmul__(self, other: Sim3) -> Sim3:
        """`(a @ b).apply(p) == a.apply(b.apply(p))`."""
        rotation = to_wxyz(self.rotation * other.rotation)
        return Sim3(self.scale * other.scale, rotation, self.apply(other.translation))


def umeyama(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None, with_scale: bool = True) -> Sim3:
    """Least-squares similarity between point pairs.

    Args:
        source: (N, 3), N at least 3, not all on one line.
        target: (N, 3).
        weights: (N,) zero or more; equal if None.
        with_scale: False fixes the scale at 1.

    Returns:
        The similarity that takes source to target with the least weighted squared error.

    Raises:
        ValueError: Too few points, points on one line, or numbers that are not finite.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns".
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if x.ndim != 2 or x.shape[1] != 3 or x.shape != y.shape or len(x) < 3:
        raise ValueError(f"umeyama: wanted two sets of (N, 3) points with N at least 3, got {x.shape} and {y.shape}")
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (len(x),) or not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(w).all()):
        raise ValueError(f"umeyama: wanted finite points and ({len(x)},) finite weights, got others")
    if (w < 0.0).any() or np.count_nonzero(w) < 3:
        raise ValueError(f"umeyama: wanted at least 3 positive weights and none negative, got {w.tolist()}")
    w = w / w.sum()
    x_mean, y_mean = w @ x, w @ y
    x, y = x - x_mean, y - y_mean
    for name, points in (("source", x), ("target", y)):
        spread = np.linalg.svd(points * np.sqrt(w)[:, None], compute_uv=False)
        if spread[1] <= LEAST_SPREAD * spread[0]:
            raise ValueError(f"umeyama: wanted points that span a plane or more, got {name} points on one line")
    u, singular, vt = np.linalg.svd((y * w[:, None]).T @ x)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float(singular @ sign / (w @ (x**2).sum(axis=1))) if with_scale else 1.0
    quaternion = to_wxyz(Rotation.from_matrix(rotation))
    return Sim3(scale, quaternion, y_mean - scale * rotation @ x_mean)
