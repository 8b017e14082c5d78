"""What the Gaussians around a point say of the surface there, compiled."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.render.compiled import compiled

SUPPORT_SIGMAS: Final = 1.0  # a Gaussian is surface this far from its centre; more would overhang every edge
ROW: Final = 15  # numbers of a Gaussian: centre, normal, two axes (3 each), two extents, weight

Array = NDArray[np.float64]


@compiled()
def meet(
    points: Array,
    found: NDArray[np.int64],
    table: NDArray[np.float32],
    labels: NDArray[np.int64],
    materials: int,
    limits: tuple[float, float, float, float],
    which: NDArray[np.int64],
    distance: Array,
    normal: Array,
    foot: Array,
    material: NDArray[np.int64],
    share: Array,
) -> None:
    """Fill in what `SurfaceQuery` has of M points; the rows of those that are far from all surfaces stay as they are.

    Args:
        points: (M, 3).
        found: (M, k) the nearest Gaussians of each, the nearest first; where there are fewer, the rest is N or more.
        table: (N, ROW) the Gaussians.
        labels: (N,) their material.
        materials: How many there are; that number is the label of none.
        limits: cutoff_m, deepest_m, blend_m and gap_m of `SurfaceSettings`.
        which: (M,) the row of each in the results.
        distance: (R,) result.
        normal: (R, 3) result.
        foot: (R, 3) result.
        material: (R,) result.
        share: (R,) result.
    """
    cutoff, deepest, blend, gap = limits
    most = found.shape[1]
    away, along, beyond = np.empty((most, 3)), np.empty((most, 2)), np.empty((most, 2))
    height, patch2, energy = np.empty(most), np.empty(most), np.empty(most)
    by_label = np.empty(materials + 1)
    for number in range(len(points)):
        point, near, row = points[number], found[number], which[number]
        count, nearest = 0, 0
        while count < most and near[count] < len(table):
            g = table[near[count]]
            for axis in range(3):
                away[count, axis] = point[axis] - g[axis]
            height[count] = _dot(away[count], g[3:6])
            patch2[count] = height[count] ** 2
            for side in range(2):
                reach = SUPPORT_SIGMAS * g[12 + side]
                along[count, side] = _dot(away[count], g[6 + 3 * side : 9 + 3 * side])
                beyond[count, side] = along[count, side] - min(max(along[count, side], -reach), reach)
                patch2[count] += beyond[count, side] ** 2
            # The nearest patch says which face it is.
            if patch2[count] < patch2[nearest]:
                nearest = count
            count += 1
        if not count:
            continue
        face = table[near[nearest]]
        least = patch2[nearest]
        for k in range(count):
            g = table[near[k]]
            middle = (along[k, 0] / (2.0 * g[12])) ** 2 + (along[k, 1] / (2.0 * g[13])) ** 2
            energy[k] = 0.5 * min(middle, 50.0) + (patch2[k] - least) / (2.0 * (blend**2 + 0.01 * least))
        # Only patches that face the same way are averaged with it, nearer ones and those whose middle is nearer with
        # more weight.
        total = plane = nx = ny = nz = 0.0
        by_label[:] = 0.0
        for k in range(count):
            g = table[near[k]]
            alike = min(max((_dot(g[3:6], face[3:6]) - 0.3) / 0.4, 0.0), 1.0)
            weight = np.exp(-min(max(energy[k] - energy[nearest], -50.0), 50.0)) * g[14] * alike
            total += weight
            plane += weight * height[k]
            nx, ny, nz = nx + weight * g[3], ny + weight * g[4], nz + weight * g[5]
            by_label[labels[near[k]]] += weight
        plane /= total
        length = max(np.sqrt(nx * nx + ny * ny + nz * nz) / total, 1e-6) * total
        nx, ny, nz = nx / length, ny / length, nz / length
        # The way back to the nearest patch along the surface.
        back_m = np.sqrt(beyond[nearest, 0] ** 2 + beyond[nearest, 1] ** 2)
        # Gaussians all around and not on one side only: a gap, not an edge.
        x = y = z = ways = 0.0
        for k in range(count):
            out = away[k, 0] * nx + away[k, 1] * ny + away[k, 2] * nz
            fx, fy, fz = away[k, 0] - out * nx, away[k, 1] - out * ny, away[k, 2] - out * nz
            x, y, z = x + fx, y + fy, z + fz
            ways += np.sqrt(fx * fx + fy * fy + fz * fz)
        bridged = np.sqrt(x * x + y * y + z * z) / max(ways, 1e-9) < 0.8 and back_m < gap
        off = 0.0 if bridged else back_m
        inside = plane < 0.0 and off <= 0.25 * (face[12] + face[13])
        found_m = plane if inside else np.sqrt(plane * plane + off * off)
        if found_m > cutoff or found_m < -deepest:
            continue
        distance[row] = found_m
        normal[row, 0], normal[row, 1], normal[row, 2] = nx, ny, nz
        for axis in range(3):
            back = 0.0 if bridged else beyond[nearest, 0] * face[6 + axis] + beyond[nearest, 1] * face[9 + axis]
            foot[row, axis] = point[axis] - plane * normal[row, axis] - back
        best = 0
        for label in range(materials):
            if by_label[label] > by_label[best]:
                best = label
        if materials and by_label[best] > 0.0:
            material[row], share[row] = best, min(by_label[best] / total, 1.0)


@compiled(inline="always")
def _dot(a: Array, b: Array) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])
