"""Photos to a scene bundle, stage by stage; a second run goes on where the first one stopped."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hearing_hands_ros.scene.bundle import SceneBundle, Sfm
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct import colmap
from hearing_hands_ros.scene.reconstruct.colmap import ColmapOptions
from hearing_hands_ros.scene.reconstruct.descriptors import write_descriptors
from hearing_hands_ros.scene.reconstruct.model import cameras_of, points_of, up_of
from hearing_hands_ros.scene.reconstruct.photos import Photos, Report, find_photos, numbered
from hearing_hands_ros.scene.reconstruct.points import splats_from_points
from hearing_hands_ros.scene.reconstruct.training import TrainingOptions, View, train
from hearing_hands_ros.scene.reconstruct.work import Work, lost_anew, refuse_loss
from hearing_hands_ros.scene.sim3 import Sim3

SFM_FOLDER = "sfm"
PHOTOS_FOLDER = "photos"  # in the work folder, named by number
BUNDLE_CAMERAS = 16  # default views of a bundle; more only make its file long
SHOWN_OPACITY, SHOWN_SIZE = 0.9, 0.5  # of Gaussians that stay as they are: opaque, side by side
FIRST_OPACITY, FIRST_SIZE = 0.1, 1.0  # of Gaussians that training begins with


@dataclass(frozen=True)
class BuildOptions:
    """How a scene is built.

    Attributes:
        frame_id: TF frame of the scene; None leaves it as it is, and is `scene` in a new bundle.
        colmap: How camera poses are found.
        training: How Gaussians are fitted, where there is CUDA.
        force: Whether a bundle may lose registration, materials or trained Gaussians.

    Raises:
        ValueError: `frame_id` can be no TF frame.
    """

    frame_id: str | None = None
    colmap: ColmapOptions = field(default_factory=ColmapOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    force: bool = False

    def __post_init__(self) -> None:
        if self.frame_id is not None and (not self.frame_id.strip() or self.frame_id.startswith("/")):
            raise ValueError(f"BuildOptions: frame_id: wanted a TF frame without leading '/', got {self.frame_id!r}")


@dataclass(frozen=True)
class BuildReport:
    """What came of the photos.

    Attributes:
        photos: How many there are.
        left_out: Names of those that found no place.
        other_models: Numbers of photos in groups that hang together, but not with the scene.
        points: 3D points that the poses were found with.
        gaussians: In the bundle.
        trained: Whether they were fitted to the photos; else there is one on each point.
        begun_anew: Why results of an earlier run were dropped; empty if they were not.
    """

    photos: int
    left_out: tuple[str, ...]
    other_models: tuple[int, ...]
    points: int
    gaussians: int
    trained: bool
    begun_anew: str


def has_cuda() -> bool:
    """Whether training can run: torch, gsplat and a GPU are there."""
    try:
        import gsplat  # type: ignore[import-untyped]
        import torch
    except ImportError:
        return False
    return bool(gsplat) and torch.cuda.is_available()


def build(photo_folder: str | Path, out: str | Path, options: BuildOptions, report: Report) -> BuildReport:
    """Make a scene bundle of photos; it has no registration yet.

    Args:
        photo_folder: Photos of a scene that does not move, each overlapping with others.
        out: Folder of the bundle: new, empty, or left by an earlier run, which is then gone on with.
        options: How.
        report: Told what is done, and how much of it.

    Raises:
        FileNotFoundError: There is no such folder.
        ModuleNotFoundError: pycolmap is not installed.
        ValueError: The photos are too few, cannot be read, or do not overlap; names them. Or `out` holds other things,
            or would lose what photos do not bring back.
    """
    found = find_poses(photo_folder, out, options, report)
    trained = has_cuda()
    work = found.work
    if trained and work.done.get("training") != asdict(options.training):
        if not options.force:
            lost = [what for what in lost_anew(found.bundle, "training" in work.done) if what != "its registration"]
            refuse_loss(found.bundle, lost, "training begins anew")
        _train(found, options.training, report)
        work.finish("training", **asdict(options.training))
    return BuildReport(
        photos=len(found.photos.names),
        left_out=tuple(sorted(set(found.photos.names) - {camera.name for camera in found.cameras})),
        other_models=tuple(work.done["model"]["other_models"]),
        points=len(found.model.points3D),
        gaussians=len(SceneBundle.load(out, registered=False).splats),
        trained=trained,
        begun_anew=work.begun_anew,
    )


@dataclass(frozen=True)
class FoundPoses:
    """Photos with their camera poses, and the bundle that was begun with them.

    Attributes:
        photos: All of them.
        bundle: Its folder; the bundle has one Gaussian on each point.
        folder: Of the COLMAP model in the bundle.
        model: pycolmap.Reconstruction.
        cameras: With a pose, by name.
        work: Intermediate results.
    """

    photos: Photos
    bundle: Path
    folder: Path
    model: Any
    cameras: tuple[Camera, ...]
    work: Work


def find_poses(photo_folder: str | Path, out: str | Path, options: BuildOptions, report: Report) -> FoundPoses:
    """The first part of `build`, which needs no GPU; the same arguments and errors."""
    out = Path(out)
    colmap.pycolmap()
    photos = find_photos(photo_folder, report)
    work = Work.open(out, photos, asdict(options.colmap), options.force)
    images = numbered(photos, work.folder / PHOTOS_FOLDER)
    database, model_folder = work.folder / "database.db", work.folder / "model"
    if "features" not in work.done:
        colmap.extract(images, database, options.colmap, report)
        work.finish("features")
    if "matches" not in work.done:
        colmap.match(images, database, options.colmap, report)
        work.finish("matches")
    if "model" not in work.done:
        other_models = colmap.solve(images, photos.names, database, model_folder, options.colmap, report)
        work.finish("model", other_models=other_models)
    model = colmap.pycolmap().Reconstruction(model_folder)
    titles = dict(zip(images.names, photos.names, strict=True))
    for image in model.images.values():
        image.name = titles[image.name]
    if "bundle" not in work.done:
        _write_first_bundle(out, model, model_folder, database, options)
        work.finish("bundle")
    _name_frame(out, options.frame_id)
    return FoundPoses(photos, out, out / SFM_FOLDER, model, cameras_of(model), work)


def _name_frame(out: Path, frame_id: str | None) -> None:
    """Give a bundle of an earlier run another frame, if one is wanted."""
    bundle = SceneBundle.load(out, registered=False)
    if frame_id not in (None, bundle.frame_id):
        replace(bundle, frame_id=frame_id).save(out, splats_file=bundle.splats.source)


def _write_first_bundle(out: Path, model: Any, model_folder: Path, database: Path, options: BuildOptions) -> None:
    """One Gaussian a point, the default cameras, and what a robot's images are found with."""
    sfm = out / SFM_FOLDER
    if sfm.exists():
        shutil.rmtree(sfm)
    sfm.mkdir(parents=True)
    model.write_binary(sfm)
    write_descriptors(model_folder, database, sfm)  # by the names that the database has
    cameras = cameras_of(model)
    points, rgb = points_of(model)
    splats = splats_from_points(points, rgb, SHOWN_OPACITY, SHOWN_SIZE, source=out.name)
    bundle = SceneBundle(
        name=out.resolve().name,
        splats=splats,
        frame_id=options.frame_id or "scene",
        up=up_of(cameras),
        cameras=_spread(cameras),
        sfm=Sfm(sfm, Sim3.identity()),
    )
    bundle.save(out, splats_file="scene.ply")


