"""A gripper as Gaussians: the collision shapes of its URDF, posed by TF."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.scene.hand_shape import flat_gaussians, shaded
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.urdf import numbers, origin_of, read_urdf

Array = NDArray[np.float64]

STEEL_RGB = (0.55, 0.57, 0.60)
MOST_GAUSSIANS = 20_000  # of one gripper; more would cost more than the scene around it
ENOUGH_GAUSSIANS = 8_000  # for a gripper's edges to be straight in a local view
SPACINGS_M = (0.002, 0.02)
SAMPLES = 10  # random points, of which those are kept that are apart, in a square of the spacing
APART, DENSITY = 0.7, 1.4  # of the spacing; and how many points that leaves in a square of it


@dataclass(frozen=True)
class LinkSurface:
    """Points on the collision shapes of one link, in its own frame: (M, 3) metres, and their outward normals."""

    points_m: Array
    normals: Array


@dataclass(frozen=True)
class RobotShape:
    """What a gripper looks like.

    Attributes:
        links: Surface of every link that has collision shapes.
        spacing_m: Between two points.
        rgb: Its colour in full light.
        light: (3,) unit vector towards the light, in the scene frame.
    """

    links: Mapping[str, LinkSurface]
    spacing_m: float
    rgb: tuple[float, float, float] = STEEL_RGB
    light: tuple[float, float, float] = (0.0, 0.0, 1.0)

    @classmethod
    def from_urdf(
        cls,
        urdf: str | Path,
        links: tuple[str, ...] = (),
        spacing_m: float | None = None,
        find_package: Callable[[str], str] | None = None,
    ) -> RobotShape:
        """Read collision shapes: box, cylinder, sphere and mesh (.stl, .obj, .ply; .dae with pycollada).

        Args:
            urdf: A file, or its text (as in the parameter `robot_description`).
            links: Names of the links to take; all that have collision shapes if empty.
            spacing_m: Between two points of the surface; as fine as 8000 points allow, 2 to 20 mm, if None.
            find_package: Folder of a ROS package, for `package://` names; ament's index if None.

        Raises:
            ValueError: No URDF, a link that is not in it, nothing to draw, or a mesh that cannot be read.
            FileNotFoundError: A file is missing.
        """
        if spacing_m is not None and not spacing_m > 0.0:
            raise ValueError(f"RobotShape: spacing_m wanted a positive distance, got {spacing_m}")
        root, folder = read_urdf(urdf, "RobotShape")
        named = {link.get("name", ""): link for link in root.iter("link")}
        missing = [name for name in links if name not in named]
        if missing:
            raise ValueError(f"RobotShape: wanted links {missing}, got a URDF with {sorted(named)}")
        meshes = {
            name: [_collision(shape, name, folder, find_package or _ament_package) for shape in shapes]
            for name in links or tuple(named)
            if (shapes := named[name].findall("collision"))
        }
        area = DENSITY * float(sum(mesh.area for parts in meshes.values() for mesh in parts))
        if spacing_m is None:
            spacing_m = float(np.clip(np.sqrt(area / ENOUGH_GAUSSIANS), *SPACINGS_M))
        points = area / spacing_m**2
        if not 0.0 < points <= MOST_GAUSSIANS:
            wanted = f"1 to {MOST_GAUSSIANS} points on collision shapes"
            raise ValueError(f"RobotShape: wanted {wanted}, got {points:.0f} at a spacing of {spacing_m} m")
        surfaces = {name: _sampled(parts, spacing_m) for name, parts in meshes.items()}
        return cls(surfaces, spacing_m)

    def gaussians(self, scene_from_link: Mapping[str, Sim3]) -> SplatScene:
        """The gripper as small opaque Gaussians, in metres in the scene frame.

        Args:
            scene_from_link: Pose of every link that is to be drawn, of scale 1.

        Raises:
            ValueError: No link that has a shape has a pose.
        """
        posed = [(surface, scene_from_link[name]) for name, surface in self.links.items() if name in scene_from_link]
        if not posed:
            got = sorted(scene_from_link)
            raise ValueError(f"RobotShape: wanted the pose of one or more of {sorted(self.links)}, got {got}")
        points = np.concatenate([pose.apply(surface.points_m) for surface, pose in posed])
        normals = np.concatenate([pose.rotation.apply(surface.normals) for surface, pose in posed])
        spacing = np.full(len(points), self.spacing_m)
        return flat_gaussians(points, normals, spacing, shaded(self.rgb, normals, self.light), "gripper")


def _collision(shape: ElementTree.Element, link: str, folder: Path, find_package: Callable[[str], str]) -> Any:
    """The mesh of a collision shape, in its link's frame."""
    geometry = shape.find("geometry")
    solid = None if geometry is None else next(iter(geometry), None)
    if solid is None:
        raise ValueError(f"RobotShape: link '{link}' wanted a collision geometry, got none")
    mesh = _mesh(solid, link, folder, find_package)
    mesh.apply_transform(origin_of(shape, _who(link)).matrix)
    return mesh


