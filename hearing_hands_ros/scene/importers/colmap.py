"""COLMAP models, binary or text, read without COLMAP; and what `colmap model_aligner` says about metres."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hearing_hands_ros.scene.bundle import Registration, Sfm
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.document import shown
from hearing_hands_ros.scene.importers.found import LARGEST_IMAGE, LARGEST_NUMBER, Found, look_for, the_only
from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

LARGEST_FILE = 4 << 30
LEAST_COMMON = 3  # images that two models must share


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

    def camera(self, name: str, wxyz: Sequence[float], translation: Sequence[float]) -> Camera:
        """The camera of an image with T_camera_from_world."""
        if not all(abs(value) < LARGEST_NUMBER for value in (*wxyz, *translation)):
            raise ValueError(
                f"image {shown(name)}: wanted a pose within 1e12 of the origin, got {[*wxyz, *translation]}"
            )
        length = float(np.linalg.norm(wxyz))
        if not 0.5 < length < 2.0:
            raise ValueError(f"image {shown(name)}: wanted a rotation, got a quaternion of length {length:.3g}")
        world_from_camera = from_wxyz(np.asarray(wxyz) / length).inv()
        fx, *rest = self.parameters
        fy, cx, cy = (fx, *rest[:2]) if self.lens.one_focal else rest[:3]
        turn = to_wxyz(world_from_camera)
        return Camera(name, self.width, self.height, fx, fy, cx, cy, turn, -world_from_camera.apply(translation))


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
        intrinsics = dict((_cameras_bin if suffix == ".bin" else _cameras_txt)(folder / f"cameras{suffix}"))
        images = list((_images_bin if suffix == ".bin" else _images_txt)(folder / f"images{suffix}", intrinsics))
    except ValueError as error:
        raise ValueError(f"{who}: {error}") from error
    if not images:
        raise ValueError(f"{who}: wanted images with poses, got none")
    distorted = sorted({lens.lens.name for lens in intrinsics.values() if lens.lens.distorted})
    return Model(tuple(sorted(images, key=lambda camera: camera.name)), tuple(distorted))


def align(model: Model, aligned: Model, parent_frame: str) -> Registration:
    """The similarity between a model and the same model in metres, by their common images.

    Args:
        model: In splat units.
        aligned: What `colmap model_aligner` made of it, in metres of `parent_frame`.
        parent_frame: TF frame.

    Raises:
        ValueError: Too few images are in both, or they stand on one line.
    """
    there = {camera.name: camera for camera in aligned.cameras}
    pairs = [(camera, there[camera.name]) for camera in model.cameras if camera.name in there]
    if len(pairs) < LEAST_COMMON:
        raise ValueError(f"aligned model: wanted {LEAST_COMMON} or more images of both models, got {len(pairs)}")
    here = np.array([a.position for a, _ in pairs])
    metres = np.array([b.position for _, b in pairs])
    similarity = umeyama(here, metres)
    off_mm = 1000.0 * np.linalg.norm(similarity.apply(here) - metres, axis=1)
    turns = [np.rad2deg((b.rotation.inv() * similarity.rotation * a.rotation).magnitude()) for a, b in pairs]
    return Registration(parent_frame, similarity, *(float(np.sqrt(np.mean(np.square(v)))) for v in (off_mm, turns)))


def models_in(folder: Path) -> list[Path]:
    """Folders with a model, the highest first."""
    places = [path.parent for path in look_for(folder, ("images.bin", "images.txt"))]
    return [
        place for place in dict.fromkeys(places) if any((place / f"cameras{end}").is_file() for end in (".bin", ".txt"))
    ]


def sfm_of(folder: Path, splat_from_sfm: Sim3) -> Sfm | None:
    """The model as part of a bundle, if it has points to find photos by."""
    whole = any((folder / f"points3D{end}").is_file() for end in (".bin", ".txt"))
    return Sfm(folder, splat_from_sfm) if whole else None


def find(
    folder: Path, splats: Path | None, sfm: Path | None, aligned: Path | None, parent_frame: str, with_cameras: bool
) -> Found:
    """A COLMAP model with splats in its coordinates.

    Args:
        folder: Holds both, unless the next two say otherwise.
        splats: The file.
        sfm: Folder of the model.
        aligned: Folder that `colmap model_aligner` wrote; by default a model in a folder named `aligned`.
        parent_frame: TF frame of the aligned model.
        with_cameras: False leaves the cameras out, and with them what makes fisheyes a fault.

    Raises:
        FileNotFoundError: Splats or model are missing.
        ValueError: There are several, or something in them is wrong.
    """
    who = f"COLMAP output {folder.name!r}"
    models = [place.resolve() for place in models_in(folder)]
    aligned = (
        next((place for place in models if "aligned" in place.name), None) if aligned is None else aligned.resolve()
    )
    place = sfm or the_only(who, [p for p in models if p != aligned], "COLMAP model", "--sfm FOLDER")
    if splats is None:
        names = ("splat.ply", "splats.ply", "point_cloud.ply", "scene.ply", "splat.spz", "splats.spz", "scene.spz")
        splats = the_only(who, look_for(folder, names), "splat file in the model's coordinates", "--splats FILE")
    registration = None
    notes: list[str] = []
    if aligned is not None:
        if not aligned.is_dir():
            why = "a file with the transform alone does not say how well it fits"
            raise ValueError(f"--aligned: wanted the folder that model_aligner wrote, got {str(aligned)!r}; {why}")
        registration = align(read_model(place), read_model(aligned), parent_frame)
        notes.append(f"registered by '{aligned.name}': its units were taken for metres of '{parent_frame}'")
    model = read_model(place) if with_cameras else Model((), ())
    if model.distorted:
        notes.append(distortion_note(model.distorted))
    return Found(
        splats, model.cameras, sfm_of(place, Sim3.identity()), database_of(place), registration, notes=tuple(notes)
    )


def database_of(model: Path) -> Path | None:
    """`database.db` beside a model, or in the folders that it usually lies under."""
    places = (model / "database.db", model.parent / "database.db", model.parent.parent / "database.db")
    return next((place for place in places if place.is_file()), None)


def distortion_note(models: Sequence[str]) -> str:
    """What happens to cameras that bend lines."""
    return (
        f"lens distortion ({', '.join(models)}) is left out of the cameras: they become pinholes of equal focal length"
    )


def _intrinsics(
    where: str, lens: Lens | None, name: object, size: tuple[int, int], values: Sequence[float]
) -> _Intrinsics:
    if lens is None:
        raise ValueError(f"{where}: wanted one of {', '.join(BY_NAME)}, got {shown(name)}")
    if not lens.pinhole:
        raise ValueError(
            f"{where}: wanted a lens that is nearly a pinhole, got {lens.name}; undistort the photos, or leave the "
            "cameras out with --max-cameras 0"
        )
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


def _images_bin(path: Path, intrinsics: dict[int, _Intrinsics]) -> Iterator[Camera]:
    data = _Bytes(path)
    for _ in range(data.count(73)):
        _, *pose, key = data.take("I7dI")
        name = data.text()
        data.skip(24 * int(data.take("Q")[0]))
        yield _known(intrinsics, int(key), name).camera(name, pose[:4], pose[4:])


def _cameras_txt(path: Path) -> Iterator[tuple[int, _Intrinsics]]:
    for at, words in _lines(path):
        if not words:
            continue
        if len(words) < 5:
            raise ValueError(f"{path.name}: line {at}: wanted id, model, width, height, numbers, got {shown(words)}")
        key, width, height = (_whole(path, at, word) for word in (words[0], *words[2:4]))
        values = [_number(path, at, word) for word in words[4:]]
        yield key, _intrinsics(f"{path.name}: camera {key}", BY_NAME.get(words[1]), words[1], (width, height), values)


def _images_txt(path: Path, intrinsics: dict[int, _Intrinsics]) -> Iterator[Camera]:
    lines = _lines(path)
    for at, words in lines:
        if not words:
            continue
        if len(words) < 10:
            raise ValueError(f"{path.name}: line {at}: wanted id, pose, camera, name, got {shown(words)}")
        pose = [_number(path, at, word) for word in words[1:8]]
        name = " ".join(words[9:])
        yield _known(intrinsics, _whole(path, at, words[8]), name).camera(name, pose[:4], pose[4:])
        next(lines, None)  # the image's points, a line that may be empty


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


def _known(intrinsics: dict[int, _Intrinsics], key: int, image: str) -> _Intrinsics:
    if key not in intrinsics:
        raise ValueError(f"image {shown(image)}: wanted one of the {len(intrinsics)} cameras, got number {key}")
    return intrinsics[key]
