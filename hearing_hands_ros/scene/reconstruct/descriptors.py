"""What an image needs to be found in a COLMAP model: the descriptors of its 3D points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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
