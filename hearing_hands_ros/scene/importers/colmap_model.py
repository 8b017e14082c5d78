"""COLMAP models, binary or text, read without COLMAP."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import shown
from hearing_hands_ros.scene.importers.found import LARGEST_IMAGE, LARGEST_NUMBER
from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz

LARGEST_FILE = 4 << 30


@dataclass(frozen=True)
class Lens:
    """A camera model of COLMAP.

    Attributes:
        name: As COLMAP has it.
        parameters: How many it has.
        one_focal: Whether both focal lengths are one number.
        pinhole: Whether the picture is that of a pinhole, or nearly so; fisheyes are not.
        distorted: Whether it bends lines.
    """

    name: str
    parameters: int
    one_focal: bool
    pinhole: bool = True
    distorted: bool = True


LENSES = (
    Lens("SIMPLE_PINHOLE", 3, one_focal=True, distorted=False),
    Lens("PINHOLE", 4, one_focal=False, distorted=False),
    Lens("SIMPLE_RADIAL", 4, one_focal=True),
    Lens("RADIAL", 5, one_focal=True),
    Lens("OPENCV", 8, one_focal=False),
    Lens("OPENCV_FISHEYE", 8, one_focal=False, pinhole=False),
    Lens("FULL_OPENCV", 12, one_focal=False),
    Lens("FOV", 5, one_focal=False, pinhole=False),
    Lens("SIMPLE_RADIAL_FISHEYE", 4, one_focal=True, pinhole=False),
    Lens("RADIAL_FISHEYE", 5, one_focal=True, pinhole=False),
    Lens("THIN_PRISM_FISHEYE", 12, one_focal=False, pinhole=False),
    Lens("RAD_TAN_THIN_PRISM_FISHEYE", 16, one_focal=False, pinhole=False),
    Lens("SIMPLE_DIVISION", 4, one_focal=True),
    Lens("DIVISION", 5, one_focal=False),
    Lens("SIMPLE_FISHEYE", 3, one_focal=True, pinhole=False),
    Lens("FISHEYE", 4, one_focal=False, pinhole=False),
    Lens("EUCM", 6, one_focal=False, pinhole=False),
    Lens("EQUIRECTANGULAR", 2, one_focal=False, pinhole=False),
)
"""By COLMAP's number."""
BY_NAME = {lens.name: lens for lens in LENSES}


@dataclass(frozen=True)
class Model:
    """Cameras of a COLMAP model.

    Attributes:
        cameras: One an image that has a pose, in the model's units, by name.
        distorted: Names of the camera models whose distortion was left out.
    """

    cameras: tuple[Camera, ...]
    distorted: tuple[str, ...]


@dataclass(frozen=True)
class _Intrinsics:
    lens: Lens
    width: int
    height: int
    parameters: tuple[float, ...]

    def require_pinhole(self, where: str) -> None:
        if not self.lens.pinhole:
            raise ValueError(
                f"{where}: wanted a lens that is nearly a pinhole, got {self.lens.name}; undistort the photos, or "
                "leave the cameras out with --max-cameras 0"
            )


@dataclass(frozen=True)
class _Image:
    file: str
    name: str
    camera_key: int
    wxyz: Sequence[float]  # T_camera_from_world
    translation: Sequence[float]

    def camera(self, intrinsics: Mapping[int, _Intrinsics]) -> Camera:
        who = f"{self.file}: image {shown(self.name)}"
        if self.camera_key not in intrinsics:
            raise ValueError(f"{who}: wanted one of the {len(intrinsics)} cameras, got number {self.camera_key}")
        pose = [*self.wxyz, *self.translation]
        if not all(abs(value) < LARGEST_NUMBER for value in pose):
            raise ValueError(f"{who}: wanted a pose within 1e12 of the origin, got {pose}")
        length = float(np.linalg.norm(self.wxyz))
        if not 0.5 < length < 2.0:
            raise ValueError(f"{who}: wanted a rotation, got a quaternion of length {length:.3g}")
        world_from_camera = from_wxyz(np.asarray(self.wxyz) / length).inv()
        lens = intrinsics[self.camera_key]
        fx, *rest = lens.parameters
        fy, cx, cy = (fx, *rest[:2]) if lens.lens.one_focal else rest[:3]
        place = -world_from_camera.apply(self.translation)
        return Camera(self.name, lens.width, lens.height, fx, fy, cx, cy, to_wxyz(world_from_camera), place)


