"""`hearing-hands scene example`: a registration from photos to the robot, on a room whose truth is known."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hearing_hands_ros.cli.scene.stages import Stages
from hearing_hands_ros.demo import room
from hearing_hands_ros.demo.room_example import Example, draw, make_example


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `scene example`."""
    parser.add_argument("out", type=Path, help="Folder for photos, bundle, pictures and text; run again to go on.")


def run(args: argparse.Namespace) -> int:
    """Make the example, print what was found beside the truth; 0 if all went well."""
    console = Console(highlight=False)
    out = args.out.expanduser()
    with Stages(console) as stages:
        example = make_example(out, stages)
        stages("drawing", 0, 1)
        pictures = draw(example, out)
        stages("drawing", 1, 1)
    text = describe(example)
    (out / "example.txt").write_text(text, encoding="utf-8")
    console.print(table(example))
    console.print(text.split("\n\n", 1)[1].strip(), markup=False)
    for path in (*pictures, out / "example.txt"):
        console.print(f"written: [bold]{path}[/]")
    console.print(f"bundle: [bold]{out / 'scene'}[/]. Register it yourself:")
    console.print(f"  hearing-hands scene register {out / 'scene'} --images {out / 'robot'}", soft_wrap=True)
    return 0


def table(example: Example) -> Table:
    """What was found beside what is true."""
    found, true = example.report.parent_from_splat, room.ROBOT_FROM_SPLAT
    rows = Table(title="splats in base_link")
    for name in ("", "found", "true", "off by"):
        rows.add_column(name)
    scales = [f"{s.scale:.5f}" for s in (found, true)]
    rows.add_row("scale (m per unit)", *scales, f"{example.truth.scale_percent:.3f} %")
    angles = [" ".join(f"{v:.2f}" for v in s.rotation.as_euler("zyx", degrees=True)) for s in (found, true)]
    rows.add_row("rotation z y x (deg)", *angles, f"{example.truth.rotation_deg:.3f} deg")
    places = [" ".join(f"{v:.4f}" for v in s.translation) for s in (found, true)]
    rows.add_row("translation (m)", *places, f"{example.truth.translation_mm:.2f} mm")
    rows.add_row("the room itself, on average", "", "", f"{example.truth.scene_mm:.2f} mm")
    return rows


def describe(example: Example) -> str:
    """The result in words, for a file."""
    report, truth = example.report, example.truth
    agree, count = len(report.inliers), len(report.observations)
    odd = sorted({o.name for o in report.observations if not o.is_inlier} | set(report.left_out))
    return (
        "A synthetic room was photographed with a camera of known focal length, where it stood was found from the "
        "photos, and a simulated robot that knows its own camera's poses looked at the room.\n\n"
        f"{len(example.photos)} photos, {count} images of the robot's camera, {len(example.wrong)} of them with wrong "
        f"poses ({', '.join(example.wrong)}).\n"
        f"{agree} of {count} images agree; left out: {', '.join(odd) or 'none'}. "
        f"Residual {report.residual_mm:.2f} mm and {report.residual_deg:.3f} deg.\n"
        f"Against the truth: scale {truth.scale_percent:.3f} %, rotation {truth.rotation_deg:.3f} deg, translation "
        f"{truth.translation_mm:.2f} mm; the room lies {truth.scene_mm:.2f} mm off on average.\n"
        "The Gaussians are the room's own: training them on the photos needs a GPU (hearing-hands scene build).\n"
    )
