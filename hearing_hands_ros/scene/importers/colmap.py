"""A COLMAP model with splats in its coordinates; and what `colmap model_aligner` says about metres."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hearing_hands_ros.scene.bundle import Registration, Sfm
from hearing_hands_ros.scene.importers.colmap_model import Model, read_model
from hearing_hands_ros.scene.importers.found import Found, look_for, the_only
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

LEAST_COMMON = 3  # images that two models must share


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