def _sampled(meshes: Sequence[Any], spacing_m: float) -> LinkSurface:
    """Points all over some meshes, none much nearer to another than the spacing and none missing."""
    samples = [
        mesh.sample(max(int(SAMPLES * mesh.area / spacing_m**2), 1), return_index=True, seed=0) for mesh in meshes
    ]
    points = np.concatenate([np.asarray(places, np.float64) for places, _ in samples])
    normals = np.concatenate([mesh.face_normals[face] for mesh, (_, face) in zip(meshes, samples, strict=True)])
    apart_m = APART * spacing_m
    # Normals count as far as places, or one side of a thin plate would take the other side's points.
    placed = np.concatenate([points, apart_m * normals], axis=1)
    near = cKDTree(placed).query_ball_point(placed, apart_m)
    kept = np.ones(len(points), np.bool_)
    for index, neighbours in enumerate(near):
        if kept[index]:
            kept[neighbours] = False
            kept[index] = True
    return LinkSurface(points[kept], np.asarray(normals[kept], np.float64))


def _mesh(solid: ElementTree.Element, link: str, folder: Path, find_package: Callable[[str], str]) -> Any:
    trimesh = optional("trimesh", "RobotShape", "scene")
    if solid.tag == "box":
        return trimesh.creation.box(_sizes(solid.get("size"), link, 3))
    if solid.tag == "cylinder":
        radius, length = (_sizes(solid.get(key), link, 1)[0] for key in ("radius", "length"))
        return trimesh.creation.cylinder(radius, length)
    if solid.tag == "sphere":
        return trimesh.creation.icosphere(3, _sizes(solid.get("radius"), link, 1)[0])
    if solid.tag != "mesh":
        raise ValueError(f"RobotShape: link '{link}' wanted box, cylinder, sphere or mesh, got '{solid.tag}'")
    path = _mesh_path(solid.get("filename", ""), folder, find_package)
    if not path.is_file():
        raise FileNotFoundError(f"RobotShape: link '{link}' wanted a mesh, got nothing at {path}")
    try:
        mesh = trimesh.load_mesh(path)
    except Exception as error:
        raise ValueError(
            f"RobotShape: link '{link}' wanted a mesh that can be read, got {path.name}: {error}"
        ) from error
    mesh.apply_scale(numbers(solid.get("scale", "1 1 1"), _who(link), 3))  # type: ignore[no-untyped-call]
    if not len(mesh.faces) or not np.isfinite(mesh.area) or mesh.area <= 0.0:
        raise ValueError(f"RobotShape: link '{link}' wanted a mesh with faces, got none in {path.name}")
    return mesh


def _mesh_path(name: str, folder: Path, find_package: Callable[[str], str]) -> Path:
    if name.startswith("package://"):
        package, _, rest = name.removeprefix("package://").partition("/")
        return Path(find_package(package)) / rest
    return folder / name.removeprefix("file://")


def _ament_package(name: str) -> str:
    from ament_index_python.packages import get_package_share_directory

    try:
        return str(get_package_share_directory(name))
    except (LookupError, OSError) as error:  # not there, or no AMENT_PREFIX_PATH at all
        raise FileNotFoundError(
            f"RobotShape: wanted the ROS package '{name}', got none in AMENT_PREFIX_PATH"
        ) from error


def _sizes(text: str | None, link: str, count: int) -> Array:
    sizes = numbers(text, _who(link), count)
    if (sizes <= 0.0).any():
        raise ValueError(f"RobotShape: link '{link}' wanted positive sizes, got {text!r}")
    return sizes


def _who(link: str) -> str:
    return f"RobotShape: link '{link}'"
