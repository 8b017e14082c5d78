"""Camera poses from photos, by COLMAP; what is in its database already is not computed again."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from hearing_hands_ros.scene.reconstruct.photos import FEWEST_PHOTOS, Photos, Report, listed

Matching = Literal["auto", "exhaustive", "sequential"]

MOST_EXHAUSTIVE = 60  # photos; beyond, every photo with every other takes too long
NEIGHBOURS = 10  # sequential matching: so many following photos, and ever wider steps
PHOTOS_AT_ONCE, PAIRS_AT_ONCE = 8, 48
LEAST_SHARE = 0.5  # of the photos that must get a pose


@dataclass(frozen=True)
class ColmapOptions:
    """How thorough the search for camera poses is.

    Attributes:
        matching: Which photos are compared; auto is exhaustive up to 60 photos.
        features: Most SIFT features in one photo.
        focal_px: Focal length of the photos, where it is known from a calibration; it is then kept. None: it is found
            with the poses, which photos from one distance alone do not tell well.
        seed: Of COLMAP's random samples; photos and seed decide the result up to rounding.
    """

    matching: Matching = "auto"
    features: int = 4096
    focal_px: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.features < 1 or not (self.focal_px is None or self.focal_px > 0.0):
            raise ValueError(f"ColmapOptions: wanted positive features and focal_px, got {self}")


def pycolmap() -> Any:
    """The module pycolmap, silent.

    Raises:
        ModuleNotFoundError: It is not installed; says how to.
    """
    try:
        import pycolmap as module
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'COLMAP: wanted the module pycolmap, got none; pip install "hearing_hands_ros[scene]"'
        ) from error
    module.logging.minloglevel = int(module.logging.FATAL)
    return module


@contextmanager
def opened(database: Path) -> Iterator[Any]:
    """A COLMAP database that is closed again."""
    handle = pycolmap().Database.open(database)
    try:
        yield handle
    finally:
        handle.close()


def extract(photos: Photos, database: Path, options: ColmapOptions, report: Report) -> None:
    """SIFT features of every photo into the database.

    Raises:
        ValueError: A focal length was given for photos of several sizes.
    """
    colmap = pycolmap()
    extraction = colmap.FeatureExtractionOptions()
    extraction.sift.max_num_features = options.features
    extraction.num_threads = os.cpu_count() or 1
    reader = colmap.ImageReaderOptions()
    total = len(photos.names)
    if options.focal_px is not None:
        if photos.size is None:
            raise ValueError("scene build: wanted photos of one size for a known focal length, got several sizes")
        width, height = photos.size
        reader.camera_params = f"{options.focal_px},{width / 2},{height / 2},0"
    with opened(database) as db:
        # A photo whose features were cut off has an entry without descriptors; COLMAP does that one again.
        done = {image.name for image in db.read_all_images() if db.exists_descriptors(image.image_id)}
    missing = [name for name in photos.names if name not in done]
    for start in range(0, len(missing), PHOTOS_AT_ONCE):
        report("finding features", total - len(missing) + start, total)
        with opened(database) as db:
            cameras = db.read_all_cameras()
        if photos.size and cameras:
            reader.existing_camera_id = cameras[0].camera_id
        colmap.extract_features(
            database,
            photos.folder,
            image_names=missing[start : start + PHOTOS_AT_ONCE],
            camera_mode=colmap.CameraMode.SINGLE if photos.size else colmap.CameraMode.PER_IMAGE,
            reader_options=reader,
            extraction_options=extraction,
        )
    report("finding features", total, total)


def pairs(count: int, matching: Matching) -> list[tuple[int, int]]:
    """Which photos are compared with which, as index pairs in ascending order.

    Exhaustive: all. Sequential, for photos in the order of a walk: each with the next 10 and those 16, 32, ... later,
    so that a walk back to the start is noticed.
    """
    if matching == "exhaustive" or (matching == "auto" and count <= MOST_EXHAUSTIVE):
        return list(combinations(range(count), 2))
    steps = [*range(1, NEIGHBOURS + 1), *(2**k for k in range(4, max(4, math.ceil(math.log2(max(count, 2))))))]
    return [(i, i + step) for i in range(count) for step in steps if i + step < count]


def match(photos: Photos, database: Path, options: ColmapOptions, report: Report) -> None:
    """Compare the photos' features, and keep the matches that a rigid scene explains."""
    colmap = pycolmap()
    with opened(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        done = set(db.read_two_view_geometry_num_inliers()[0])
    wanted = [(photos.names[a], photos.names[b]) for a, b in pairs(len(photos.names), options.matching)]
    missing = [pair for pair in wanted if colmap.image_pair_to_pair_id(*(ids[name] for name in pair)) not in done]
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = options.seed
    pairing = colmap.ImportedPairingOptions()
    with tempfile.TemporaryDirectory() as folder:
        pairing.match_list_path = Path(folder) / "pairs.txt"
        for start in range(0, len(missing), PAIRS_AT_ONCE):
            report("matching photos", len(wanted) - len(missing) + start, len(wanted))
            lines = [f"{a} {b}\n" for a, b in missing[start : start + PAIRS_AT_ONCE]]
            pairing.match_list_path.write_text("".join(lines), encoding="utf-8")
            colmap.match_image_pairs(database, pairing_options=pairing, verification_options=verification)
    report("matching photos", len(wanted), len(wanted))


def solve(
    photos: Photos, titles: tuple[str, ...], database: Path, folder: Path, options: ColmapOptions, report: Report
) -> list[int]:
    """Poses of the cameras and 3D points, by incremental mapping; the largest model is written into `folder`.

    Args:
        photos: Named by number.
        titles: (P) their names for messages.
        database: With features and matches.
        folder: Is made.
        options: How.
        report: Told how many photos have a place.

    Returns:
        Numbers of photos in the further models, which hang together in themselves but not with the largest.

    Raises:
        ValueError: The photos do not overlap enough: fewer than half of them, or fewer than 3, got a pose; names them.
    """
    colmap = pycolmap()
    mapping = colmap.IncrementalPipelineOptions()
    mapping.random_seed = mapping.mapper.random_seed = mapping.triangulation.random_seed = options.seed
    mapping.min_model_size = FEWEST_PHOTOS
    mapping.ba_refine_focal_length = mapping.mapper.abs_pose_refine_focal_length = options.focal_px is None
    total, placed = len(photos.names), 0

    def next_photo() -> None:
        nonlocal placed
        placed = min(placed + 1, total)
        report("placing cameras", placed, total)

    report("placing cameras", 0, total)
    with tempfile.TemporaryDirectory() as attempts:
        models = colmap.incremental_mapping(
            database,
            photos.folder,
            attempts,
            mapping,
            initial_image_pair_callback=next_photo,
            next_image_callback=next_photo,
        )
    report("placing cameras", total, total)
    ranked = sorted(models.values(), key=lambda model: model.num_reg_images(), reverse=True)
    seen = {image.name for image in ranked[0].images.values() if image.has_pose} if ranked else set()
    left_out = [title for name, title in zip(photos.names, titles, strict=True) if name not in seen]
    if len(seen) < max(FEWEST_PHOTOS, LEAST_SHARE * total):
        raise ValueError(
            f"scene build: wanted photos that overlap, got a common scene of {len(seen)} of {total}; they may be too "
            f"far apart, blurred, or of plain surfaces. Without a place: {listed(left_out)}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    ranked[0].write_binary(folder)
    return [model.num_reg_images() for model in ranked[1:]]
