"""A real scene: the motorcycle of the Middlebury 2014 stereo benchmark, with its measured depth, as Gaussians.

D. Scharstein, H. Hirschmueller, Y. Kitajima, G. Krathwohl, N. Nesic, X. Wang, P. Westling: High-resolution stereo
datasets with subpixel-accurate ground truth. German Conference on Pattern Recognition, 2014. The pictures come with
scikit-image, at a quarter of the size; its documentation gives the calibration. They are read there, not copied here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]

FOCAL_PX, CENTRE_X_PX, CENTRE_Y_PX = 994.978, 311.193, 254.877
CENTRE_STEP_PX, BASELINE_M = 31.086, 0.193001
EDGE = 0.02  # neighbouring depths that differ by more are of two things
FLATTEST = 0.2  # cosine between view and normal beyond which a surface counts as seen edge-on


class Motorcycle(NamedTuple):
    """The scene in metres, in the left camera's frame; (500, 741, 3) uint8 photos; (500, 741) depths, NaN unknown."""

    splats: SplatScene
    left: Camera
    right: Camera
    left_photo: NDArray[np.uint8]
    right_photo: NDArray[np.uint8]
    depth_m: Array


def motorcycle(gaussians: int = 200_000) -> Motorcycle:
    """Back-project the left photo; about so many Gaussians, evenly over its pixels."""
    from skimage.data import stereo_motorcycle

    left_photo, right_photo, disparity = stereo_motorcycle()
    disparity = np.where(np.isfinite(disparity), disparity, np.nan).astype(np.float64)
    depth = FOCAL_PX * BASELINE_M / (disparity + CENTRE_STEP_PX)
    rows, columns = depth.shape
    step = float(np.sqrt(np.isfinite(depth).sum() / gaussians))
    v, u = np.meshgrid(np.arange(0.5 * step, rows, step), np.arange(0.5 * step, columns, step), indexing="ij")
    row, column = v.astype(int), u.astype(int)
    known = np.isfinite(depth[row, column])
    row, column, u, v = row[known], column[known], u[known], v[known]
    z = depth[row, column]
    points = _project_back(u, v, z)
    quats, tilt = _discs(points, _normals(depth)[row, column])
    across = 0.6 * step * z / FOCAL_PX
    lens: dict[str, Any] = {
        "width": columns,
        "height": rows,
        "fx": FOCAL_PX,
        "fy": FOCAL_PX,
        "cy": CENTRE_Y_PX,
        "rotation_wxyz": np.array([1.0, 0.0, 0.0, 0.0]),
    }
    return Motorcycle(
        SplatScene.from_rgb(
            means=points.astype(np.float32),
            scales=np.stack([across * tilt, across, 0.05 * across], axis=1).astype(np.float32),
            quats_wxyz=quats.astype(np.float32),
            opacities=np.full(len(points), 0.95, np.float32),
            rgb=left_photo[row, column] / 255.0,
            source="motorcycle",
        ),
        Camera(name="left", cx=CENTRE_X_PX, position=np.zeros(3), **lens),
        Camera(name="right", cx=CENTRE_X_PX + CENTRE_STEP_PX, position=np.array([BASELINE_M, 0.0, 0.0]), **lens),
        left_photo,
        right_photo,
        depth,
    )


def _project_back(u: Any, v: Any, z: Any) -> Array:
    """Pixels, the middle of the first at 0.5, and depths to points."""
    return np.stack([(u - CENTRE_X_PX) / FOCAL_PX * z, (v - CENTRE_Y_PX) / FOCAL_PX * z, z], axis=-1)


def _normals(depth: Array) -> Array:
    """(H, W, 3) unit normals towards the camera; towards the viewer where the neighbours are of another thing."""
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]] + 0.5
    points = _project_back(u, v, depth)
    along, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = np.cross(down, along)
    jump = np.maximum(np.abs(along[..., 2]), np.abs(down[..., 2])) > EDGE * depth
    bad = jump | ~np.isfinite(normals).all(axis=-1)
    normals[bad] = -points[bad]
    with np.errstate(invalid="ignore"):
        return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _discs(points: Array, normals: Array) -> tuple[Array, Array]:
    """Rotations whose z axis is the normal and whose x axis points down the slope, and how much longer x must be."""
    view = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosine = np.einsum("ni,ni->n", view, normals)
    x = view - cosine[:, None] * normals
    level = np.linalg.norm(x, axis=1) < 1e-6
    x[level] = np.cross(normals[level], [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    axes = np.stack([x, np.cross(normals, x), normals], axis=2)
    return to_wxyz(Rotation.from_matrix(axes)), 1.0 / np.clip(np.abs(cosine), FLATTEST, 1.0)
