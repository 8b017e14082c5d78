"""A workcell: a table, or one with a shelf or a wall behind it, with things of many materials to touch.

Cell frame: metres, z up, the origin on the table top under its middle, y away from the person. The splats have other
axes and another unit, as a reconstruction would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo.room_shapes import Ball, Box
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.train.simulator.cell_splats import Thing, gaussians_of
from hearing_hands_ros.train.simulator.patterns import Array
from hearing_hands_ros.train.simulator.textures import MATERIALS, Texture, draw_texture

FRAME: Final = "cell_scene"
LAYOUTS: Final = ("table", "bench", "shelf", "wall")
SOFT: Final = ("dirt", "grass", "gravel", "sand", "snow")  # lie in trays, never stand up
ROUND: Final = ("metal", "glass", "ceramic", "stone", "wood")  # may be domes
BIG: Final = ("wood", "metal", "stone", "glass", "fabric", "ceramic")  # tables and walls are made of these
COMMON: Final = {"wood": 1.6, "metal": 1.4, "stone": 1.4, "ceramic": 1.1, "glass": 1.1, "fabric": 1.1}
SHELF_M: Final = 0.11
GAP_M: Final = 0.02


@dataclass(frozen=True)
class Spot:
    """A place on a patch, in the cell frame.

    Attributes:
        point: (3,) m.
        normal: (3,) outward.
        along: (3,) unit vector on the surface, a way to slide.
        room_m: How far one may slide to either side of the point.
    """

    point: Array
    normal: Array
    along: Array
    room_m: float


@dataclass(frozen=True)
class Patch:
    """A thing that is touched.

    Attributes:
        shape: Its solid.
        texture: What it looks like and is made of.
        face: Of a box: axis of the touched face, and its side, -1 or 1.
        region: Of a box: (2, 2) lowest and highest place that is touched, along the face's axes, from its middle, m.
    """

    shape: Thing
    texture: Texture
    face: tuple[int, int] = (2, 1)
    region: Array = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def material(self) -> str:
        """What it is made of."""
        return self.texture.material

    @property
    def flat(self) -> bool:
        """Whether one can slide along it."""
        return isinstance(self.shape, Box)

    def spot(self, rng: np.random.Generator) -> Spot:
        """A random place on it, not at its edge."""
        shape = self.shape
        if isinstance(shape, Ball):
            normal = np.array([*rng.uniform(-0.45, 0.45, 2), 0.0])
            normal[2] = np.sqrt(1.0 - normal @ normal)
            return Spot(shape.centre + shape.radius * normal, normal, _across(normal), 0.0)
        axis, side = self.face
        u, v = (i for i in range(3) if i != axis)
        place = rng.uniform(self.region[0], self.region[1])
        local, normal, along = np.zeros(3), np.zeros(3), np.zeros(3)
        local[axis] = side * shape.size[axis] / 2
        local[[u, v]] = place
        normal[axis] = side
        room = np.minimum(place - self.region[0], self.region[1] - place)
        angle = rng.uniform(0, 2 * np.pi)
        along[u], along[v] = np.cos(angle), np.sin(angle)
        reach = float(np.min(room / np.maximum(np.abs([along[u], along[v]]), 1e-6)))
        turn = shape.turn
        return Spot(turn.apply(local) + shape.centre, turn.apply(normal), turn.apply(along), reach)


@dataclass(frozen=True)
class Workcell:
    """A scene and what is in it.

    Attributes:
        bundle: As a reconstruction would have it.
        patches: What is touched.
        textures: Of everything in it.
        scene_from_cell: Rotation and translation in m; the scene's frame is metric.
    """

    bundle: SceneBundle
    patches: tuple[Patch, ...]
    textures: tuple[Texture, ...]
    scene_from_cell: Sim3

    @property
    def top_m(self) -> float:
        """Height of the highest thing that stands or lies on the table."""
        things = [patch.shape for patch in self.patches if patch.face == (2, 1)]
        return max(
            float(thing.centre[2]) + (thing.radius if isinstance(thing, Ball) else float(thing.size[2]) / 2)
            for thing in things
        )


def build_workcell(name: str, split: str, rng: np.random.Generator) -> Workcell:
    """Draw a workcell.

    Args:
        name: Of the scene; textures are named after it.
        split: Says which photographs it may show.
        rng: Of everything in it.
    """
    layout = str(rng.choice(LAYOUTS, p=[0.35, 0.2, 0.2, 0.25]))
    size, patches, others = _furniture(layout, name, split, rng)
    patches += _things(layout, size, name, split, rng)
    solids = [(patch.shape, patch.texture) for patch in patches] + others
    eyes = _eyes(layout, rng)
    scene_from_cell = Sim3(1.0, to_wxyz(Rotation.random(random_state=rng)), rng.uniform(-1, 1, 3))
    scale = float(rng.uniform(0.2, 2.5))
    splat_from_cell = Sim3(1.0 / scale, np.array([1.0, 0, 0, 0]), np.zeros(3)) @ scene_from_cell
    splats, labels = gaussians_of(solids, eyes, splat_from_cell, scale, rng)
    bundle = SceneBundle(
        name=name,
        splats=splats,
        frame_id=FRAME,
        up=scene_from_cell.rotation.apply([0.0, 0.0, 1.0]),
        registration=Registration("world", Sim3(scale, np.array([1.0, 0, 0, 0]), np.zeros(3)), 0.0, 0.0),
        viewpoints_m=scene_from_cell.apply(eyes),
        material_names=MATERIALS,
        labels=labels,
    )
    return Workcell(bundle, tuple(patches), tuple(texture for _, texture in solids), scene_from_cell)


def _furniture(
    layout: str, name: str, split: str, rng: np.random.Generator
) -> tuple[tuple[float, float], list[Patch], list[tuple[Thing, Texture]]]:
    """Width and depth of the table; the table and a wall, which are touched in a free strip; and what is only there."""
    width, depth = (1.3, 0.42) if layout == "bench" else (0.95, 0.62)
    width, depth = width * rng.uniform(0.8, 1.1), depth * rng.uniform(0.85, 1.1)
    spacing = rng.uniform(0.0034, 0.0045)

    def box(part: str, centre: Sequence[float], size: Sequence[float]) -> tuple[Thing, Texture]:
        texture = draw_texture(str(rng.choice(BIG)), split, f"{name}/{part}", rng)
        shape = Box(part, texture.material, "", np.array(centre), 0.0, spacing, np.array(size), Rotation.identity())
        return shape, texture

    table = box("table", (0, 0, -0.02), (width, depth, 0.04))
    front = np.array([[-0.42 * width, -0.46 * depth], [0.42 * width, -0.46 * depth + 0.07]])
    patches, others = [Patch(*table, region=front)], []
    if layout == "wall":
        height = rng.uniform(0.3, 0.45)
        wall = box("wall", (0, depth / 2 + 0.015, height / 2), (width, 0.03, height))
        region = np.array([[-0.4 * width, 0.15 - height / 2], [0.4 * width, height / 2 - 0.05]])
        patches.append(Patch(*wall, face=(1, -1), region=region))
    if layout == "shelf":
        others.append(box("shelf", (0, depth / 2 - 0.12, SHELF_M / 2), (width, 0.24, SHELF_M)))
    return (width, depth), patches, others


def _things(layout: str, size: tuple[float, float], name: str, split: str, rng: np.random.Generator) -> list[Patch]:
    """What lies on the table, in rows behind its free front."""
    width, depth = size
    low_y, high_y = -0.46 * depth + 0.09, 0.5 * depth - (0.06 if layout == "wall" else 0.015)
    rows = max(1, int((high_y - low_y) / 0.19))
    columns = max(2, int(width / 0.21))
    cells = [(column, row) for row in range(rows) for column in range(columns)]
    count = min(int(rng.integers(4, 9)), len(cells))
    weights = np.array([COMMON.get(material, 0.75) for material in MATERIALS])
    # No material twice: every scene tells many apart.
    materials = rng.choice(MATERIALS, size=count, replace=False, p=weights / weights.sum())
    patches = []
    for number, (which, material) in enumerate(zip(rng.permutation(len(cells))[:count], materials, strict=True)):
        column, row = cells[which]
        cell = np.array([width / columns, (high_y - low_y) / rows])
        middle = [(column + 0.5) * cell[0] - width / 2, low_y + (row + 0.5) * cell[1]]
        ground = SHELF_M if layout == "shelf" and middle[1] > depth / 2 - 0.24 else 0.0
        side = min(cell.min() - GAP_M, 0.22)
        texture = draw_texture(str(material), split, f"{name}/{number}", rng)
        patches.append(_thing(str(number), texture, np.array([*middle, ground]), side, rng))
    return patches


def _thing(name: str, texture: Texture, place: Array, side: float, rng: np.random.Generator) -> Patch:
    """A tray, a slab, a block or a dome on a place of the table."""
    spacing = rng.uniform(0.0023, 0.0038)
    if texture.material in ROUND and rng.random() < 0.15:
        radius = rng.uniform(0.09, 0.13)
        above = rng.uniform(0.35, 0.5) * side
        centre = place + [0.0, 0.0, above - radius]
        return Patch(Ball(name, texture.material, "", centre, 0.0, spacing, float(radius)), texture)
    size = np.array([*rng.uniform(0.75, 0.95, 2) * side, rng.choice([0.012, 0.03, 0.06])])
    if texture.material in SOFT or texture.material == "fabric":
        size[2] = 0.012
    turn = Rotation.from_euler("z", rng.uniform(-14, 14), degrees=True)
    if texture.material not in SOFT and rng.random() < 0.25:
        turn = turn * Rotation.from_euler("xy", rng.uniform(-9, 9, 2), degrees=True)
    # A tilted thing is sunk in the table as far as its lowest corner would stand off it.
    rise = float(np.abs(turn.apply([[1, 1, 0], [1, -1, 0]]) @ [0, 0, 1] * size[0] / 2).max())
    centre = place + [0.0, 0.0, size[2] / 2 + rise * 0.5 - 0.001]
    region = np.array([-1.0, 1.0])[:, None] * (size[:2] / 2 - 0.014)
    shape = Box(name, texture.material, "", centre, 0.0, spacing, size, turn)
    return Patch(shape, texture, region=region)


def _eyes(layout: str, rng: np.random.Generator) -> Array:
    """(V, 3) where the photos were taken; nobody looks from behind a wall."""
    rings = [
        (radius * np.cos(angle), radius * np.sin(angle), height)
        for radius, height, count, phase in ((1.3, 0.5, 12, 0.1), (0.9, 1.0, 8, 0.3))
        for angle in phase + np.arange(count) * 2 * np.pi / count
    ]
    eyes = np.array([*rings, (0.0, -0.1, 1.4)]) + rng.normal(0.0, 0.05, (21, 3))
    return eyes[eyes[:, 1] < 0.2] if layout == "wall" else eyes


def _across(normal: Array) -> Array:
    """Any unit vector square to a normal."""
    across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    return np.asarray(across / np.linalg.norm(across))
