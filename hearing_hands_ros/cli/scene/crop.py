"""`hearing-hands scene crop`: the Gaussians inside a box or a sphere."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.cli.scene.places import make_console, make_status, new_place, open_scene, splats_file
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.splats import SplatScene, write_splats

Array = NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene crop`."""
    parser.add_argument("scene", type=Path, help="Folder of a scene bundle, or a .ply or .spz file.")
    parser.add_argument("out", type=Path, help="New bundle, or new file.")
    region = parser.add_mutually_exclusive_group(required=True)
    corners = ("X0", "Y0", "Z0", "X1", "Y1", "Z1")
    region.add_argument("--box", type=float, nargs=6, metavar=corners, help="Two opposite corners.")
    region.add_argument("--sphere", type=float, nargs=4, metavar=("X", "Y", "Z", "R"), help="Middle and radius.")
    parser.add_argument(
        "--units",
        choices=("metres", "splat"),
        help="What the numbers are: metres in the scene's frame, or splat units; default: metres if registered.",
    )


def run(args: argparse.Namespace) -> int:
    """Crop and write; 0 if something is left."""
    out = new_place(args.out)
    with make_status().status("reading") as status:
        scene = open_scene(args.scene)
        splats = scene.splats if isinstance(scene, SceneBundle) else scene
        inside = within(splats.means.astype(np.float64) * metres_per_unit(scene, args.units), args.box, args.sphere)
        if not inside.any():
            raise ValueError(f"scene crop: wanted Gaussians in the region, got none of {len(splats)}")
        status.update("writing")
        if isinstance(scene, SceneBundle):
            cropped = crop(scene, inside)
            cropped.save(out, splats_file(scene))
        else:
            write_splats(out, splats.select(inside))
    make_console().print(f"{out}: {np.count_nonzero(inside):,} of {len(splats):,} Gaussians", markup=False)
    return 0


def crop(bundle: SceneBundle, inside: NDArray[np.bool_]) -> SceneBundle:
    """Some Gaussians of a bundle, their labels, and the cameras that see any of them."""
    splats = bundle.splats.select(inside)
    means = splats.means.astype(np.float64)
    cameras = tuple(camera for camera in bundle.cameras if sees(camera, means))
    return replace(bundle, splats=splats, labels=bundle.labels[inside], cameras=cameras, sha256="")


def metres_per_unit(scene: SceneBundle | SplatScene, units: str | None) -> float:
    """What the means are multiplied with to be in the region's unit.

    Raises:
        ValueError: Metres are wanted of a scene that is not registered.
    """
    registered = isinstance(scene, SceneBundle) and scene.registration is not None
    if units == "metres" and not registered:
        raise ValueError("scene crop: wanted a registered scene for --units metres, got one without registration")
    if isinstance(scene, SceneBundle) and registered and units != "splat":
        return scene.scale
    return 1.0


def within(points: Array, box: list[float] | None, sphere: list[float] | None) -> NDArray[np.bool_]:
    """(N,) which of the (N, 3) points lie in the box (two corners) or else the sphere (middle, radius).

    Raises:
        ValueError: The region has no volume.
    """
    if box is not None:
        low, high = np.minimum(box[:3], box[3:]), np.maximum(box[:3], box[3:])
        if not (np.isfinite([low, high]).all() and (high > low).all()):
            raise ValueError(f"--box: wanted two corners that differ along each axis, got {box}")
        return np.asarray(((points >= low) & (points <= high)).all(axis=1))
    if sphere is None or not np.isfinite(sphere).all() or sphere[3] <= 0:
        raise ValueError(f"--sphere: wanted a middle and a positive radius, got {sphere}")
    return np.asarray(np.linalg.norm(points - sphere[:3], axis=1) <= sphere[3])


def sees(camera: Camera, points: Array) -> bool:
    """Whether any of the (N, 3) points falls into its picture."""
    x, y, depth = (camera.viewmat[:3, :3] @ points.T) + camera.viewmat[:3, 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy
    return bool(((depth > 0) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)).any())
