"""`hearing-hands scene check`: everything that is wrong with a scene bundle or a splat file."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape

from hearing_hands_ros.cli.scene.places import make_console, make_status
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.document import SceneFaultsError
from hearing_hands_ros.scene.splats import read_splats


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene check`."""
    parser.add_argument("scene", type=Path, help="Folder of a scene bundle, or a .ply or .spz file.")
    parser.add_argument("--unregistered", action="store_true", help="A missing registration is no fault.")


def run(args: argparse.Namespace) -> int:
    """Print the faults; 0 if there are none, else 1."""
    console = make_console()
    path = args.scene.expanduser()
    faults: tuple[str, ...] = ()
    with make_status().status("reading"):
        try:
            if path.is_dir():
                count = len(SceneBundle.load(path, registered=not args.unregistered).splats)
            else:
                count = len(read_splats(path))
        except SceneFaultsError as error:
            faults = error.faults
        except (ValueError, FileNotFoundError) as error:
            faults = (str(error),)
    for fault in faults:
        console.print(f"[red]wrong[/] {escape(fault)}")
    if faults:
        console.print(f"{path}: {len(faults)} fault{'s' * (len(faults) > 1)}", markup=False)
        return 1
    console.print(f"{path}: no faults, {count:,} Gaussians", markup=False)
    return 0