def read_model(folder: Path) -> Model:
    """Read cameras and images of a model; its points stay where they are.

    Raises:
        FileNotFoundError: There is no model.
        ValueError: A file is cut short or broken, or a camera is a fisheye.
    """
    suffix = next((end for end in (".bin", ".txt") if (folder / f"images{end}").is_file()), None)
    if suffix is None:
        raise FileNotFoundError(f"COLMAP model {folder.name!r}: wanted images.bin or images.txt, got none in {folder}")
    who = f"COLMAP model {folder.name!r}"
    try:
        intrinsics = _cameras(folder / f"cameras{suffix}")
        for key, camera in intrinsics.items():
            camera.require_pinhole(f"cameras{suffix}: camera {key}")
        images = [image.camera(intrinsics) for image in _images(folder / f"images{suffix}")]
    except ValueError as error:
        raise ValueError(f"{who}: {error}") from error
    if not images:
        raise ValueError(f"{who}: wanted images with poses, got none")
    distorted = sorted({lens.lens.name for lens in intrinsics.values() if lens.lens.distorted})
    return Model(tuple(sorted(images, key=lambda camera: camera.name)), tuple(distorted))


def read_points(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read the 3D points of a model.

    Returns:
        (P,) their numbers, ascending, and (P, 3) where they are, in the model's units.

    Raises:
        FileNotFoundError: There are none.
        ValueError: The file is cut short or broken.
    """
    path = next((path for end in (".bin", ".txt") if (path := folder / f"points3D{end}").is_file()), None)
    if path is None:
        raise FileNotFoundError(f"points3D: wanted points3D.bin or points3D.txt, got neither in {folder}")
    points = dict((_points_bin if path.suffix == ".bin" else _points_txt)(path))
    numbers = np.array(sorted(points), np.int64)
    places = np.array([points[number] for number in numbers.tolist()], np.float64).reshape(-1, 3)
    far = int(np.count_nonzero(~(np.abs(places) < LARGEST_NUMBER).all(axis=1)))
    if far:
        raise ValueError(f"{path.name}: wanted points within 1e12 of the origin, got {far} others")
    return numbers, places


def model_faults(folder: Path) -> list[str]:
    """What is wrong with the cameras, images and points of a model, one for each file."""
    suffix = ".bin" if (folder / "images.bin").is_file() else ".txt"
    intrinsics: dict[int, _Intrinsics] = {}
    images: list[_Image] = []

    def read_cameras() -> None:
        intrinsics.update(_cameras(folder / f"cameras{suffix}"))

    def read_images() -> None:
        images.extend(_images(folder / f"images{suffix}"))
        for image in images if intrinsics else ():
            image.camera(intrinsics)

    faults = (_fault(read) for read in (read_cameras, read_images, lambda: read_points(folder)))
    return [fault for fault in faults if fault]


def _fault(read: Callable[[], object]) -> str:
    try:
        read()
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return ""


def _cameras(path: Path) -> dict[int, _Intrinsics]:
    return dict((_cameras_bin if path.suffix == ".bin" else _cameras_txt)(path))


def _images(path: Path) -> Iterator[_Image]:
    return (_images_bin if path.suffix == ".bin" else _images_txt)(path)


def _intrinsics(
    where: str, lens: Lens | None, name: object, size: tuple[int, int], values: Sequence[float]
) -> _Intrinsics:
    if lens is None:
        raise ValueError(f"{where}: wanted one of {', '.join(BY_NAME)}, got {shown(name)}")
    if len(values) != lens.parameters or not all(abs(value) < LARGEST_NUMBER for value in values):
        raise ValueError(f"{where}: wanted {lens.parameters} finite numbers for {lens.name}, got {shown(list(values))}")
    if not all(0 < side <= LARGEST_IMAGE for side in size) or min(values[: 1 if lens.one_focal else 2]) <= 0:
        got = f"{size[0]} x {size[1]} and {shown(list(values))}"
        raise ValueError(f"{where}: wanted sides of 1 to {LARGEST_IMAGE} pixels and positive focal lengths, got {got}")
    return _Intrinsics(lens, *size, tuple(values))


class _Bytes:
    """A file, read from the front, never beyond its end."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path.name}: wanted a file of a COLMAP model, got nothing at {path}")
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path.name}: wanted at most {LARGEST_FILE} bytes, got {path.stat().st_size}")
        self._data = path.read_bytes()
        self._at = 0
        self.name = path.name

    def take(self, layout: str) -> tuple[float | int, ...]:
        size = struct.calcsize("<" + layout)
        self.skip(size)
        return struct.unpack_from("<" + layout, self._data, self._at - size)

    def skip(self, size: int) -> None:
        if self._at + size > len(self._data):
            left = len(self._data) - self._at
            raise ValueError(f"{self.name}: wanted {size} more bytes at {self._at}, got {left}; the file was cut short")
        self._at += size

    def count(self, smallest: int) -> int:
        """How many entries follow, each of so many bytes at least."""
        count = int(self.take("Q")[0])
        if count * smallest > len(self._data) - self._at:
            left = len(self._data) - self._at
            raise ValueError(f"{self.name}: wanted bytes for {count} entries, got {left}; cut short, or the count lies")
        return count

    def end(self) -> None:
        if self._at < len(self._data):
            left = len(self._data) - self._at
            raise ValueError(f"{self.name}: wanted the end of the file at {self._at}, got {left} more bytes")

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise ValueError(f"{self.name}: wanted a name that ends, got the end of the file at {self._at}")
        raw, self._at = self._data[self._at : end], end + 1
        return raw.decode("utf-8", "replace")


