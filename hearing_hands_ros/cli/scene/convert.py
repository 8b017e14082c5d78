"""`hearing-hands scene convert`: splats in another format, or with fewer colours."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from hearing_hands_ros.cli.scene.places import make_console, make_status, new_place, open_scene, splats_file
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.splats import SUFFIXES, write_splats


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene convert`."""
    parser.add_argument("scene", type=Path, help="Folder of a scene bundle, or a .ply or .spz file.")
    parser.add_argument("out", type=Path, help="New .ply or .spz file; of a bundle also a new bundle.")
    parser.add_argument("--format", choices=("ply", "spz"), help="Of the new bundle's splats; default: as they are.")
    parser.add_argument(
        "--sh-degree",
        type=int,
        choices=range(4),
        default=3,
        help="Highest degree of spherical harmonics that is kept; 0 is the same colour from everywhere.",
    )


def run(args: argparse.Namespace) -> int:
    """Read and write; 0."""
    out = new_place(args.out)
    with make_status().status("reading") as status:
        scene = open_scene(args.scene, args.sh_degree)
        splats = scene.splats if isinstance(scene, SceneBundle) else scene
        splats = splats.with_sh_degree(min(args.sh_degree, splats.sh_degree))
        status.update("writing")
        if isinstance(scene, SceneBundle) and out.suffix.lower() not in SUFFIXES:
            name = f"scene.{args.format}" if args.format else splats_file(scene)
            replace(scene, splats=splats, sha256="").save(out, name)
            out /= name
        else:
            write_splats(out, splats)
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    make_console().print(f"{out}: {len(splats):,} Gaussians of degree {splats.sh_degree}, {size}", markup=False)
    return 0
