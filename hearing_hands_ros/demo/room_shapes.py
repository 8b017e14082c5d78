"""Boxes, cylinders and balls with exact distances, and points on their surfaces with texture coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


class Surface(NamedTuple):
    """Points on a solid: (M, 3) positions, m; (M, 3) unit normals outwards; (M, 2) texture coordinates, m."""

    points: Array
    normals: Array
    uv: Array


@dataclass(frozen=True)
class Solid:
    """What all solids have.

    Attributes:
        name: Of the thing.
        material: What it is made of.
        texture: File name of its texture without suffix, or `poster-<number>`.
        centre: (3,) m, in the room.
        tile_m: Width of one copy of the texture.
        spacing_m: Between its Gaussians.
    """

    name: str
    material: str
    texture: str
    centre: Array
    tile_m: float
    spacing_m: float


@dataclass(frozen=True)
class Box(Solid):
    """A box of `size` (3,) m, turned about its middle."""

    size: Array
    turn: Rotation

    def distance(self, points: Array) -> Array:
        """Signed distance of (M, 3) points, m."""
        outside = np.abs(self.turn.inv().apply(points - self.centre)) - self.size / 2
        return np.asarray(np.linalg.norm(np.maximum(outside, 0.0), axis=1) + np.minimum(outside.max(axis=1), 0.0))

    def sample(self, spacing_m: float, rng: np.random.Generator) -> Surface:
        """A jittered grid on each face."""
        points, normals, uv = [], [], []
        for axis, (u, v) in enumerate(((1, 2), (0, 2), (0, 1))):
            grid = _jittered_grid(self.size[u], self.size[v], spacing_m, rng)
            for side in (-1.0, 1.0):
                local = np.zeros((len(grid), 3))
                local[:, axis], local[:, u], local[:, v] = side * self.size[axis] / 2, grid[:, 0], grid[:, 1]
                points.append(local)
                normals.append(np.broadcast_to(side * np.eye(3)[axis], local.shape))
                uv.append(grid)
        turned = self.turn.apply(np.concatenate(points)) + self.centre
        return Surface(turned, self.turn.apply(np.concatenate(normals)), np.concatenate(uv))


@dataclass(frozen=True)
class Cylinder(Solid):
    """An upright cylinder about `centre`."""

    radius: float
    height: float

    def distance(self, points: Array) -> Array:
        """Signed distance of (M, 3) points, m."""
        local = points - self.centre
        outside = np.stack(
            [np.linalg.norm(local[:, :2], axis=1) - self.radius, np.abs(local[:, 2]) - self.height / 2], axis=1
        )
        return np.asarray(np.linalg.norm(np.maximum(outside, 0.0), axis=1) + np.minimum(outside.max(axis=1), 0.0))

    def sample(self, spacing_m: float, rng: np.random.Generator) -> Surface:
        """A jittered grid around the side and on both lids."""
        around = 2 * np.pi * self.radius
        side = _jittered_grid(around, self.height, spacing_m, rng)
        angle = side[:, 0] / self.radius
        outwards = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(side))], axis=1)
        lid = _jittered_grid(2 * self.radius, 2 * self.radius, spacing_m, rng)
        lid = lid[np.linalg.norm(lid, axis=1) < self.radius]
        lids = [np.column_stack([lid, np.full(len(lid), sign * self.height / 2)]) for sign in (-1.0, 1.0)]
        up = np.broadcast_to([0.0, 0.0, 1.0], (len(lid), 3))
        points = np.concatenate([outwards * self.radius + side[:, 1:] * [0.0, 0.0, 1.0], *lids])
        return Surface(points + self.centre, np.concatenate([outwards, -up, up]), np.concatenate([side, lid, lid]))


@dataclass(frozen=True)
class Ball(Solid):
    """A ball about `centre`."""

    radius: float

    def distance(self, points: Array) -> Array:
        """Signed distance of (M, 3) points, m."""
        return np.asarray(np.linalg.norm(points - self.centre, axis=1) - self.radius)

    def sample(self, spacing_m: float, rng: np.random.Generator) -> Surface:
        """Points on a spiral from pole to pole."""
        count = int(4 * np.pi * self.radius**2 / spacing_m**2)
        index = np.arange(count) + rng.uniform(0.3, 0.7, count)
        z = 1.0 - 2.0 * index / count
        turn = index * np.pi * (1 + np.sqrt(5.0))
        normals = np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)
        uv = self.radius * np.stack([np.arctan2(normals[:, 1], normals[:, 0]), np.arcsin(z)], axis=1)
        return Surface(self.centre + self.radius * normals, normals, uv)


Shape = Box | Cylinder | Ball


def _jittered_grid(width_m: float, height_m: float, spacing_m: float, rng: np.random.Generator) -> Array:
    """(M, 2) points about the middle of a rectangle."""
    columns, rows = (max(1, round(side / spacing_m)) for side in (width_m, height_m))
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij"), axis=-1).reshape(-1, 2)
    share = (cells + 0.5 + rng.uniform(-0.3, 0.3, cells.shape)) / [columns, rows]
    return np.asarray((share - 0.5) * [width_m, height_m])
