"""A synthetic room: known shapes, materials, photo cameras and robot, as splats in a frame and unit of their own.

Room frame: metres, z up, the origin on the floor under the room's middle. The splats have other axes and another unit,
as a reconstruction would; `ROBOT_FROM_SPLAT` is what a registration should find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo.room_shapes import Ball, Box, Cylinder, Shape
from hearing_hands_ros.demo.room_textures import colour
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]

MATERIALS: Final = ("wood", "metal", "brick", "plaster", "glass", "felt", "ceramic", "clay", "paper")
ROBOT_FRAME, SCENE_FRAME = "base_link", "room_scene"
METRES_PER_UNIT = 0.37
SPLAT_FROM_ROOM: Final = Sim3(
    1.0 / METRES_PER_UNIT,
    to_wxyz(Rotation.from_euler("zyx", [52.0, -14.0, 23.0], degrees=True)),
    np.array([1.3, -0.8, 2.1]),
)
ROBOT_FROM_ROOM: Final = Sim3(
    1.0, to_wxyz(Rotation.from_euler("z", 118.0, degrees=True)), np.array([0.83, 0.41, -0.35])
)
ROBOT_FROM_SPLAT: Final = ROBOT_FROM_ROOM @ SPLAT_FROM_ROOM.inverse()

PHOTO_SIZE: Final = (640, 480)
PHOTO_FOCAL_PX, ROBOT_FOCAL_PX = 560.0, 520.0
LOOK_AT: Final = np.array([-0.25, 0.25, 0.75])
LIGHT: Final = np.array([0.35, -0.55, 0.76]) / np.linalg.norm([0.35, -0.55, 0.76])
COARSE = 3.0  # a sample with this many times the spacing tells how many Gaussians the fine one would have


def _box(
    name: str,
    material: str,
    texture: str,
    centre: tuple[float, float, float],
    size: tuple[float, float, float],
    tile_m: float,
    spacing_m: float,
    yaw_deg: float = 0.0,
) -> Box:
    turn = Rotation.from_euler("z", yaw_deg, degrees=True)
    return Box(name, material, texture, np.array(centre), tile_m, spacing_m, np.array(size), turn)


def _shapes() -> tuple[Shape, ...]:
    wall, fine = 0.012, 0.006
    shapes: list[Shape] = [
        _box("floor", "wood", "wood-varnished-panels", (0, 0, -0.03), (3.0, 2.5, 0.06), 1.1, wall),
        _box("back_wall", "brick", "white-bricks", (0, 1.28, 1.1), (3.0, 0.06, 2.2), 0.9, wall),
        _box("left_wall", "plaster", "pink-plaster", (-1.53, 0, 1.1), (0.06, 2.5, 2.2), 1.3, wall),
        _box("rug", "felt", "gray-felt", (0.35, -0.45, 0.004), (1.1, 0.8, 0.012), 0.5, 0.009, 12.0),
        _box("table_top", "wood", "light-wood", (-0.35, 0.35, 0.73), (1.2, 0.7, 0.04), 0.6, fine),
        _box("shelf_board", "wood", "dark-wood", (0.75, 1.12, 1.25), (1.1, 0.26, 0.03), 0.5, 0.007),
        _box("shelf_lower", "wood", "dark-wood", (0.75, 1.12, 0.85), (1.1, 0.26, 0.03), 0.5, 0.007),
        _box("chest", "wood", "blue-wood", (0.85, 0.95, 0.22), (0.7, 0.45, 0.44), 0.5, 0.008, -9.0),
        _box("toolbox", "metal", "steel-scratched", (-0.66, 0.42, 0.83), (0.34, 0.22, 0.16), 0.3, fine, 18.0),
        _box("plate", "metal", "steel-brushed", (-0.02, 0.20, 0.756), (0.24, 0.24, 0.012), 0.2, 0.005, -12.0),
        _box("mat", "felt", "gray-felt", (-0.45, 0.15, 0.753), (0.30, 0.20, 0.006), 0.25, 0.005, 7.0),
        _box("brick", "brick", "white-bricks", (0.06, 0.48, 0.79), (0.22, 0.11, 0.08), 0.35, 0.005, 33.0),
        _box("book", "wood", "red-wood", (0.50, 1.12, 1.355), (0.06, 0.18, 0.18), 0.2, fine),
        _box("crate", "wood", "red-wood", (-1.15, -0.45, 0.19), (0.42, 0.42, 0.38), 0.4, 0.008, 25.0),
        Ball("brass_ball", "metal", "brass-ambra", np.array([-0.30, 0.52, 0.835]), 0.2, 0.005, 0.085),
        Ball("globe", "ceramic", "ceramic", np.array([0.95, 1.10, 1.375]), 0.2, fine, 0.11),
        Cylinder("vase", "ceramic", "ceramic", np.array([0.17, 0.30, 0.86]), 0.2, fine, 0.055, 0.22),
        Cylinder("jar", "glass", "glass", np.array([0.72, 1.10, 0.965]), 0.25, fine, 0.07, 0.20),
        Cylinder("pot", "clay", "clay", np.array([-1.05, 0.75, 0.20]), 0.4, 0.008, 0.20, 0.40),
        Cylinder("drum", "metal", "steel-scratched", np.array([1.15, -0.05, 0.25]), 0.5, 0.008, 0.19, 0.50),
    ]
    for i, (dx, dy) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
        leg = (-0.35 + 0.54 * dx, 0.35 + 0.29 * dy, 0.355)
        shapes.append(_box(f"leg_{i}", "wood", "dark-wood", leg, (0.06, 0.06, 0.71), 0.3, 0.009))
    posters = (
        ("back", (-0.95, 1.247, 1.45), 0.60),
        ("back", (-0.15, 1.247, 1.62), 0.55),
        ("back", (0.65, 1.247, 1.83), 0.45),
        ("left", (-1.497, 0.55, 1.40), 0.60),
        ("left", (-1.497, -0.35, 1.25), 0.65),
        ("left", (-1.497, -0.95, 1.75), 0.45),
    )
    for i, (where, centre, side) in enumerate(posters):
        size = (side, 0.006, side) if where == "back" else (0.006, side, side)
        shapes.append(_box(f"poster_{i}", "paper", f"poster-{i}", centre, size, side, 0.0075))
    return tuple(shapes)


SHAPES: Final = _shapes()


def distance(points: Array) -> Array:
    """Signed distance of (M, 3) points of the room frame from everything in it, m."""
    return np.asarray(np.min([shape.distance(points) for shape in SHAPES], axis=0))


def room_bundle(gaussians: int = 200_000, registered: bool = True, seed: int = 3) -> SceneBundle:
    """The room as a reconstruction would have it.

    Args:
        gaussians: About how many.
        registered: Whether the bundle knows its true place in the robot's frame.
        seed: Of the jitter of the Gaussians; the same seed gives the same bundle.

    Raises:
        ValueError: Fewer than 1000 Gaussians.
    """
    if gaussians < 1000:
        raise ValueError(f"room_bundle: wanted at least 1000 Gaussians, got {gaussians}")
    coarse = sum(len(_splats_of(i, COARSE, np.random.default_rng(seed))[1]) for i in range(len(SHAPES)))
    spread = float(np.sqrt(coarse * COARSE**2 / gaussians))
    rng = np.random.default_rng(seed)
    splats, labels = zip(*(_splats_of(i, spread, rng) for i in range(len(SHAPES))), strict=True)
    cameras = photo_cameras()
    return SceneBundle(
        name="room",
        splats=replace(SplatScene.concatenate(splats), source="room"),
        frame_id=SCENE_FRAME,
        up=SPLAT_FROM_ROOM.rotation.apply([0.0, 0.0, 1.0]),
        registration=Registration(ROBOT_FRAME, ROBOT_FROM_SPLAT, 0.0, 0.0) if registered else None,
        viewpoints_m=np.array([camera.position for camera in cameras]) * METRES_PER_UNIT,
        material_names=MATERIALS,
        labels=np.concatenate(labels),
        cameras=cameras[::3],
    )


def photo_cameras(count: int = 36) -> tuple[Camera, ...]:
    """Where the photos are taken from, in splat units: three arcs from the room's open sides."""
    places = []
    for i in range(count):
        ring = i % 3
        angle = np.deg2rad(-92.0 + 104.0 * i / max(count - 1, 1))
        reach = (2.3, 1.6, 0.95)[ring]
        places.append(LOOK_AT + [reach * np.cos(angle), reach * np.sin(angle), (0.1, 0.9, 0.75)[ring]])
    wander = np.random.default_rng(11).normal(0.0, 0.06, (count, 3))
    targets = LOOK_AT + np.random.default_rng(12).normal(0.0, 0.12, (count, 3))
    return tuple(
        _camera(f"photo_{i:02d}.jpg", place + shake, target, PHOTO_FOCAL_PX).moved(SPLAT_FROM_ROOM)
        for i, (place, shake, target) in enumerate(zip(places, wander, targets, strict=True))
    )


