"""`hearing-hands scene register`: find where and how large a scene is in a robot's frame."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hearing_hands_ros.cli.scene.places import line, make_console, make_status
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.registration.images import CameraObservation, register_from_images
from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError, RegistrationReport
from hearing_hands_ros.scene.registration.save import save_registration
from hearing_hands_ros.scene.sim3 import Sim3

BAGS = (".mcap", ".db3")
PICTURES = (".png", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene register`."""
    parser.add_argument("bundle", type=Path, help="Folder of the scene bundle.")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--pairs", type=Path, help="Table of points in splat units and robot metres, .csv or .yaml.")
    way.add_argument("--images", type=Path, help="Folder of camera images with poses.yaml.")
    way.add_argument("--bag", type=Path, help="Recording with camera images, CameraInfo and TF.")
    way.add_argument("--live", action="store_true", help="Take images from the running robot.")
    way.add_argument(
        "--cloud", type=Path, help="Point cloud: .ply or .npy in the parent frame, or a recording with TF."
    )
    parser.add_argument("--parent-frame", default="base_link", help="TF frame of the robot; default: base_link.")
    parser.add_argument("--image-topic", default="", help="Of the images; default: the recording's only one.")
    parser.add_argument("--camera-info-topic", default="", help="Of the CameraInfo; likewise.")
    parser.add_argument("--cloud-topic", default="", help="Of the PointCloud2; likewise.")
    parser.add_argument("--count", type=int, default=40, help="Images that are taken at most; default: 40.")
    parser.add_argument(
        "--standing",
        action="store_true",
        help="The camera of --bag or --live stood at every image; default: TF is asked, and those in motion left out.",
    )
    parser.add_argument("--wait-s", type=float, default=120.0, help="How long --live waits for them, s; default: 120.")
    parser.add_argument(
        "--initial",
        help="Guess for --cloud: 'present' for the registration that the bundle has, or a .yaml with scale, "
        "rotation_wxyz, translation_m; default: every heading is tried.",
    )
    limits = Limits()
    parser.add_argument("--max-residual-mm", type=float, default=limits.residual_mm, help="Default: %(default)s.")
    parser.add_argument("--max-residual-deg", type=float, default=limits.residual_deg, help="Default: %(default)s.")
    parser.add_argument(
        "--inlier-share", type=float, default=limits.inlier_share, help="Share that must agree; default: %(default)s."
    )
    parser.add_argument(
        "--max-tilt-deg", type=float, default=limits.up_deg, help="Of the up axis; default: %(default)s."
    )
    parser.add_argument("--picture", type=Path, help="Draw the result from above into this file (.png, .svg).")
    parser.add_argument("--dry-run", action="store_true", help="Print, but leave scene.yaml as it is.")


def run(args: argparse.Namespace) -> int:
    """Register and write it down; 0 if it was accepted, 1 if it was refused.

    Raises:
        FileNotFoundError: A file or folder that was named is not there.
        ValueError: One of them is something else, or nothing could be written there.
    """
    console = make_console()
    limits = Limits(args.max_residual_mm, args.max_residual_deg, args.inlier_share, args.max_tilt_deg)
    _check_picture(args.picture)
    with make_status().status("reading the scene"):
        bundle = SceneBundle.load(args.bundle.expanduser(), registered=False)
    _check_frame(args.parent_frame, bundle.frame_id)
    try:
        report = register(args, bundle, limits)
    except RegistrationRefusedError as error:
        if error.report is not None:
            tell(console, error.report, limits)
        console.print(f"refused: {escape(str(error))}", style="red")
        if error.report is not None:
            draw(args, bundle, error.report)
        return 1
    tell(console, report, limits)
    if args.dry_run:
        console.print("scene.yaml is left as it was")
    else:
        save_registration(args.bundle.expanduser(), report.registration(args.parent_frame))
        console.print(f"written to {args.bundle / 'scene.yaml'}", markup=False)
    draw(args, bundle, report)
    return 0


def register(args: argparse.Namespace, bundle: SceneBundle, limits: Limits) -> RegistrationReport:
    """Register in the way that was asked for."""
    if args.pairs is not None:
        from hearing_hands_ros.scene.registration.pairs import read_pairs, register_from_pairs

        return register_from_pairs(read_pairs(args.pairs.expanduser()), limits, bundle.up)
    if args.cloud is not None:
        from hearing_hands_ros.scene.registration.icp import register_from_cloud

        initial = _initial(args.initial, bundle)
        cloud = _cloud(args)
        with make_status().status("laying the cloud onto the scene"):
            return register_from_cloud(bundle.splats, cloud, limits, bundle.up, initial)
    observations, left_out = _observations(args)
    with _bar() as progress:
        task = progress.add_task("finding the images in the scene", total=len(observations))
        return register_from_images(bundle, observations, limits, left_out, lambda: progress.advance(task))


