"""A gripper as Gaussians: the collision shapes of its URDF, posed by TF."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.scene.hand_shape import flat_gaussians, shaded
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]

STEEL_RGB = (0.55, 0.57, 0.60)
MOST_GAUSSIANS = 20_000  # of one gripper; more would cost more than the scene around it


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
        spacing_m: float = 0.006,
        find_package: Callable[[str], str] | None = None,
    ) -> RobotShape:
        """Read collision shapes: box, cylinder, sphere and mesh (.stl, .obj, .ply; .dae with pycollada).

        Args:
            urdf: A file, or its text (as in the parameter `robot_description`).
            links: Names of the links to take; all that have collision shapes if empty.
            spacing_m: Between two points of the surface.
            find_package: Folder of a ROS package, for `package://` names; ament's index if None.

        Raises:
            ValueError: No URDF, a link that is not in it, nothing to draw, or a mesh that cannot be read.
            FileNotFoundError: A file is missing.
        """
        if not spacing_m > 0.0:
            raise ValueError(f"RobotShape: spacing_m wanted a positive distance, got {spacing_m}")
        text, folder = _urdf_text(urdf)
        try:
            root = ElementTree.fromstring(text)  # noqa: S314  (expat refuses entity bombs; a URDF has no other entities)
        except ElementTree.ParseError as error:
            raise ValueError(f"RobotShape: wanted a URDF, got what is no XML: {error}") from error
        named = {link.get("name", ""): link for link in root.iter("link")}
        missing = [name for name in links if name not in named]
        if missing:
            raise ValueError(f"RobotShape: wanted links {missing}, got a URDF with {sorted(named)}")
        surfaces = {}
        for name in links or tuple(named):
            shapes = named[name].findall("collision")
            if shapes:
                parts = [_collision(shape, name, spacing_m, folder, find_package or _ament_package) for shape in shapes]
                surfaces[name] = LinkSurface(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        total = sum(len(surface.points_m) for surface in surfaces.values())
        if not 0 < total <= MOST_GAUSSIANS:
            wanted = f"1 to {MOST_GAUSSIANS} points on collision shapes"
            raise ValueError(f"RobotShape: wanted {wanted}, got {total} at a spacing of {spacing_m} m")
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


def _urdf_text(urdf: str | Path) -> tuple[str, Path]:
    if isinstance(urdf, str) and urdf.lstrip().startswith("<"):
        return urdf, Path()
    path = Path(urdf)
    if not path.is_file():
        raise FileNotFoundError(f"RobotShape: wanted a URDF file, got nothing at {path}")
    return path.read_text(encoding="utf-8"), path.parent


def _collision(
    shape: ElementTree.Element, link: str, spacing_m: float, folder: Path, find_package: Callable[[str], str]
) -> tuple[Array, Array]:
    geometry = shape.find("geometry")
    solid = None if geometry is None else next(iter(geometry), None)
    if solid is None:
        raise ValueError(f"RobotShape: link '{link}' wanted a collision geometry, got none")
    mesh = _mesh(solid, link, folder, find_package)
    count = int(np.clip(mesh.area / spacing_m**2, 1, 10 * MOST_GAUSSIANS))
    points, face = mesh.sample(count, return_index=True, seed=0)
    normals = np.asarray(mesh.face_normals[face], np.float64)
    origin = shape.find("origin")
    if origin is not None:
        turn = Rotation.from_euler("xyz", _numbers(origin.get("rpy", "0 0 0"), link, 3))
        points = turn.apply(points) + _numbers(origin.get("xyz", "0 0 0"), link, 3)
        normals = turn.apply(normals)
    return np.asarray(points, np.float64), normals


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
    mesh.apply_scale(_numbers(solid.get("scale", "1 1 1"), link, 3))  # type: ignore[no-untyped-call]
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
    sizes = _numbers(text, link, count)
    if (sizes <= 0.0).any():
        raise ValueError(f"RobotShape: link '{link}' wanted positive sizes, got {text!r}")
    return sizes


def _numbers(text: str | None, link: str, count: int) -> Array:
    try:
        values = np.array([float(word) for word in (text or "").split()])
    except ValueError:
        values = np.empty(0)
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(f"RobotShape: link '{link}' wanted {count} finite numbers, got {text!r}")
    return values
