"""`hearing-hands scene build`: photos in, scene bundle out."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from hearing_hands_ros.cli.scene.stages import Stages
from hearing_hands_ros.scene.reconstruct.colmap import ColmapOptions
from hearing_hands_ros.scene.reconstruct.photos import listed
from hearing_hands_ros.scene.reconstruct.pipeline import BuildOptions, BuildReport, build
from hearing_hands_ros.scene.reconstruct.training import TrainingOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `scene build`."""
    colmap, training = ColmapOptions(), TrainingOptions()
    parser.add_argument("photos", type=Path, help="Folder with photos of one scene.")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="BUNDLE", help="Folder of the bundle; run again to go on."
    )
    parser.add_argument("--frame-id", help="TF frame of the scene; default: scene, or that of an earlier run.")
    parser.add_argument(
        "--force", action="store_true", help="Begin anew although registration, materials or training would be lost."
    )
    parser.add_argument(
        "--matching",
        choices=("auto", "exhaustive", "sequential"),
        default=colmap.matching,
        help="Compare all photos, or those that follow each other as in a video; auto: all, up to 60 photos.",
    )
    parser.add_argument(
        "--features", type=int, default=colmap.features, help=f"Most features in a photo; default: {colmap.features}."
    )
    parser.add_argument(
        "--focal-px", type=float, help="Focal length of the photos from a calibration; default: found from the photos."
    )
    parser.add_argument("--steps", type=int, default=training.steps, help=f"Of training; default: {training.steps}.")
    parser.add_argument(
        "--sh-degree", type=int, choices=range(4), default=training.sh_degree, help="Of the colours; default: 3."
    )
    parser.add_argument(
        "--longest-side",
        type=int,
        default=training.longest_side,
        help=f"Larger photos are scaled down to it for training, pixels; default: {training.longest_side}.",
    )


def run(args: argparse.Namespace) -> int:
    """Build, and say what came of it; 0 if there is a bundle."""
    console = Console(highlight=False)
    options = BuildOptions(
        frame_id=args.frame_id,
        colmap=ColmapOptions(matching=args.matching, features=args.features, focal_px=args.focal_px),
        training=TrainingOptions(steps=args.steps, sh_degree=args.sh_degree, longest_side=args.longest_side),
        force=args.force,
    )
    out = args.out.expanduser()
    with Stages(console) as stages:
        report = build(args.photos.expanduser(), out, options, stages)
    tell(console, report, out)
    return 0


def tell(console: Console, report: BuildReport, out: Path) -> None:
    """Print what came of the photos."""
    if report.begun_anew:
        console.print(f"begun anew: {report.begun_anew}", markup=False)
    console.print(f"{report.photos - len(report.left_out)} of {report.photos} photos placed, {report.points} points")
    if report.left_out:
        console.print(f"without a place: {listed(list(report.left_out))}", style="yellow", markup=False)
    if report.other_models:
        numbers = ", ".join(str(number) for number in report.other_models)
        console.print(f"left over: groups of {numbers} photos that do not overlap with the rest", style="yellow")
    if report.trained:
        console.print(f"{report.gaussians} Gaussians, trained")
    else:
        console.print(
            f"{report.gaussians} Gaussians, one on each point and [bold]not trained[/]: training wants torch, gsplat "
            "and a CUDA GPU. Run the same command where they are; it goes on from here."
        )
    console.print(f"bundle: [bold]{out}[/]. Next: hearing-hands scene register {out}")
