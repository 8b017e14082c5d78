"""Hands that another program found, such as HaMeR: 3-D keypoints of each image in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.hands_from_video.detection import Detection
from hearing_hands_ros.hands_from_video.frames import CameraFrame
from hearing_hands_ros.hands_from_video.placing import facing
from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.scene.registration.localize import Lens

Array = NDArray[np.float64]

NEEDED = ("stamps_ns", "is_right", "pred_keypoints_3d", "cam_t")
SAME_NS = 1_000_000  # stamps that were rounded to milliseconds are of the same image


class KeypointFile:
    """Hands of a .npz, or of a .json with the same names: M hands, an image may have several.

    Names and axes are HaMeR's, of a camera with `focal_length` whose axis goes through the middle of the image:
    `stamps_ns` (M,) of the images; `is_right` (M,) 0 to 1; `pred_keypoints_3d` (M, 21, 3) in metres, wrist first, then
    thumb to little finger from base to tip, x of left hands already mirrored back; `cam_t` (M, 3), added to them;
    `focal_length` in pixels, one or (M,), without which it is the camera's.

    Args:
        path: The file.
        lens: Of the camera.

    Attributes:
        used: How many hands were asked for.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is something else; names the file, wanted, got.
    """

    def __init__(self, path: Path, lens: Lens) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"keypoints: wanted a .npz or .json file, got nothing at '{path}'")
        arrays = _checked(path, _read(path))
        shape, place = arrays["pred_keypoints_3d"], arrays["cam_t"]
        points = shape + place[:, None]
        if not (points[..., 2] > 0.0).all():
            raise ValueError(
                f"keypoints '{path}': wanted hands in front of the camera, got a depth of {points[..., 2].min():.3f}"
            )
        if "focal_length" in arrays:
            focal = np.broadcast_to(arrays["focal_length"], len(points))[:, None, None]
            middle = np.array([lens.width, lens.height]) / 2
        else:
            focal, middle = np.array([lens.fx, lens.fy]), np.array([lens.cx, lens.cy])
        pixels = points[..., :2] / points[..., 2:] * focal + middle
        middles = (points[..., :2] / points[..., 2:]).mean(axis=1)
        self.used = 0
        order = np.argsort(arrays["stamps_ns"], kind="stable")
        self._stamps = arrays["stamps_ns"][order]
        self._hands = [
            Detection(float(arrays["is_right"][i]), pixels[i], facing(middles[i]).inv().apply(shape[i])) for i in order
        ]

    def __len__(self) -> int:
        return len(self._hands)

    def detect(self, frame: CameraFrame) -> list[Detection]:
        """Hands of the image with a frame's stamp."""
        first, last = np.searchsorted(self._stamps, [frame.stamp_ns - SAME_NS, frame.stamp_ns + SAME_NS + 1])
        self.used += int(last - first)
        return self._hands[first:last]


def _read(path: Path) -> Mapping[str, Any]:
    wanted = f"keypoints '{path}': wanted a .npz or .json file with {', '.join(NEEDED)}"
    try:
        if path.suffix == ".json":
            document = json.loads(path.read_text(encoding="utf-8"))
        else:
            with np.load(path, allow_pickle=False) as archive:
                document = dict(archive)
    except Exception as error:  # NumPy lets out whatever its readers meet
        raise ValueError(f"{wanted}, got one that cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{wanted}, got a {type(document).__name__}")  # noqa: TRY004
    return document


def _checked(path: Path, document: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    who = f"keypoints '{path}'"
    if missing := [name for name in NEEDED if name not in document]:
        raise ValueError(f"{who}: wanted {', '.join(NEEDED)}, got no {', '.join(missing)}")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        arrays["stamps_ns"] = np.asarray(document["stamps_ns"], np.int64)
        for name in (*NEEDED[1:], "focal_length"):
            if name in document:
                arrays[name] = np.asarray(document[name], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{who}: wanted arrays of numbers, got others: {error}") from error
    count = arrays["stamps_ns"].size
    wanted = {
        "stamps_ns": (count,),
        "is_right": (count,),
        "pred_keypoints_3d": (count, KEYPOINTS, 3),
        "cam_t": (count, 3),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{who}: wanted finite {name} of shape {shape}, got {arrays[name].shape}")
    focal = arrays.get("focal_length", np.ones(1))
    if focal.shape not in ((), (1,), (count,)) or not (np.isfinite(focal) & (focal > 0.0)).all():
        raise ValueError(f"{who}: wanted a positive focal_length, one or ({count},), got {focal.shape}")
    return arrays
