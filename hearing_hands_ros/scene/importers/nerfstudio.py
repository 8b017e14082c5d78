"""nerfstudio's output: exported splats, `dataparser_transforms.json` of the training, `transforms.json` of the photos.

nerfstudio turns, moves and scales the photos' world before it trains. The exported splats stay in the trained world, so
cameras (OpenGL axes: x right, y up, z back) and the COLMAP model have to follow:

    splat = scale * transform @ original          dataparser_transforms.json, transform a (3, 4) rotation and offset
    photos = applied_scale * applied_transform @ original          transforms.json, both optional

It multiplies its scale by `applied_scale` only after it has scaled the photos' poses, so offsets of the training are in
photo units. The poses decide where the splats are:

    splat = scale / applied_scale * (transform @ inverse(applied_transform)) @ photos
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import shown
from hearing_hands_ros.scene.importers.colmap import database_of, distortion_note, models_in, sfm_of
from hearing_hands_ros.scene.importers.colmap_model import BY_NAME
from hearing_hands_ros.scene.importers.found import (
    Found,
    look_for,
    mapping,
    matrix,
    number,
    pixels,
    read_json,
    the_only,
)
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

SPLATS = ("splat.ply", "splat.spz", "splats.ply", "point_cloud.ply")
OPENCV_FROM_OPENGL = Rotation.from_matrix(np.diag([1.0, -1.0, -1.0]))
DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
LENS = ("camera_model", "is_fisheye", "w", "h", "fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "cx", "cy")
SHARED = (*LENS, *DISTORTION)  # once for all photos, or with each


def read_dataparser(path: Path) -> Sim3:
    """`splat_from_original` of dataparser_transforms.json.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON, or holds no rotation, offset and scale.
    """
    document = mapping(path.name, read_json(path))
    return _similarity(path.name, document.get("transform"), number(f"{path.name}: scale", document.get("scale"), True))


def read_transforms(path: Path, splat_from_original: Sim3) -> tuple[tuple[Camera, ...], Sim3, tuple[str, ...]]:
    """Cameras of transforms.json.

    Args:
        path: The file.
        splat_from_original: Of the same training.

    Returns:
        Cameras in splat units and OpenCV axes, by name; `splat_from_original` by way of the photos, which differs where
        they were scaled; models of the lenses that bend lines.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Something in it is missing, wrong, or a fisheye.
    """
    document = mapping(path.name, read_json(path))
    photos_from_original = _applied(path.name, document)
    applied = photos_from_original.scale
    rotation, offset = photos_from_original.rotation_wxyz, photos_from_original.translation
    trained = splat_from_original @ Sim3(1.0, rotation, offset / applied).inverse()
    splat_from_photos = Sim3(trained.scale / applied, trained.rotation_wxyz, trained.translation / applied)
    frames = document.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{path.name}: frames: wanted a list of photos, got {shown(frames)}")
    shared = {key: document[key] for key in SHARED if key in document}
    cameras, distorted = [], set()
    for index, entry in enumerate(frames):
        where = f"{path.name}: frames[{index}]"
        frame = {**shared, **mapping(where, entry)}
        cameras.append(_camera(where, frame).moved(splat_from_photos))
        if any(frame.get(key) not in (None, 0, 0.0) for key in DISTORTION):
            distorted.add(str(frame.get("camera_model", "OPENCV"))[:40])
    cameras.sort(key=lambda camera: camera.name)
    return tuple(cameras), splat_from_photos @ photos_from_original, tuple(sorted(distorted))


def find(folder: Path, splats: Path | None, transforms: Path | None, sfm: Path | None, with_cameras: bool) -> Found:
    """What there is of a nerfstudio training.

    Args:
        folder: Holds all of it, unless the next say otherwise.
        splats: What `ns-export gaussian-splat` wrote.
        transforms: `transforms.json` of the photos.
        sfm: Folder of the COLMAP model; by default the one below `colmap` beside transforms.json.
        with_cameras: False leaves the cameras out, and with them what makes fisheyes a fault.

    Raises:
        FileNotFoundError: Something is missing.
        ValueError: There are several, or something in them is wrong.
    """
    who = f"nerfstudio output {folder.name!r}"
    parser = the_only(
        who, look_for(folder, ("dataparser_transforms.json",)), "dataparser_transforms.json", "the FOLDER"
    )
    splats = splats or the_only(who, look_for(folder, SPLATS), "exported splats (splat.ply)", "--splats FILE")
    splat_from_original = read_dataparser(parser)
    cameras: tuple[Camera, ...] = ()
    notes: tuple[str, ...] = ()
    if with_cameras:
        transforms = transforms or the_only(
            who, look_for(folder, ("transforms.json",)), "transforms.json", "--transforms FILE"
        )
        cameras, splat_from_original, distorted = read_transforms(transforms, splat_from_original)
        notes = (distortion_note(distorted),) if distorted else ()
    models = [sfm] if sfm else models_in(folder)
    if len(models) > 1:
        notes = (*notes, f"{len(models)} COLMAP models, none was taken; choose one with --sfm FOLDER")
    model = models[0] if len(models) == 1 else None
    return Found(
        splats,
        cameras,
        sfm_of(model, splat_from_original) if model else None,
        database_of(model) if model else None,
        notes=notes,
    )


def _camera(where: str, frame: dict[str, Any]) -> Camera:
    name = frame.get("file_path")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{where}.file_path: wanted the name of a photo, got {shown(name)}")
    model = frame.get("camera_model", "OPENCV")
    lens = BY_NAME.get(model) if isinstance(model, str) else None
    if lens is None or not lens.pinhole or frame.get("is_fisheye") is True:
        raise ValueError(
            f"{where}.camera_model: wanted a lens that is nearly a pinhole, got {shown(model)}; undistort the photos, "
            "or leave the cameras out with --max-cameras 0"
        )
    width, height = (pixels(f"{where}.{key}", frame.get(key)) for key in ("w", "h"))
    fx = _focal(where, frame, "x", width)
    fy = _focal(where, frame, "y", height) if "fl_y" in frame or "camera_angle_y" in frame else fx
    cx, cy = (number(f"{where}.{key}", frame.get(key, half)) for key, half in (("cx", width / 2), ("cy", height / 2)))
    pose = matrix(f"{where}.transform_matrix", frame.get("transform_matrix"), (4, 4))
    similarity = Sim3.from_matrix(pose)
    if abs(similarity.scale - 1.0) > 1e-2:
        raise ValueError(f"{where}.transform_matrix: wanted a pose, got one that scales by {similarity.scale:.4g}")
    turn = to_wxyz(similarity.rotation * OPENCV_FROM_OPENGL)
    return Camera(name[:200], width, height, fx, fy, cx, cy, turn, similarity.translation)


def _focal(where: str, frame: dict[str, Any], axis: str, side: int) -> float:
    """Focal length in pixels, or of the field of view in radians."""
    if f"fl_{axis}" in frame:
        return number(f"{where}.fl_{axis}", frame[f"fl_{axis}"], positive=True)
    key = f"camera_angle_{axis}"
    angle = number(f"{where}.fl_{axis} or {key}", frame.get(key), positive=True)
    if angle >= np.pi:
        raise ValueError(f"{where}.{key}: wanted less than pi, got {angle}")
    return float(0.5 * side / np.tan(0.5 * angle))


def _applied(where: str, document: dict[str, Any]) -> Sim3:
    """`photos_from_original`."""
    scale = number(f"{where}: applied_scale", document.get("applied_scale", 1.0), positive=True)
    if document.get("applied_transform") is None:
        return Sim3(scale, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
    return _similarity(f"{where}: applied", document["applied_transform"], scale)


def _similarity(where: str, transform: Any, scale: float) -> Sim3:
    """`scale * transform`; a (3, 4) rotation and offset, or the same with a fourth row."""
    rows = len(transform) if isinstance(transform, list) else 3
    values = matrix(f"{where}: transform", transform, (4 if rows == 4 else 3, 4))
    rigid = Sim3.from_matrix(np.vstack([values[:3], [0.0, 0.0, 0.0, 1.0]]))
    return Sim3(scale * rigid.scale, rigid.rotation_wxyz, scale * rigid.translation)
