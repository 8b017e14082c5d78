"""The surface of a scene in small pieces, so that what is known of a piece can be looked up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

Array = NDArray[np.float64]

CANDIDATES = 6  # cells that are asked whether they face the same way
FACING = 0.5  # cosine between a point's normal and its cell's, at least
REACH = 1.5  # a cell answers for points up to this many cell sizes away


@dataclass(eq=False)
class SurfaceCells:
    """C pieces of surface; two sides of a thin board are two pieces.

    Attributes:
        cell_m: Their size.
        points_m: (C, 3) a point of the surface in each.
        normals: (C, 3) outward there.

    Raises:
        ValueError: There are none, or the shapes do not agree.
    """

    cell_m: float
    points_m: Array
    normals: Array
    _tree: cKDTree = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.points_m.ndim != 2 or self.points_m.shape != self.normals.shape or not len(self.points_m):
            got = f"{self.points_m.shape} and {self.normals.shape}"
            raise ValueError(f"SurfaceCells: wanted (C, 3) points and normals of one or more cells, got {got}")
        self._tree = cKDTree(self.points_m)

    def __len__(self) -> int:
        return len(self.points_m)

    @classmethod
    def of(cls, bundle: SceneBundle, surface: SplatSurface, cell_m: float, opacity: float = 0.3) -> SurfaceCells:
        """Divide the surface of a scene.

        Args:
            bundle: The scene.
            surface: Of that scene.
            cell_m: Size of a piece, m.
            opacity: Gaussians under this are haze.

        Raises:
            ValueError: `cell_m` is not positive, or the scene has no surface.
        """
        if not cell_m > 0.0:
            raise ValueError(f"SurfaceCells: cell_m wanted a positive size in metres, got {cell_m}")
        means = bundle.means_m[bundle.splats.opacities >= opacity]
        answer = surface.query(means)
        found = np.flatnonzero(np.isfinite(answer.distance_m))
        points, normals = answer.point_m[found], answer.normal[found]
        side = np.argmax(np.abs(normals), axis=1)
        facing = 2 * side + (normals[np.arange(len(normals)), side] < 0)
        key = np.column_stack([np.floor(points / cell_m).astype(np.int64), facing])
        _, cell, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
        middle = np.stack([np.bincount(cell, points[:, axis]) for axis in range(3)], axis=1) / count[:, None]
        # The point nearest to the middle: the middle itself may lie off a bent surface.
        off = ((points - middle[cell]) ** 2).sum(axis=1)
        first = np.lexsort((off, cell))
        chosen = first[np.searchsorted(cell[first], np.arange(len(count)))]
        return cls(cell_m, points[chosen], normals[chosen])

    def find(self, points_m: ArrayLike, normals: ArrayLike) -> NDArray[np.int64]:
        """(M,) cell of each point of the surface, -1 where none is near that faces the same way.

        Args:
            points_m: (M, 3); what is not finite has no cell.
            normals: (M, 3) outward there.
        """
        points, normals = np.asarray(points_m, np.float64), np.asarray(normals, np.float64)
        known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
        count = min(CANDIDATES, len(self))
        asked = np.where(known[:, None], points, 0.0)
        distance, cell = (
            np.reshape(answer, (len(points), count))
            for answer in self._tree.query(asked, k=count, distance_upper_bound=REACH * self.cell_m)
        )
        there = cell < len(self)  # the tree's answer for none is one past the last
        facing = np.einsum("mkc,mc->mk", self.normals[np.where(there, cell, 0)], normals)
        distance = np.where(there & (facing >= FACING), distance, np.inf)
        best = np.argmin(distance, axis=1)
        rows = np.arange(len(points))
        return np.where(known & np.isfinite(distance[rows, best]), cell[rows, best], -1)
