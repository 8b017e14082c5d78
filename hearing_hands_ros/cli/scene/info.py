"""`hearing-hands scene info`: what is in a scene bundle or a splat file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console
from rich.table import Table

from hearing_hands_ros.cli.scene.places import line, make_console, make_status, open_scene
from hearing_hands_ros.scene.bundle import NO_MATERIAL, SceneBundle
from hearing_hands_ros.scene.splats import SplatScene

QUANTILES = (0, 5, 50, 95, 100)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene info`."""
    parser.add_argument("scene", type=Path, help="Folder of a scene bundle, or a .ply or .spz file.")


def run(args: argparse.Namespace) -> int:
    """Print; 0 if it could be read."""
    with make_status().status("reading"):
        scene = open_scene(args.scene)
    tell(make_console(), scene)
    return 0


def tell(console: Console, scene: SceneBundle | SplatScene) -> None:
    """Print what a scene is made of."""
    if isinstance(scene, SplatScene):
        line(console, "file", scene.source)
        tell_splats(console, scene, None)
        return
    line(console, "name", scene.name)
    line(console, "file", f"{scene.splats.source}, sha256 {scene.sha256[:12]}… {'ok' if scene.sha256 else 'not saved'}")
    tell_splats(console, scene.splats, scene.scale if scene.registration else None)
    line(console, "frame", f"{scene.frame_id}, up {_row(scene.up)}")
    tell_registration(console, scene)
    sizes = sorted({f"{camera.width} x {camera.height}" for camera in scene.cameras})
    line(console, "cameras", f"{len(scene.cameras)}{f' of {chr(44).join(sizes)} pixels' if sizes else ''}")
    line(console, "viewpoints", str(len(scene.viewpoints_m)))
    line(console, "sfm", str(scene.sfm.folder) if scene.sfm else "none: photos cannot be found in the scene")
    tell_materials(console, scene)


def tell_splats(console: Console, splats: SplatScene, metres_per_unit: float | None) -> None:
    """Count, colours, sizes and opacities."""
    line(console, "Gaussians", f"{len(splats):,}, spherical harmonics of degree {splats.sh_degree}")
    low, high = np.percentile(splats.means, (5, 95), axis=0)
    ends = splats.means.min(axis=0), splats.means.max(axis=0)
    line(
        console,
        "extent",
        f"{_size(ends[1] - ends[0], 1.0)} units; nine tenths along each axis {_size(high - low, 1.0)}",
    )
    if metres_per_unit is not None:
        line(console, "", f"{_size(ends[1] - ends[0], metres_per_unit)} m; {_size(high - low, metres_per_unit)} m")
    unit, factor = ("units", 1.0) if metres_per_unit is None else ("mm", 1000.0 * metres_per_unit)
    heading = ", ".join(f"{quantile} %" for quantile in QUANTILES)
    line(console, "scales", f"{_quantiles(splats.scales.max(axis=1) * factor)} {unit}, longest ({heading})")
    line(console, "opacities", f"{_quantiles(splats.opacities)}")


def tell_registration(console: Console, scene: SceneBundle) -> None:
    """Where it is, and how well that is known."""
    if scene.registration is None:
        line(console, "registration", "none: run `hearing-hands scene register`")
        return
    line(console, "registration", f"{scene.frame_id} under {scene.parent_frame}, {scene.scale:.6g} m per unit")
    line(console, "", f"at {_row(scene.translation_m)} m, turned by {_row(scene.rotation_wxyz)} (w x y z)")
    line(console, "", f"residual {scene.residual_mm:.2f} mm, {scene.residual_deg:.3f} degrees")


def tell_materials(console: Console, scene: SceneBundle) -> None:
    """How many Gaussians each material has."""
    if not scene.material_names:
        line(console, "materials", "none")
        return
    counts = np.bincount(scene.labels, minlength=NO_MATERIAL + 1)
    table = Table(box=None, pad_edge=False)
    table.add_column("material")
    table.add_column("Gaussians", justify="right")
    table.add_column("share", justify="right")
    rows = [*zip(scene.material_names, counts, strict=False), ("(none)", counts[NO_MATERIAL])]
    for name, count in rows:
        table.add_row(name.replace("[", "\\["), f"{count:,}", f"{100 * count / len(scene.splats):.1f} %")
    console.print(table)


def _row(values: ArrayLike) -> str:
    return " ".join(f"{float(value):.4f}" for value in np.asarray(values))


def _size(values: ArrayLike, factor: float) -> str:
    return " x ".join(f"{float(value) * factor:.3g}" for value in np.asarray(values))


def _quantiles(values: ArrayLike) -> str:
    return ", ".join(f"{value:.3g}" for value in np.percentile(np.asarray(values), QUANTILES))
