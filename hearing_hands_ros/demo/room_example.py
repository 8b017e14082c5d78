"""The worked example of a registration: the synthetic room, photos of it, a robot that looks at it, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import room
from hearing_hands_ros.scene.bundle import SceneBundle, Sfm
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct.colmap import ColmapOptions, pycolmap
from hearing_hands_ros.scene.reconstruct.photos import Report
from hearing_hands_ros.scene.reconstruct.pipeline import BuildOptions, find_poses
from hearing_hands_ros.scene.registration.image_folder import read_image_folder
from hearing_hands_ros.scene.registration.images import register_from_images
from hearing_hands_ros.scene.registration.picture import draw_top_view
from hearing_hands_ros.scene.registration.report import RegistrationReport
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

Array = NDArray[np.float64]

FEATURES = 2048  # in photos as small as these, more add time and nothing else
JPEG_QUALITY = 92
DETAIL = 4  # times as many Gaussians make the room that is photographed: a real one is finer than its splats
CHUNK = 4  # photos between two reports


@dataclass(frozen=True)
class Truth:
    """How far the registration is from what is true.

    Attributes:
        scale_percent: Of the scale.
        rotation_deg: Of the rotation.
        translation_mm: Of the translation, which is where the splats' origin goes.
        scene_mm: Mean displacement of the Gaussians, which is what a hand would notice.
    """

    scale_percent: float
    rotation_deg: float
    translation_mm: float
    scene_mm: float


@dataclass(frozen=True)
class Example:
    """What the example made.

    Attributes:
        bundle: The room, registered.
        report: Of the registration.
        truth: How far it is off.
        wrong: Names of the robot's images whose poses were falsified.
        photos: (P) names and places of the photos, in splat units.
        robot: Cameras of the robot as it believes them to be, in metres.
        images: (R, H, W, 3) what they saw.
    """

    bundle: SceneBundle
    report: RegistrationReport
    truth: Truth
    wrong: tuple[str, ...]
    photos: tuple[Camera, ...]
    robot: tuple[Camera, ...]
    images: NDArray[np.uint8]


def make_example(
    out: str | Path, report: Report, gaussians: int = 200_000, photos: int = 36, robot_images: int = 20
) -> Example:
    """Photograph the room, reconstruct its cameras, let the robot look at it, register.

    The camera poses and 3D points come from the photos and the calibrated focal length of their camera. Gaussians
    trained on the photos would need a GPU; the room's own take their place, laid over the reconstruction by the photos'
    true places.

    Args:
        out: Folder for photos, robot's images and bundle; is made. A second run goes on where the first one stopped.
        report: Told what is done.
        gaussians: About how many the room has.
        photos: How many are taken.
        robot_images: How many the robot takes; the poses of two are wrong.

    Raises:
        ModuleNotFoundError: pycolmap is not installed.
        ValueError: The registration was refused.
    """
    pycolmap()  # a missing one is said before minutes are spent
    out = Path(out)
    report("making the room", 0, 2)
    scene = room.room_bundle(gaussians, registered=False)
    report("making the room", 1, 2)
    world = room.room_bundle(DETAIL * gaussians, registered=False)
    report("making the room", 2, 2)
    cameras = room.photo_cameras(photos)
    take_photos(world, cameras, out / "photos", report)
    # Found from the photos alone, the focal length is off by 0.1 to 0.5 %, and so is the registration's scale.
    options = BuildOptions(colmap=ColmapOptions(features=FEATURES, focal_px=room.PHOTO_FOCAL_PX))
    sfm = find_poses(out / "photos", out / "reconstruction", options, report)
    places = {camera.name: camera.position for camera in cameras}
    splat_from_sfm = umeyama([c.position for c in sfm.cameras], [places[c.name] for c in sfm.cameras])
    scene = replace(scene, sfm=Sfm(sfm.folder, splat_from_sfm))
    true = [replace(camera, name=f"{camera.name}.png") for camera in room.robot_cameras(robot_images)]
    robot, wrong = falsified(true)
    seen = [camera.moved(room.ROBOT_FROM_SPLAT.inverse()) for camera in true]
    images = take_photos(world, seen, out / "robot", report)
    write_poses(robot, out / "robot")
    found = register(scene, out / "robot", report)
    registered = scene.with_registration(found.registration(room.ROBOT_FRAME))
    registered.save(out / "scene", splats_file="scene.ply")
    truth = compare(found.parent_from_splat, scene)
    return Example(registered, found, truth, wrong, cameras, robot, images)


def take_photos(scene: SceneBundle, cameras: Sequence[Camera], folder: Path, report: Report) -> NDArray[np.uint8]:
    """Photograph the room and write the pictures, named as their cameras; pictures that are there are read."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / camera.name for camera in cameras]
    what = f"taking pictures into {folder.name}"
    for start in range(0, len(cameras), CHUNK):
        report(what, start, len(cameras))
        if all(path.is_file() for path in paths[start : start + CHUNK]):
            continue
        pictures = room.photograph(scene.splats, cameras[start : start + CHUNK])
        for path, picture in zip(paths[start:], pictures, strict=False):
            draft = path.with_suffix(".part")
            kind = "PNG" if path.suffix == ".png" else "JPEG"
            Image.fromarray(picture).save(draft, format=kind, quality=JPEG_QUALITY)
            draft.replace(path)
    report(what, len(cameras), len(cameras))
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])


