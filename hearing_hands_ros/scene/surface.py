"""Signed distance to the surface that the splats themselves make; no mesh, no training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.bundle import NO_MATERIAL, SceneBundle
from hearing_hands_ros.scene.surface_kernel import meet
from hearing_hands_ros.scene.visibility import outward

Array = NDArray[np.float64]
CHUNK = 4096  # points at a time: their neighbours fit in the cache


@dataclass(frozen=True)
class SurfaceSettings:
    """How the surface is read from the splats.

    Attributes:
        opacity: Gaussians under this are haze, not surface.
        neighbours: How many Gaussians answer for a point.
        cutoff_m: Farther points are at infinity.
        deepest_m: Points farther under a surface than this are at infinity too: under the table, not in it.
        blend_m: Gaussians whose patch is this much farther than the nearest one count little.
        gap_m: A point without a patch under it, but with Gaussians all around it, is over a gap; gaps up to this
            distance from the nearest patch are bridged.
    """

    opacity: float = 0.3
    neighbours: int = 10
    cutoff_m: float = 0.10
    deepest_m: float = 0.03
    blend_m: float = 0.002
    gap_m: float = 0.015


@dataclass(frozen=True)
class SurfaceQuery:
    """The surface as M points see it.

    Attributes:
        distance_m: (M,) signed, positive outside, infinite for points that are far from all surfaces.
        normal: (M, 3) outward unit normal of the surface there; zero for far points.
        point_m: (M, 3) nearest point of the surface; NaN for far points.
        material: (M,) index of the most frequent label there, -1 for none.
        material_share: (M,) its share of the neighbourhood, 0..1.
    """

    distance_m: Array
    normal: Array
    point_m: Array
    material: NDArray[np.int64]
    material_share: Array


class SplatSurface:
    """Surface of a scene, in metres in the scene's frame.

    Every opaque Gaussian is a small flat patch: its two long axes span it, its shortest one is its normal, turned to
    where the cameras were. The nearest patch of a point says which face the point belongs to; the distance is the
    averaged height over the planes of that patch and of its neighbours that face the same way. Beside the last patch of
    a face (the edge of a table) the way back to it is part of the distance, and such a point is never inside.

    Args:
        bundle: The scene.
        settings: Thresholds.

    Raises:
        ValueError: No Gaussian is opaque enough.
    """

    def __init__(self, bundle: SceneBundle, settings: SurfaceSettings | None = None) -> None:
        self.settings = settings or SurfaceSettings()
        opaque = bundle.splats.opacities >= self.settings.opacity
        if not opaque.any():
            raise ValueError(
                f"SplatSurface({bundle.name!r}): wanted Gaussians with opacity of {self.settings.opacity} or more, "
                f"got none (highest {float(bundle.splats.opacities.max()):.3f})"
            )
        means = bundle.means_m[opaque]
        scales = bundle.splats.scales[opaque].astype(np.float64) * bundle.scale
        axes = Rotation.from_quat(bundle.splats.quats_wxyz[opaque][:, [1, 2, 3, 0]]).as_matrix()
        order = np.argsort(scales, axis=1)
        rows = np.arange(len(means))
        sigma = np.take_along_axis(scales, order, axis=1)
        normals = outward(means, axes[rows, :, order[:, 0]], bundle.eyes_m, bundle.up)
        # One row a Gaussian, so that a neighbour is one gather: centre, normal, two axes, two extents, weight.
        flatness = np.clip(1.0 - sigma[:, 0] / sigma[:, 1], 0.05, 1.0)
        self._table = np.concatenate(
            [
                means,
                normals,
                axes[rows, :, order[:, 1]],
                axes[rows, :, order[:, 2]],
                sigma[:, 1:],
                (bundle.splats.opacities[opaque] * flatness)[:, None],
            ],
            axis=1,
        ).astype(np.float32)
        self._tree = cKDTree(means, leafsize=12)
        self._origin = means.mean(axis=0)
        self._table[:, :3] = means - self._origin  # float32 is exact enough near zero
        labels = bundle.labels[opaque].astype(np.int64)
        self._materials = len(bundle.material_names)
        self._labels = np.where(labels == NO_MATERIAL, self._materials, labels)
        self.query(means[:1])  # compiles: not while the first touch is waited for

    def query(self, points_m: NDArray[np.floating]) -> SurfaceQuery:
        """Distance, normal, nearest point and material.

        Args:
            points_m: (M, 3) in the scene's frame. Points that are not finite are answered as far.

        Raises:
            ValueError: `points_m` is not (M, 3).
        """
        points = np.asarray(points_m, np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"SplatSurface.query: points_m wanted shape (M, 3), got {points.shape}")
        count = len(points)
        result = SurfaceQuery(
            distance_m=np.full(count, np.inf),
            normal=np.zeros((count, 3)),
            point_m=np.full((count, 3), np.nan),
            material=np.full(count, -1, np.int64),
            material_share=np.zeros(count),
        )
        usable = np.flatnonzero(np.isfinite(points).all(axis=1))
        for start in range(0, len(usable), CHUNK):
            self._query(points, usable[start : start + CHUNK], result)
        return result

    def _query(self, points: Array, which: NDArray[np.int64], out: SurfaceQuery) -> None:
        s, asked = self.settings, points[which]
        _, found = self._tree.query(asked, k=range(1, s.neighbours + 1), distance_upper_bound=s.cutoff_m)
        meet(
            asked - self._origin,
            found,
            self._table,
            self._labels,
            self._materials,
            (s.cutoff_m, s.deepest_m, s.blend_m, s.gap_m),
            which,
            out.distance_m,
            out.normal,
            out.point_m,
            out.material,
            out.material_share,
        )
        out.point_m[which] += self._origin