def robot_cameras(count: int = 20) -> tuple[Camera, ...]:
    """Where the robot's own camera stood, in metres in `ROBOT_FRAME`: nearer, another lens, another path."""
    angles = np.deg2rad(np.linspace(-80.0, -5.0, count))
    rng = np.random.default_rng(21)
    cameras = []
    for i, angle in enumerate(angles):
        place = LOOK_AT + [1.35 * np.cos(angle), 1.35 * np.sin(angle), 0.35 + 0.5 * np.sin(2.1 * i) ** 2]
        target = LOOK_AT + rng.normal(0.0, 0.15, 3)
        camera = _camera(f"robot_{i:02d}", place + rng.normal(0.0, 0.05, 3), target, ROBOT_FOCAL_PX)
        cameras.append(camera.moved(ROBOT_FROM_ROOM))
    return tuple(cameras)


def photograph(splats: SplatScene, cameras: Sequence[Camera]) -> NDArray[np.uint8]:
    """(C, H, W, 3) pictures by cameras in the frame and unit of the splats, as an 8-bit camera would take them."""
    from hearing_hands_ros.scene.render import SplatRenderer

    rendered = SplatRenderer(splats).render(cameras).rgb
    return np.clip(np.rint(rendered * 255.0), 0, 255).astype(np.uint8)


