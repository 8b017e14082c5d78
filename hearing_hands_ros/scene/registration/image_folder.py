"""Images of the robot's camera in a folder, with a `poses.yaml` that says where each was taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hearing_hands_ros.scene.document import load_yaml, shown
from hearing_hands_ros.scene.registration.images import CameraObservation
from hearing_hands_ros.scene.registration.localize import Lens
from hearing_hands_ros.scene.registration.pixels import read_pixels
from hearing_hands_ros.scene.sim3 import Sim3

CAMERA_KEYS = ("width", "height", "fx", "fy", "cx", "cy")


def read_image_folder(folder: str | Path) -> tuple[list[CameraObservation], dict[str, str]]:
    """Images with poses.

    `poses.yaml` holds `camera: {width, height, fx, fy, cx, cy}` (and, where the lens distorts, `distortion_model` and
    `distortion` as in CameraInfo; the middle of the first pixel is at 0.5) and `images`, a list of `{file, position_m,
    rotation_wxyz}`: parent frame from optical frame. An image may have a `camera` of its own.

    Returns:
        The observations, and which images were left out, why: those without a pose or that cannot be read.

    Raises:
        FileNotFoundError: There is no such folder or no poses.yaml in it.
        ValueError: poses.yaml is something else.
    """
    folder = Path(folder)
    path = folder / "poses.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"images '{folder}': wanted a folder with poses.yaml, got nothing at {path}")
    document = load_yaml(path, f"'{path}'")
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise ValueError(f"'{path}': wanted 'camera' and a list 'images', got {type(document).__name__}")  # noqa: TRY004
    taken: list[CameraObservation] = []
    left_out: dict[str, str] = {}
    for index, entry in enumerate(document["images"]):
        if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
            wanted = "{file, position_m, rotation_wxyz}"
            raise ValueError(f"'{path}': images[{index}]: wanted {wanted}, got {shown(entry)}")  # noqa: TRY004
        name = entry["file"]
        if entry.get("position_m") is None or entry.get("rotation_wxyz") is None:
            left_out[name] = "no pose in poses.yaml"
            continue
        lens = _lens(f"'{path}': {name[:120]}", entry.get("camera", document.get("camera")))
        try:
            turn, place = (np.array([float(v) for v in entry[key]]) for key in ("rotation_wxyz", "position_m"))
            pose = Sim3(1.0, turn, place)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"'{path}': {name[:120]}: wanted a pose, got {shown(entry)}: {error}") from error
        try:
            image = read_pixels(folder / name)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        taken.append(CameraObservation(name, image, lens, pose))
    return taken, left_out


def _lens(who: str, entry: Any) -> Lens:
    if not isinstance(entry, Mapping) or any(key not in entry for key in CAMERA_KEYS):
        raise ValueError(f"{who}: wanted a camera with {', '.join(CAMERA_KEYS)}, got {shown(entry)}")
    try:
        fx, fy, cx, cy = (float(entry[key]) for key in CAMERA_KEYS[2:])
        distortion = tuple(float(value) for value in entry.get("distortion") or ())
        model = entry.get("distortion_model", "plumb_bob" if distortion else "")
        return Lens(int(entry["width"]), int(entry["height"]), fx, fy, cx, cy, model, distortion)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{who}: wanted a camera, got {shown(entry)}: {error}") from error