def tell(console: Console, report: RegistrationReport, limits: Limits) -> None:
    """Print the residuals and what came out."""
    table = Table("", "mm", "deg", "")
    for number in (1, 2):
        table.columns[number].justify = "right"
    for residual in report.worst(limits, len(report.observations)):
        style = None if residual.is_inlier else "red"
        note = "" if residual.is_inlier else "does not agree"
        table.add_row(escape(residual.name), f"{residual.mm:.1f}", f"{residual.deg:.2f}", note, style=style)
    for name, why in report.left_out.items():
        table.add_row(escape(name), "", "", f"left out: {escape(why)}", style="yellow")
    console.print(table)
    found = report.parent_from_splat
    line(console, "agree", f"{len(report.inliers)} of {len(report.observations)}")
    line(console, "residual", f"{report.residual_mm:.2f} mm, {report.residual_deg:.3f} deg (root mean square)")
    line(console, "scale", f"{found.scale:.6g} m per splat unit")
    line(console, "rotation", f"{np.round(found.rotation_wxyz, 5).tolist()} (w, x, y, z)")
    line(console, "translation", f"{np.round(found.translation, 4).tolist()} m")


def draw(args: argparse.Namespace, bundle: SceneBundle, report: RegistrationReport) -> None:
    """Write the picture, where one was asked for.

    Raises:
        ValueError: It cannot be written.
    """
    if args.picture is not None:
        from hearing_hands_ros.scene.registration.picture import draw_top_view

        try:
            draw_top_view(args.picture.expanduser(), bundle.splats, report, args.parent_frame)
        except OSError as error:
            raise ValueError(f"--picture: wanted a file that can be written, got: {error}") from error


def _check_picture(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture: wanted a file that ends in {' or '.join(PICTURES)}, got '{path}'")
    if not path.expanduser().parent.is_dir():
        raise ValueError(f"--picture: wanted a file in a folder that is there, got '{path}'")


def _check_frame(parent_frame: str, scene_frame: str) -> None:
    if not parent_frame.strip() or parent_frame.startswith("/") or parent_frame == scene_frame:
        raise ValueError(
            f"--parent-frame: wanted a TF frame of the robot without leading '/', other than the scene's own "
            f"'{scene_frame}', got '{parent_frame}'"
        )


def _observations(args: argparse.Namespace) -> tuple[list[CameraObservation], Mapping[str, str]]:
    if args.images is not None:
        from hearing_hands_ros.scene.registration.image_folder import read_image_folder

        return read_image_folder(args.images.expanduser())
    from hearing_hands_ros.ros.image_choice import ImageChoice

    choice = ImageChoice(args.count, standing=args.standing)
    if args.bag is not None:
        from hearing_hands_ros.ros.registration_bag import RegistrationBag

        with make_status().status("reading the recording"), closing(RegistrationBag(args.bag.expanduser())) as bag:
            return bag.images(args.image_topic, args.camera_info_topic, args.parent_frame, choice)
    if not (args.image_topic and args.camera_info_topic):
        raise ValueError("scene register --live: wanted --image-topic and --camera-info-topic, got one or none")
    from hearing_hands_ros.ros.camera_collector import collect_images

    with _bar() as progress:
        task = progress.add_task("move the camera, and hold it still now and then", total=args.count)
        return collect_images(
            args.image_topic,
            args.camera_info_topic,
            args.parent_frame,
            choice,
            args.wait_s,
            lambda: progress.advance(task),
        )


def _cloud(args: argparse.Namespace) -> NDArray[np.float64]:
    path = args.cloud.expanduser()
    if path.is_dir() or path.suffix in BAGS:
        from hearing_hands_ros.ros.registration_bag import RegistrationBag

        with make_status().status("reading the recording"), closing(RegistrationBag(path)) as bag:
            return bag.cloud(args.cloud_topic, args.parent_frame)[0]
    from hearing_hands_ros.scene.registration.cloud_file import read_cloud

    return read_cloud(path)


def _initial(given: str | None, bundle: SceneBundle) -> Sim3 | None:
    if given is None:
        return None
    if given == "present":
        return bundle.registered.parent_from_splat
    path = Path(given).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"--initial: wanted 'present' or a .yaml file, got {given!r}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Sim3(document["scale"], document["rotation_wxyz"], document["translation_m"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"--initial '{path}': wanted scale, rotation_wxyz and translation_m, got: {error}") from error


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=make_status())