def _camera(name: str, place: Array, target: Array, focal_px: float) -> Camera:
    width, height = PHOTO_SIZE
    square = Camera.look_at(name, place, target, (0.0, 0.0, 1.0), width, 60.0)
    return replace(square, height=height, fx=focal_px, fy=focal_px, cy=height / 2)


def _splats_of(which: int, spread: float, rng: np.random.Generator) -> tuple[SplatScene, NDArray[np.uint8]]:
    """Gaussians and labels of the visible part of one shape, its spacing times `spread`."""
    shape = SHAPES[which]
    spacing = shape.spacing_m * spread
    surface = shape.sample(spacing, rng)
    eyes = SPLAT_FROM_ROOM.inverse().apply([camera.position for camera in photo_cameras()])
    others = np.min([other.distance(surface.points) for i, other in enumerate(SHAPES) if i != which], axis=0)
    # No camera, no splats: what is covered by another thing, or faces away from all cameras.
    seen = (others > 0.0005) & (surface.points[:, 2] > -0.001)
    seen &= np.any([np.einsum("ni,ni->n", eye - surface.points, surface.normals) > 0.02 for eye in eyes], axis=0)
    points, normals, uv = (part[seen] for part in surface)
    free = np.clip(distance(points + 0.06 * normals) / 0.06, 0.0, 1.0)  # corners are darker
    light = (0.62 + 0.38 * np.maximum(normals @ LIGHT, 0.0)) * (0.65 + 0.35 * free)
    rgb = colour(shape.texture, uv, points, shape.tile_m, which) * light[:, None]
    flat = np.array([0.6 * spacing, 0.6 * spacing, 0.001]) / METRES_PER_UNIT
    quats = to_wxyz(SPLAT_FROM_ROOM.rotation * _facing(normals))
    splats = SplatScene.from_rgb(
        means=SPLAT_FROM_ROOM.apply(points).astype(np.float32),
        scales=np.broadcast_to(flat, points.shape).astype(np.float32),
        quats_wxyz=quats.astype(np.float32),
        opacities=rng.uniform(0.90, 0.99, len(points)).astype(np.float32),
        rgb=np.clip(rgb, 0.0, 1.0).astype(np.float32),
        source=shape.name,
    )
    return splats, np.full(len(points), MATERIALS.index(shape.material), np.uint8)


def _facing(normals: Array) -> Rotation:
    """Rotations whose z axis is the normal."""
    helper = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    x = np.cross(helper, normals)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return Rotation.from_matrix(np.stack([x, np.cross(normals, x), normals], axis=2))
