"""What an image needs to be found in a COLMAP model: the descriptors of its 3D points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.importers.colmap_model import model_faults, read_points
from hearing_hands_ros.scene.reconstruct.colmap import opened, pycolmap

FILE = "descriptors.npz"
LENGTH = 128


def write_descriptors(model: str | Path | Any, database: str | Path, folder: str | Path) -> Path:
    """Write `descriptors.npz` beside a COLMAP model: every observation of every 3D point.

    Args:
        model: Folder of the model, or the pycolmap.Reconstruction.
        database: COLMAP database with the SIFT features that the model was made of.
        folder: Where the file goes.

    Returns:
        The file. `descriptors` (M, 128) uint8, `point3d_ids` (M,) int64, M observations.

    Raises:
        FileNotFoundError: There is no such database.
        ValueError: The database's features are not those of the model.
    """
    database = Path(database)
    who = f"write_descriptors({database.name!r})"
    if not database.is_file():
        raise FileNotFoundError(f"{who}: wanted a COLMAP database, got nothing at {database}")
    reconstruction = pycolmap().Reconstruction(model) if isinstance(model, (str, Path)) else model
    descriptors, ids = [], []
    with opened(database) as db:
        known = {image.name: image.image_id for image in db.read_all_images()}
        for image in reconstruction.images.values():
            points = image.get_observation_points2D() if image.has_pose else []
            if not points:
                continue
            rows = np.array(image.get_observation_point2D_idxs())
            features = db.read_descriptors(known[image.name]).data if image.name in known else np.empty((0, LENGTH))
            if features.ndim != 2 or features.shape[1] != LENGTH or rows.max() >= len(features):
                raise ValueError(
                    f"{who}: {image.name}: wanted at least {rows.max() + 1} SIFT features, got {features.shape[0]}; "
                    "the model was made of another database"
                )
            descriptors.append(features[rows].astype(np.uint8))
            ids.append(np.array([point.point3D_id for point in points], np.int64))
    if not ids:
        raise ValueError(f"{who}: wanted a model with 3D points, got none")
    path = Path(folder) / FILE
    np.savez_compressed(path, descriptors=np.concatenate(descriptors), point3d_ids=np.concatenate(ids))
    return path


def read_features(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.uint8]]:
    """What finds an image in a COLMAP model: its points, and what they look like.

    COLMAP itself would read the model's other files too, and does not come back from some that are broken.

    Returns:
        (P, 3) points in the model's units, and for M descriptors, sorted by point, the point's row and (M, 128) bytes.

    Raises:
        FileNotFoundError: There are no points or no descriptors.
        ValueError: They are damaged, or of different models.
    """
    descriptors, ids = read_descriptors(folder)
    numbers, points = read_points(folder)
    belongs = np.isin(ids, numbers)
    if not belongs.any():
        raise ValueError(f"{FILE}: wanted descriptors of the model's {len(numbers)} points, got none among {len(ids)}")
    row = np.searchsorted(numbers, ids[belongs])
    order = np.argsort(row, kind="stable")
    return points, row[order], descriptors[belongs][order]


def read_descriptors(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(M, 128) descriptors and the (M,) numbers of the points that they are of.

    Raises:
        FileNotFoundError: There are none.
        ValueError: The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"wanted {FILE}, the features of the scene's photos, got none at {path}")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            descriptors, ids = (np.asarray(archive[name]) for name in ("descriptors", "point3d_ids"))
    except Exception as error:  # of zip, zlib or numpy's header
        raise ValueError(f"{FILE}: wanted descriptors and point3d_ids, got a damaged file: {error}") from error
    numbers_agree = descriptors.shape == (ids.size, LENGTH) and ids.ndim == 1
    if not numbers_agree or descriptors.dtype != np.uint8 or ids.dtype.kind not in "iu":
        got = f"{descriptors.dtype} {descriptors.shape} and {ids.dtype} {ids.shape}"
        raise ValueError(f"{FILE}: wanted uint8 (M, {LENGTH}) and whole ids (M,), got {got}")
    return descriptors, ids.astype(np.int64)


def sfm_faults(folder: Path) -> list[str]:
    """Everything that is wrong with a COLMAP model that images are found in; no descriptors at all are no fault."""
    faults = model_faults(folder)
    if (folder / FILE).is_file():
        try:
            if faults:
                read_descriptors(folder)
            else:
                read_features(folder)
        except ValueError as error:
            faults.append(str(error))
    return faults
