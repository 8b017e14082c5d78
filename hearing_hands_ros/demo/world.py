"""The demo's workbench: solids with exact distances, and the splats that a reconstruction would have of them.

Everything is laid out in the bench's own level frame (x along the bench, y away from the person, z up, z = 0 the table
top). A reconstruction has neither that frame nor metres, so the scene has a tilted frame of its own and a splat unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import textures
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]

MATERIALS: Final = ("wood", "metal", "stone", "grass", "gravel", "sand", "snow", "dirt")
WORLD_FRAME, SCENE_FRAME = "world", "bench_scene"
METRES_PER_UNIT = 0.43
WORLD_FROM_BENCH: Final = (Rotation.from_euler("z", 31.0, degrees=True), np.array([1.35, -0.42, 0.76]))
SCENE_FROM_BENCH: Final = (
    Rotation.from_euler("zyx", [-64.0, 7.5, -11.0], degrees=True),
    np.array([0.21, 0.34, -0.17]),
)
LIGHT: Final = np.array([-0.35, -0.45, 0.82]) / np.linalg.norm([-0.35, -0.45, 0.82])


@dataclass(frozen=True)
class Box:
    """A box, turned about its middle."""

    name: str
    material: str
    colour: Callable[[Array], Array]
    centre: Array
    half: Array
    turn: Rotation
    spacing_m: float

    def distance(self, points: Array) -> Array:
        """Signed distance of (M, 3) points, m."""
        outside = np.abs(self.turn.inv().apply(points - self.centre)) - self.half
        return np.asarray(
            np.linalg.norm(np.maximum(outside, 0.0), axis=1) + np.minimum(outside.max(axis=1), 0.0), np.float64
        )

    def sample(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points on the faces, a jittered grid each, and their normals."""
        points, normals = [], []
        for axis in range(3):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            nu, nv = (max(1, round(2 * self.half[i] / self.spacing_m)) for i in (u, v))
            grid = np.stack(np.meshgrid(np.arange(nu), np.arange(nv), indexing="ij"), axis=-1).reshape(-1, 2)
            for side in (-1.0, 1.0):
                jitter = 0.5 + rng.uniform(-0.3, 0.3, grid.shape)
                local = np.zeros((len(grid), 3))
                local[:, axis] = side * self.half[axis]
                local[:, u] = ((grid[:, 0] + jitter[:, 0]) / nu * 2 - 1) * self.half[u]
                local[:, v] = ((grid[:, 1] + jitter[:, 1]) / nv * 2 - 1) * self.half[v]
                points.append(local)
                normals.append(np.broadcast_to(side * np.eye(3)[axis], local.shape))
        return self.turn.apply(np.concatenate(points)) + self.centre, self.turn.apply(np.concatenate(normals))

    def target(self, u: float, v: float) -> tuple[Array, Array]:
        """A point of the top face, u and v in -1..1, and its normal."""
        local = np.array([u * self.half[0], v * self.half[1], self.half[2]])
        return self.turn.apply(local) + self.centre, self.turn.apply([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Dome:
    """The cap of a sphere on the table."""

    name: str
    material: str
    colour: Callable[[Array], Array]
    centre: Array
    radius: float
    spacing_m: float

    def distance(self, points: Array) -> Array:
        """Signed distance of (M, 3) points, m."""
        return np.asarray(np.linalg.norm(points - self.centre, axis=1) - self.radius, np.float64)

    def sample(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points on a spiral over the sphere, and their normals."""
        count = int(4 * np.pi * self.radius**2 / self.spacing_m**2)
        i = np.arange(count) + 0.5
        z = 1.0 - 2.0 * i / count
        turn = i * np.pi * (1 + np.sqrt(5.0))
        normal = np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)
        normal += rng.normal(0.0, 0.1 * self.spacing_m / self.radius, normal.shape)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return self.centre + self.radius * normal, normal

    def target(self, u: float, v: float) -> tuple[Array, Array]:
        """A point of the upper part, u and v in -1..1, and its normal."""
        normal = np.array([0.45 * u, 0.45 * v, 0.0])
        normal[2] = np.sqrt(1.0 - normal @ normal)
        return self.centre + self.radius * normal, normal


Solid = Box | Dome


def _box(
    name: str,
    material: str,
    colour: Callable[[Array], Array],
    centre: tuple[float, float, float],
    size: tuple[float, float, float],
    turn: Rotation | None = None,
    spacing_m: float = 0.0042,
) -> Box:
    return Box(name, material, colour, np.array(centre), np.array(size) / 2, turn or Rotation.identity(), spacing_m)


def _solids() -> tuple[Solid, ...]:
    solids: list[Solid] = [
        _box("table", "wood", textures.table_wood, (0, 0, -0.02), (1.34, 0.78, 0.04), spacing_m=0.0050)
    ]
    solids += [
        _box(f"leg_{i}", "wood", textures.dark_wood, (sx * 0.61, sy * 0.33, -0.29), (0.06, 0.06, 0.5), spacing_m=0.008)
        for i, (sx, sy) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1)))
    ]
    trays: tuple[tuple[str, Callable[[Array], Array]], ...] = (
        ("grass", textures.grass),
        ("dirt", textures.dirt),
        ("gravel", textures.gravel),
        ("sand", textures.sand),
        ("snow", textures.snow),
    )
    for i, (material, colour) in enumerate(trays):
        x, y = -0.50 + 0.25 * i, -0.22
        solids.append(_box(f"tray_{material}", material, colour, (x, y, 0.002), (0.19, 0.19, 0.016), spacing_m=0.0034))
        for j, (dx, dy, sx, sy) in enumerate(
            ((-0.1, 0, 0.01, 0.21), (0.1, 0, 0.01, 0.21), (0, -0.1, 0.19, 0.01), (0, 0.1, 0.19, 0.01))
        ):
            name = f"frame_{material}_{j}"
            solids.append(_box(name, "wood", textures.dark_wood, (x + dx, y + dy, 0.005), (sx, sy, 0.018)))
    tilt = Rotation.from_euler("x", 17.0, degrees=True) * Rotation.from_euler("z", -8.0, degrees=True)
    solids += [
        _box("steel_plate", "metal", textures.metal, (-0.52, 0.22, 0.003), (0.20, 0.20, 0.010)),
        _box("stone_wedge", "stone", textures.stone, (-0.25, 0.23, 0.012), (0.17, 0.16, 0.05), tilt),
        _box("stone_slab", "stone", textures.stone, (0.01, 0.22, 0.014), (0.19, 0.18, 0.032)),
        Dome("steel_dome", "metal", textures.metal, np.array([0.27, 0.22, -0.055]), 0.115, 0.0042),
        _box(
            "birch_block",
            "wood",
            textures.light_wood,
            (0.51, 0.23, 0.044),
            (0.14, 0.14, 0.092),
            Rotation.from_euler("z", 14.0, degrees=True),
        ),
    ]
    return tuple(solids)


SOLIDS: Final = _solids()
BY_NAME: Final = {solid.name: solid for solid in SOLIDS}


def distance(points: Array) -> Array:
    """Signed distance of (M, 3) points in the bench frame from everything, m."""
    return np.asarray(np.min([solid.distance(points) for solid in SOLIDS], axis=0), np.float64)


def scene_from_bench(points: Array) -> Array:
    """Points of the bench frame in the scene frame, m."""
    rotation, translation = SCENE_FROM_BENCH
    return np.asarray(rotation.apply(points) + translation, np.float64)


def world_from_bench(points: Array) -> Array:
    """Points of the bench frame in the world frame, m."""
    rotation, translation = WORLD_FROM_BENCH
    return np.asarray(rotation.apply(points) + translation, np.float64)


def viewpoints() -> Array:
    """Where the cameras of the reconstruction stood, in the bench frame."""
    around = [
        (radius * np.cos(angle), 0.8 * radius * np.sin(angle), height)
        for radius, height, count, phase in ((1.3, 0.35, 12, 0.0), (0.9, 0.9, 8, 0.3))
        for angle in phase + np.arange(count) * 2 * np.pi / count
    ]
    return np.array([*around, (0.0, 0.0, 1.4)])


def build_bundle(seed: int = 7) -> SceneBundle:
    """The bench as a reconstruction would have it; the same seed gives the same scene.

    Args:
        seed: Of the jitter of the Gaussians.
    """
    rng = np.random.default_rng(seed)
    parts = [_splats_of(i, rng) for i in range(len(SOLIDS))]
    points, normals, colours, spacing = (np.concatenate([part[i] for part in parts]) for i in range(4))
    labels = np.concatenate([part[4] for part in parts])
    # Haze, as real reconstructions have it: a few faint Gaussians in the air.
    haze = 600
    points = np.concatenate([points, rng.uniform([-0.6, -0.35, 0.03], [0.6, 0.35, 0.25], (haze, 3))])
    normals = np.concatenate([normals, rng.normal(size=(haze, 3))])
    colours = np.concatenate([colours, np.full((haze, 3), 0.7)])
    spacing = np.concatenate([spacing, np.full(haze, 0.006)])
    labels = np.concatenate([labels, np.full(haze, 255, np.uint8)])
    count = len(points)
    opacities = rng.uniform(0.86, 0.99, count)
    opacities[-haze:] = rng.uniform(0.02, 0.12, haze)
    scales = np.stack(
        [spacing * rng.uniform(0.58, 0.70, count), spacing * rng.uniform(0.58, 0.70, count), np.full(count, 0.0004)],
        axis=1,
    )
    rotation, translation = SCENE_FROM_BENCH
    world_rotation, world_translation = WORLD_FROM_BENCH
    to_world = world_rotation * rotation.inv()
    offset = world_translation - to_world.apply(translation)
    world_from_splat = Sim3(METRES_PER_UNIT, to_world.as_quat()[[3, 0, 1, 2]], offset)
    quats = (rotation * _facing(normals, rng)).as_quat()[:, [3, 0, 1, 2]]
    return SceneBundle(
        name="workbench",
        splats=SplatScene.from_rgb(
            means=(scene_from_bench(points) / METRES_PER_UNIT).astype(np.float32),
            scales=(scales / METRES_PER_UNIT).astype(np.float32),
            quats_wxyz=quats.astype(np.float32),
            opacities=opacities.astype(np.float32),
            rgb=np.clip(colours, 0.0, 1.0),
            source="workbench",
        ),
        frame_id=SCENE_FRAME,
        up=rotation.apply([0.0, 0.0, 1.0]),
        registration=Registration(WORLD_FRAME, world_from_splat, residual_mm=0.0, residual_deg=0.0),
        viewpoints_m=np.round(scene_from_bench(viewpoints()), 4),
        material_names=MATERIALS,
        labels=labels,
    )


def _splats_of(which: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array, NDArray[np.uint8]]:
    """Points, normals, colours, spacings and labels of the visible part of one solid's surface."""
    solid = SOLIDS[which]
    points, normals = solid.sample(rng)
    others = np.min([other.distance(points) for i, other in enumerate(SOLIDS) if i != which], axis=0)
    seen = others > 0.0002
    if solid.name.startswith("leg"):
        seen &= np.einsum("ni,ni->n", points[:, :2], normals[:, :2]) > 0.0  # the inner faces are in the dark
    elif solid.name != "table":
        seen &= points[:, 2] > 0.0
    # No camera, no splats: undersides face away from all of them.
    seen &= np.any([np.einsum("ni,ni->n", eye - points, normals) > 0.05 for eye in viewpoints()], axis=0)
    points, normals = points[seen], normals[seen]
    lit = 0.66 + 0.42 * np.maximum(normals @ LIGHT, 0.0)
    # What stands close by takes light away.
    free = distance(points + 0.02 * normals) / 0.02
    colour = solid.colour(points) * (lit * (0.62 + 0.38 * np.clip(free, 0.0, 1.0)))[:, None]
    if isinstance(solid, Dome):
        shine = np.maximum(normals @ (LIGHT + [0, 0, 1]) / np.linalg.norm(LIGHT + [0, 0, 1]), 0.0) ** 60
        colour = colour + 0.35 * shine[:, None]
    points = points + normals * rng.normal(0.0, 0.00015, (len(points), 1))
    label = np.full(len(points), MATERIALS.index(solid.material), np.uint8)
    return points, normals, colour, np.full(len(points), solid.spacing_m), label


def _facing(normals: Array, rng: np.random.Generator) -> Rotation:
    """Rotations whose z axis is the normal, off by a degree or so, turned about it at random."""
    z = normals + rng.normal(0.0, 0.02, normals.shape) * np.linalg.norm(normals, axis=1, keepdims=True)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    helper = np.where(np.abs(z[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    matrix = np.stack([x, np.cross(z, x), z], axis=2)
    return Rotation.from_matrix(matrix) * Rotation.from_rotvec(rng.uniform(0, 2 * np.pi, (len(z), 1)) * [0.0, 0.0, 1.0])
