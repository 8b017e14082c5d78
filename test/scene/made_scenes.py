"""Small scenes made of splats."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

SCALE = 0.4  # metres per unit, so that a forgotten scale is noticed


def splats(points_m: Any, normals: Any, spacing_m: float, **changes: Any) -> SplatScene:
    """Flat Gaussians on a surface."""
    points_m, normals = np.asarray(points_m, np.float64), np.asarray(normals, np.float64)
    count = len(points_m)
    helper = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    x = np.cross(helper, normals)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    quats = Rotation.from_matrix(np.stack([x, np.cross(normals, x), normals], axis=2)).as_quat()[:, [3, 0, 1, 2]]
    values: dict[str, Any] = {
        "means": (points_m / SCALE).astype(np.float32),
        "scales": np.broadcast_to(np.array([0.64, 0.64, 0.08]) * spacing_m / SCALE, (count, 3)).astype(np.float32),
        "quats_wxyz": quats.astype(np.float32),
        "opacities": np.full(count, 0.9, np.float32),
        "sh": np.zeros((count, 1, 3), np.float32),
        "source": "test",
    }
    return SplatScene(**{**values, **changes})


def bundle(scene: SplatScene, **changes: Any) -> SceneBundle:
    """A registered scene, seen from above."""
    values: dict[str, Any] = {
        "name": "test",
        "splats": scene,
        "frame_id": "scene",
        "up": np.array([0.0, 0.0, 1.0]),
        "registration": Registration("world", Sim3(SCALE, [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 0.5, 0.1),
        "viewpoints_m": np.array([[0.0, 0.0, 1.5], [1.5, 0, 0.8], [-1.5, 0, 0.8], [0, 1.5, 0.8], [0, -1.5, 0.8]]),
        "material_names": ("wood", "metal"),
        "labels": np.zeros(len(scene), np.uint8),
    }
    return SceneBundle(**{**values, **changes})


def grid(low: tuple[float, float], high: tuple[float, float], spacing_m: float) -> Any:
    """(N, 2) points, half a spacing off the borders."""
    axes = [np.arange(a + spacing_m / 2, b, spacing_m) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
