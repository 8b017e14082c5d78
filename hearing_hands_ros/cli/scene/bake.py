"""`hearing-hands scene bake`: compute what every part of the surface looks like, once, and say how good that is."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from hearing_hands_ros.progress import bar
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView
from hearing_hands_ros.scene.views import SceneViews, ViewSettings
from hearing_hands_ros.vision.agreement import Agreement, measure
from hearing_hands_ros.vision.baked import FOLDER, BakedFeatures
from hearing_hands_ros.vision.encoder import load_encoder

Result = TypeVar("Result")
LOOK_UPS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `scene bake`."""
    parser.add_argument("bundle", help="folder of a registered scene bundle")
    parser.add_argument(
        "--encoder",
        default="efficientnet_lite0_texture",
        help="efficientnet_lite0_texture, efficientnet_lite0, open_clip:MODEL:FILE or a checkpoint's folder; "
        "default: %(default)s",
    )
    parser.add_argument("--cell-m", type=float, default=0.03, help="size of a surface cell, m; default: %(default)s")
    parser.add_argument("--width-m", type=float, default=0.12, help="of the local view, m; default: %(default)s")
    parser.add_argument(
        "--touches",
        type=int,
        default=64,
        help="simulated touches that are rendered to compare with, 0 for none; default: %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Bake, save beside the scene, compare."""
    console = Console(highlight=False)
    bundle = SceneBundle.load(args.bundle)
    surface = SplatSurface(bundle)
    (Path(args.bundle) / FOLDER).mkdir(exist_ok=True)  # what cannot be kept is not worth minutes of work
    encoder = load_encoder(args.encoder)
    views = SceneViews(bundle, surface, ViewSettings(local=LocalView(width_m=args.width_m)))
    begun = time.perf_counter()
    with bar("cells") as tell:
        baked = BakedFeatures.bake(bundle, surface, views, encoder, args.cell_m, tell)
    path = BakedFeatures.path(args.bundle, encoder.name, args.cell_m)
    baked.save(path)
    size = path.stat().st_size / 1e6
    console.print(f"{len(baked.cells)} cells in {time.perf_counter() - begun:.0f} s, {size:.1f} MB: {path}")
    console.print(f"look-up: {_look_up_ms(baked):.3f} ms a touch (median of {LOOK_UPS})")
    if args.touches > 0:
        with bar("touches") as tell:
            agreement = measure(baked, surface, views, encoder, args.touches, progress=tell)
        console.print(table(agreement))
        if agreement.materials > 1:
            console.print(
                f"looked up and rendered (with the hand) lead to the same one of {agreement.materials} materials, "
                f"and so to the same recordings, for {agreement.same:.0%} of the touches"
            )
    return 0


def table(agreement: Agreement) -> Table:
    """Agreement, for people; the touches are simulated."""
    result = Table(title=f"{len(agreement.bare)} simulated touches: a looked-up feature against ...")
    for column in ("", "cosine, median", "lowest tenth", "material told right"):
        result.add_column(column)
    right = agreement.right
    rows = (
        ("the rendered spot", agreement.bare, right["bare"]),
        ("the rendered spot with the hand", agreement.hand, right["hand"]),
        ("another material" if agreement.materials > 1 else "another spot", agreement.other, float("nan")),
    )
    result.add_row("itself", "1", "1", _percent(right["baked"]))
    for name, cosine, told in rows:
        result.add_row(name, f"{np.median(cosine):.3f}", f"{np.quantile(cosine, 0.1):.3f}", _percent(told))
    return result


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.0%}"


def _look_up_ms(baked: BakedFeatures) -> float:
    rng = np.random.default_rng(0)
    times = []
    for cell in rng.integers(0, len(baked.cells), LOOK_UPS):
        begun = time.perf_counter()
        baked.find(baked.cells.points_m[cell : cell + 1], baked.cells.normals[cell : cell + 1])
        times.append(time.perf_counter() - begun)
    return 1000.0 * float(np.median(times))
