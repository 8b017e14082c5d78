"""What 3D Gaussian splatting's own training writes: `point_cloud/iteration_N/point_cloud.ply` and `cameras.json`.

Its splats are in the coordinates of the COLMAP model that it was given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import shown
from hearing_hands_ros.scene.importers.colmap import database_of, models_in, sfm_of
from hearing_hands_ros.scene.importers.found import Found, mapping, matrix, number, pixels, read_json
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3


def read_cameras(path: Path) -> tuple[Camera, ...]:
    """Cameras of cameras.json, by name; principal points are in the middle, which is how it trains.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON, or an entry is no camera.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path.name}: wanted a list of cameras, got {shown(entries)}")
    return tuple(sorted((_camera(f"{path.name}[{i}]", e) for i, e in enumerate(entries)), key=lambda c: c.name))


def newest(folder: Path) -> Path | None:
    """The splats of the longest training below `point_cloud`, if there are any."""
    found = {}
    for path in folder.glob("point_cloud/iteration_*/point_cloud.ply"):
        steps = path.parent.name.removeprefix("iteration_")
        if steps.isascii() and steps.isdigit() and len(steps) < 20:
            found[int(steps)] = path
    return found[max(found)] if found else None


def find(folder: Path, splats: Path | None, sfm: Path | None, with_cameras: bool) -> Found:
    """What there is of a training.

    Args:
        folder: Its output.
        splats: Instead of the longest training's.
        sfm: Folder of the COLMAP model that it was given; by default one in `folder`.
        with_cameras: False leaves the cameras out.

    Raises:
        FileNotFoundError: Something is missing.
        ValueError: Something is wrong.
    """
    splats = splats or newest(folder)
    if splats is None:
        wanted = "point_cloud/iteration_<N>/point_cloud.ply"
        raise FileNotFoundError(f"3DGS output {folder.name!r}: wanted {wanted}, got none in {folder}")
    cameras = read_cameras(folder / "cameras.json") if with_cameras else ()
    models = [sfm] if sfm else models_in(folder)
    notes: tuple[str, ...] = ()
    if not models:
        notes = ("no COLMAP model came with it; with --sfm FOLDER (usually sparse/0 of the photos) it would",)
    elif len(models) > 1:
        notes = (f"{len(models)} COLMAP models, none was taken; choose one with --sfm FOLDER",)
    model = models[0] if len(models) == 1 else None
    place = sfm_of(model, Sim3.identity()) if model else None
    return Found(splats, cameras, place, database_of(model) if model else None, notes=notes)


def _camera(where: str, entry: Any) -> Camera:
    fields = mapping(where, entry)
    name = fields.get("img_name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{where}.img_name: wanted the name of a photo, got {shown(name)}")
    width, height = (pixels(f"{where}.{key}", fields.get(key)) for key in ("width", "height"))
    fx, fy = (number(f"{where}.{key}", fields.get(key), positive=True) for key in ("fx", "fy"))
    rotation = matrix(f"{where}.rotation", fields.get("rotation"), (3, 3))
    position = matrix(f"{where}.position", fields.get("position"), (3,))
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
        raise ValueError(f"{where}.rotation: wanted a rotation matrix, got {shown(fields['rotation'])}")
    turn = to_wxyz(Rotation.from_matrix(rotation))
    return Camera(name[:200], width, height, fx, fy, width / 2, height / 2, turn, position)