def _cameras_bin(path: Path) -> Iterator[tuple[int, _Intrinsics]]:
    data = _Bytes(path)
    for _ in range(data.count(24)):
        key, model, width, height = (int(value) for value in data.take("IiQQ"))
        lens = LENSES[model] if 0 <= model < len(LENSES) else None
        values = data.take(f"{lens.parameters}d") if lens else ()
        yield key, _intrinsics(f"{data.name}: camera {key}", lens, model, (width, height), values)
    data.end()


def _images_bin(path: Path) -> Iterator[_Image]:
    data = _Bytes(path)
    for _ in range(data.count(73)):
        _, *pose, key = data.take("I7dI")
        name = data.text()
        data.skip(24 * int(data.take("Q")[0]))
        yield _Image(data.name, name, int(key), pose[:4], pose[4:])
    data.end()


def _points_bin(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    data = _Bytes(path)
    for _ in range(data.count(51)):
        number, x, y, z, *_, views = data.take("q3d3BdQ")
        data.skip(8 * int(views))
        yield int(number), (x, y, z)
    data.end()


def _cameras_txt(path: Path) -> Iterator[tuple[int, _Intrinsics]]:
    for at, words in _lines(path):
        if not words:
            continue
        if len(words) < 5:
            raise ValueError(f"{path.name}: line {at}: wanted id, model, width, height, numbers, got {shown(words)}")
        key, width, height = (_whole(path, at, word) for word in (words[0], *words[2:4]))
        values = [_number(path, at, word) for word in words[4:]]
        yield key, _intrinsics(f"{path.name}: camera {key}", BY_NAME.get(words[1]), words[1], (width, height), values)


def _images_txt(path: Path) -> Iterator[_Image]:
    lines = _lines(path)
    for at, words in lines:
        if not words:
            continue
        if len(words) < 10:
            raise ValueError(f"{path.name}: line {at}: wanted id, pose, camera, name, got {shown(words)}")
        pose = [_number(path, at, word) for word in words[1:8]]
        yield _Image(path.name, " ".join(words[9:]), _whole(path, at, words[8]), pose[:4], pose[4:])
        next(lines, None)  # the image's points, a line that may be empty


def _points_txt(path: Path) -> Iterator[tuple[int, Sequence[float]]]:
    for at, words in _lines(path):
        if not words:
            continue
        if len(words) < 8:
            raise ValueError(f"{path.name}: line {at}: wanted id, place, colour, error, got {shown(words)}")
        yield _whole(path, at, words[0]), [_number(path, at, word) for word in words[1:4]]


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers and words of the lines that are no comments."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.name}: wanted a file of a COLMAP model, got nothing at {path}")
    with path.open(encoding="utf-8", errors="replace") as stream:
        for at, line in enumerate(stream, 1):
            if not line.startswith("#"):
                yield at, line.split()


def _whole(path: Path, at: int, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 20):
        raise ValueError(f"{path.name}: line {at}: wanted a whole number, got {shown(word)}")
    return int(word)


def _number(path: Path, at: int, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise ValueError(f"{path.name}: line {at}: wanted a number, got {shown(word)}") from error