def _train(found: FoundPoses, options: TrainingOptions, report: Report) -> None:
    """Fit the Gaussians to the photos with gsplat on CUDA, and put them into the bundle."""
    from gsplat import rasterization  # type: ignore[import-untyped]

    work = found.work.folder
    views = _views(work, work / PHOTOS_FOLDER, options.longest_side, report)
    points, rgb = points_of(found.model)
    start = splats_from_points(points, rgb, FIRST_OPACITY, FIRST_SIZE, source=found.bundle.name)
    splats = train(start, views, options, rasterization, "cuda", work / "training.pt", report)
    bundle = SceneBundle.load(found.bundle, registered=False)
    unlabelled = np.zeros(0, np.uint8)
    replace(bundle, splats=splats, labels=unlabelled).save(found.bundle, splats_file="scene.ply")


def _views(work: Path, photos: Path, longest_side: int, report: Report) -> list[View]:
    """The photos without lens distortion, scaled down where they are larger than wanted."""
    folder = work / "undistorted"
    report("undistorting photos", 0, 1)
    undistortion = colmap.pycolmap().UndistortCameraOptions()
    undistortion.max_image_size = longest_side
    colmap.pycolmap().undistort_images(folder, work / "model", photos, undistort_options=undistortion)
    report("undistorting photos", 1, 1)
    views = []
    for camera in cameras_of(colmap.pycolmap().Reconstruction(folder / "sparse")):
        with Image.open(folder / "images" / camera.name) as image:
            views.append(View(camera, np.asarray(image.convert("RGB"))))
    return views


def _spread(cameras: tuple[Camera, ...]) -> tuple[Camera, ...]:
    """At most so many of them, evenly along the way they were taken."""
    which = np.unique(np.linspace(0, len(cameras) - 1, min(BUNDLE_CAMERAS, len(cameras))).round().astype(int))
    return tuple(cameras[i] for i in which)
