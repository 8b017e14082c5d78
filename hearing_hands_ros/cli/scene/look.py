"""`hearing-hands scene look`: what a touch would look like to a model, with a hand or a gripper in place."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.cli.scene.places import line, make_console, make_status
from hearing_hands_ros.demo import hand
from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.gripper_touch import Gripper
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView
from hearing_hands_ros.scene.views import Moment, SceneViews, Views, ViewSettings

Array = NDArray[np.float64]

PICTURES = (".png", ".jpg", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene look`."""
    local = LocalView()
    add = parser.add_argument
    add("bundle", type=Path, help="Folder of a registered scene bundle.")
    add("--point", type=float, nargs=3, required=True, metavar=("X", "Y", "Z"), help="Touched point, m.")
    add("--frame", choices=("scene", "parent"), default="scene", help="Of the point: frame_id, or the robot's frame.")
    add("--out", type=Path, required=True, help=f"Picture to write ({', '.join(PICTURES)}).")
    add("--urdf", type=Path, help="A gripper instead of a hand: its collision shapes are drawn.")
    add("--joint", action="append", default=[], metavar="NAME=VALUE", help="Of the URDF, rad or m; may be repeated.")
    add("--link", action="append", default=[], help="Of the URDF, to draw; default: all with collision shapes.")
    add(
        "--tip", default="", help="Link of the URDF that touches with its origin, z first; default: the foremost point."
    )
    add("--turn-deg", type=float, default=0.0, help="Turns hand or gripper about the surface's normal.")
    add("--view", default="", help="Global view: a camera of the scene, top or side; default: its first camera.")
    add("--width-m", type=float, default=local.width_m, help="Of the local view, m; default: %(default)s.")
    add("--size", type=int, default=2 * local.size, help="Of each picture, pixels; default: %(default)s.")


def run(args: argparse.Namespace) -> int:
    """Render and write; 0 if there was a surface to touch."""
    out = args.out.expanduser()
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"--out: wanted a file that ends in {', '.join(PICTURES)}, got '{out}'")
    gripper = None
    if args.urdf is not None:
        gripper = Gripper.from_urdf(args.urdf.expanduser(), positions(args.joint), args.tip, tuple(args.link))
    elif args.joint or args.link or args.tip:
        raise ValueError("scene look: wanted --urdf with --joint, --link and --tip, got them without")
    with make_status().status("rendering"):
        bundle = SceneBundle.load(args.bundle.expanduser())
        surface = SplatSurface(bundle)
        point, normal, material = touched(bundle, surface, np.array(args.point), args.frame)
        local = LocalView(size=args.size, width_m=args.width_m)
        views = SceneViews(bundle, surface, ViewSettings(args.view, local))
        heading = np.asarray(reach(bundle, point, normal, np.deg2rad(args.turn_deg)))
        seen = views.look([moment(gripper, point, normal, heading, bundle.up)])
        draw(out, seen, views.global_camera.name, args.width_m)
    console = make_console()
    point, normal = np.round(point, 4) + 0.0, np.round(normal, 3) + 0.0  # never -0.0
    line(console, "point", f"{point.tolist()} m in {bundle.frame_id}")
    line(console, "normal", f"{normal.tolist()}")
    line(console, "material", material)
    line(console, "written", str(out))
    return 0


def positions(words: list[str]) -> dict[str, float]:
    """Joint positions as typed.

    Raises:
        ValueError: One is not NAME=NUMBER.
    """
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise ValueError(f"--joint: wanted NAME=VALUE with a number, got '{word}'") from error
    return found


def touched(bundle: SceneBundle, surface: SplatSurface, point: Array, frame: str) -> tuple[Array, Array, str]:
    """The surface's point that is nearest to a given one, its normal and its material.

    Raises:
        ValueError: No surface is near.
    """
    if frame == "parent":
        rigid = bundle.registered.parent_from_splat
        point = rigid.rotation.inv().apply(point - rigid.translation)
    answer = surface.query(point[None])
    if not np.isfinite(answer.distance_m[0]):
        low, high = np.percentile(bundle.means_m, (5.0, 95.0), axis=0)
        scene = " to ".join(str(np.round(corner, 2).tolist()) for corner in (low, high))
        cutoff = 100 * surface.settings.cutoff_m
        raise ValueError(
            f"--point: wanted one within {cutoff:.0f} cm of a surface, got {np.round(point, 3).tolist()} in "
            f"{bundle.frame_id}; most of the scene is in {scene}"
        )
    material = int(answer.material[0])
    return answer.point_m[0], answer.normal[0], bundle.material_names[material] if material >= 0 else "unknown"


def reach(bundle: SceneBundle, point: Array, normal: Array, turn_rad: float) -> Array:
    """(3,) unit vector along the surface, away from where the cameras stood, turned about the normal."""
    away = point - bundle.eyes_m.mean(axis=0) if len(bundle.eyes_m) else np.zeros(3)
    candidates = (away, *np.eye(3))
    flat = [candidate - normal * (candidate @ normal) for candidate in candidates]
    along = next(v for v, c in zip(flat, candidates, strict=True) if np.linalg.norm(v) > 0.1 * np.linalg.norm(c) > 0.0)
    along = along / np.linalg.norm(along)
    return np.asarray(np.cos(turn_rad) * along + np.sin(turn_rad) * np.cross(normal, along))


def moment(gripper: Gripper | None, point: Array, normal: Array, heading: Array, up: Array) -> Moment:
    """A touch by the right hand or the gripper."""
    body: SplatScene | None = None
    if gripper is None:
        keypoints = hand.touching(point, normal, heading)
    else:
        body, keypoints = gripper.touching(point, normal, heading, up)
    both = np.stack([np.full((KEYPOINTS, 3), np.nan), keypoints])
    return Moment(both, np.array([False, True]), hand=1, point_m=point, normal=normal, body=body)


def draw(path: Path, seen: Views, camera: str, width_m: float) -> None:
    """Write both views side by side.

    Raises:
        ValueError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.3), dpi=seen.local_rgb.shape[1] / 4, layout="constrained")
    FigureCanvasAgg(figure)
    pictures = (
        (f"global view: {camera}", seen.global_rgb[0]),
        (f"local view: {100 * width_m:g} cm", seen.local_rgb[0]),
    )
    for axes, (title, picture) in zip(figure.subplots(1, 2), pictures, strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    try:
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"--out: wanted a file that can be written, got: {error}") from error
