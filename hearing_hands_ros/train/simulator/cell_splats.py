"""A workcell's things as the Gaussians that a reconstruction would have of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo.room_shapes import Ball, Box
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.train.simulator.patterns import Array
from hearing_hands_ros.train.simulator.textures import MATERIALS, Texture

Thing = Box | Ball


def gaussians_of(
    solids: Sequence[tuple[Thing, Texture]], eyes: Array, splat_from_cell: Sim3, scale: float, rng: np.random.Generator
) -> tuple[SplatScene, NDArray[np.uint8]]:
    """Gaussians and labels of everything that can be seen.

    Args:
        solids: Things and what they look like; what is named 'table' is seen from below its top too.
        eyes: (V, 3) where photos were taken, cell frame; what faces away from all of them has no Gaussians.
        splat_from_cell: Cell frame in m to splat units.
        scale: Metres per splat unit.
        rng: Of the light, and of the jitter of the Gaussians.

    Returns:
        N Gaussians, and (N,) indices of their materials.
    """
    light = np.array([*rng.uniform(-0.7, 0.7, 2), 1.0])
    light /= np.linalg.norm(light)
    ambient, tint = rng.uniform(0.5, 0.75), rng.uniform(0.92, 1.08, 3)
    parts, labels = [], []
    for which, (shape, texture) in enumerate(solids):
        rest = [other for i, (other, _) in enumerate(solids) if i != which]
        points, normals, uv = shape.sample(shape.spacing_m, rng)
        seen = np.min([other.distance(points) for other in rest], axis=0) > 0.0003
        seen &= np.any([np.einsum("ni,ni->n", eye - points, normals) > 0.03 for eye in eyes], axis=0)
        if shape.name != "table":
            seen &= points[:, 2] > 0.0
        points, normals, uv = points[seen], normals[seen], uv[seen]
        nearest = np.min([other.distance(points + 0.03 * normals) for other in rest], axis=0)
        free = np.clip(nearest / 0.03, 0.0, 1.0)
        lit = (ambient + (1.05 - ambient) * np.maximum(normals @ light, 0.0)) * (0.65 + 0.35 * free)
        local = points - shape.centre
        colour = texture.paint(shape.turn.inv().apply(local) if isinstance(shape, Box) else local, uv)
        colour = colour * lit[:, None] * tint
        flat = np.array([0.62, 0.62, 0.12]) * shape.spacing_m / scale
        parts.append(
            SplatScene.from_rgb(
                means=splat_from_cell.apply(points + normals * rng.normal(0, 0.0002, (len(points), 1))).astype(
                    np.float32
                ),
                scales=(flat * rng.uniform(0.92, 1.08, (len(points), 3))).astype(np.float32),
                quats_wxyz=to_wxyz(splat_from_cell.rotation * _facing(normals, rng)).astype(np.float32),
                opacities=rng.uniform(0.86, 0.99, len(points)).astype(np.float32),
                rgb=np.clip(colour, 0.0, 1.0).astype(np.float32),
                source="workcell",
            )
        )
        labels.append(np.full(len(points), MATERIALS.index(texture.material), np.uint8))
    return SplatScene.concatenate(parts), np.concatenate(labels)


def _facing(normals: Array, rng: np.random.Generator) -> Rotation:
    """Rotations whose z axis is the normal, off by a degree or so."""
    z = normals + rng.normal(0.0, 0.015, normals.shape)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    helper = np.where(np.abs(z[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return Rotation.from_matrix(np.stack([x, np.cross(z, x), z], axis=2))