def falsified(cameras: Sequence[Camera]) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    """The robot's cameras, two of which are believed to be elsewhere: one transform was late, one frame had slipped."""
    late, slipped = len(cameras) // 3, 4 * len(cameras) // 5
    believed = list(cameras)
    before = cameras[late - 2]
    believed[late] = replace(cameras[late], position=before.position, rotation_wxyz=before.rotation_wxyz)
    turn = Rotation.from_rotvec([0.0, 0.0, 0.2]) * cameras[slipped].rotation
    moved = cameras[slipped].position + [0.12, -0.08, 0.05]
    believed[slipped] = replace(cameras[slipped], position=moved, rotation_wxyz=to_wxyz(turn))
    return tuple(believed), (cameras[late].name, cameras[slipped].name)


def write_poses(cameras: Sequence[Camera], folder: Path) -> None:
    """Write `poses.yaml`, with which `hearing-hands scene register --images` reads a folder."""
    first = cameras[0]
    lens = {key: float(getattr(first, key)) for key in ("fx", "fy", "cx", "cy")}
    images = [
        {"file": c.name, "position_m": c.position.tolist(), "rotation_wxyz": c.rotation_wxyz.tolist()} for c in cameras
    ]
    document = {"camera": {"width": first.width, "height": first.height, **lens}, "images": images}
    (folder / "poses.yaml").write_text(yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120))


def register(scene: SceneBundle, folder: Path, report: Report) -> RegistrationReport:
    """Find the room in the robot's frame from its images and the poses that it believes."""
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        report("locating the robot's images", done, len(observations))

    observations, left_out = read_image_folder(folder)
    report("locating the robot's images", 0, len(observations))
    return register_from_images(scene, observations, left_out=left_out, advance=advance)


def compare(found: Sim3, scene: SceneBundle) -> Truth:
    """How far a registration of the room is off."""
    true = room.ROBOT_FROM_SPLAT
    turn = (found.rotation * true.rotation.inv()).magnitude()
    means = scene.splats.means
    displaced = np.linalg.norm(found.apply(means) - true.apply(means), axis=1)
    return Truth(
        100.0 * abs(found.scale / true.scale - 1.0),
        float(np.rad2deg(turn)),
        1e3 * float(np.linalg.norm(found.translation - true.translation)),
        1e3 * float(displaced.mean()),
    )


def draw(example: Example, out: str | Path) -> list[Path]:
    """Write `views.png` (a photo; the robot's image beside the view from the registered pose) and `top_view.png`."""
    views, top = Path(out) / "views.png", Path(out) / "top_view.png"
    _draw_views(example, views)
    draw_top_view(top, example.bundle.splats, example.report, room.ROBOT_FRAME)
    return [views, top]


def _draw_views(example: Example, path: Path) -> None:
    from matplotlib.figure import Figure

    right = [i for i, camera in enumerate(example.robot) if camera.name not in example.wrong]
    which = right[len(right) // 2]
    splat_from_robot = example.report.parent_from_splat.inverse()
    view = room.photograph(example.bundle.splats, [example.robot[which].moved(splat_from_robot)])[0]
    image = example.images[which]
    photo = room.photograph(example.bundle.splats, [example.photos[len(example.photos) // 3]])[0]
    difference = np.abs(view.astype(float) - image).mean()
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    titles = (
        "one of the photos",
        "what the robot's camera saw",
        f"the scene from the registered pose (off by {difference:.1f} of 255)",
    )
    for axes, picture, title in zip(figure.subplots(1, 3), (photo, image, view), titles, strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    figure.savefig(path, dpi=90)
