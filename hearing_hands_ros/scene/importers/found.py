"""What an importer finds in another program's folder, before it becomes a scene bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.bundle import Registration, Sfm
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import shown

Array = NDArray[np.float64]

DEEPEST = 5  # folders below the one that was given
LARGEST_JSON = 64 << 20
LARGEST_IMAGE = 100_000  # pixels along a side
LARGEST_NUMBER = 1e12
LEAST_COMMON_UP = 0.2  # length of the mean of the cameras' ups; 0 where they look from everywhere


@dataclass(frozen=True)
class Found:
    """Parts of a scene.

    Attributes:
        splats: The file.
        cameras: All of the photos, in splat units.
        sfm: COLMAP model that came with it.
        database: Of the features that the model was made of.
        registration: If the output says where it is in metres.
        notes: What the user should know.
    """

    splats: Path
    cameras: tuple[Camera, ...]
    sfm: Sfm | None = None
    database: Path | None = None
    registration: Registration | None = None
    notes: tuple[str, ...] = ()


def look_for(folder: Path, names: Sequence[str]) -> list[Path]:
    """All files of these names in a folder and up to five below it, the highest first.

    Hidden folders are left out, and so are links to folders, which may go round in a circle.
    """
    found = []
    level = [folder]
    for _ in range(DEEPEST + 1):
        entries = sorted(entry for place in level for entry in _entries(place))
        found += [entry for entry in entries if entry.name in names and entry.is_file()]
        level = [e for e in entries if e.is_dir() and not e.is_symlink() and not e.name.startswith(".")]
    return found


def the_only(who: str, paths: Sequence[Path], what: str, option: str) -> Path:
    """The one path that was found.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    if not paths:
        raise FileNotFoundError(f"{who}: wanted {what}, got none; give it with {option}")
    if len(paths) > 1:
        listed = ", ".join(map(str, paths[:6]))
        raise ValueError(f"{who}: wanted one {what}, got {len(paths)}: {listed}; give one with {option}")
    return paths[0]


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is too large or no JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.name}: wanted a JSON file, got nothing at {path}")
    size = path.stat().st_size
    if size > LARGEST_JSON:
        raise ValueError(f"{path.name}: wanted at most {LARGEST_JSON} bytes, got {size}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name}: wanted JSON, got something else: {error}") from error


def mapping(where: str, value: Any) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where}: wanted keys and values, got {shown(value)}")  # noqa: TRY004  (a file's fault)
    return value


def number(where: str, value: Any, positive: bool = False) -> float:
    """A finite number.

    Raises:
        ValueError: It is something else.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -LARGEST_NUMBER < value < LARGEST_NUMBER or (positive and value <= 0):
        raise ValueError(f"{where}: wanted a {'positive ' * positive}finite number, got {shown(value)}")
    return float(value)


def pixels(where: str, value: Any) -> int:
    """A side of an image.

    Raises:
        ValueError: It is no whole number of 1 to 100 000.
    """
    side = number(where, value)
    if side != int(side) or not 0 < side <= LARGEST_IMAGE:
        raise ValueError(f"{where}: wanted 1 to {LARGEST_IMAGE} pixels, got {shown(value)}")
    return int(side)


def matrix(where: str, value: Any, shape: tuple[int, ...]) -> Array:
    """Nested lists of numbers.

    Raises:
        ValueError: They have another shape, or something in them is no finite number.
    """
    if len(shape) == 0:
        return np.array(number(where, value))
    if not isinstance(value, list) or len(value) != shape[0]:
        raise ValueError(f"{where}: wanted {' x '.join(map(str, shape))} numbers, got {shown(value)}")
    return np.stack([matrix(f"{where}[{i}]", part, shape[1:]) for i, part in enumerate(value)])


def common_up(cameras: Sequence[Camera]) -> Array:
    """(3,) where most photos have their upper edge.

    Raises:
        ValueError: There are no cameras, or they agree on no direction.
    """
    ups = [camera.rotation.apply([0.0, -1.0, 0.0]) for camera in cameras]
    mean = np.mean(ups, axis=0) if ups else np.zeros(3)
    length = float(np.linalg.norm(mean))
    if length < LEAST_COMMON_UP:
        got = f"{len(cameras)} cameras with ups that cancel ({length:.2f} of 1)" if cameras else "no cameras"
        raise ValueError(f"up: wanted cameras that agree on what is up, got {got}; give it with --up X Y Z")
    return np.asarray(mean / length)


def spread(cameras: Sequence[Camera], most: int) -> tuple[Camera, ...]:
    """Some cameras, each as far as can be from those before it; in their own order."""
    if len(cameras) <= most:
        return tuple(cameras)
    if most == 0:
        return ()
    places = np.array([camera.position for camera in cameras])
    chosen = [0]
    distance = np.linalg.norm(places - places[0], axis=1)
    while len(chosen) < most:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
        distance[chosen] = -1.0
    return tuple(cameras[i] for i in sorted(chosen))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # not ours to read; what is missing will be named
