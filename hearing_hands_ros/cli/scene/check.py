"""`hearing-hands scene check`: everything that is wrong with a scene bundle or a splat file."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape

from hearing_hands_ros.cli.scene.places import make_console, make_status
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.document import SceneFaultsError
from hearing_hands_ros.scene.reconstruct.descriptors import FILE, sfm_faults
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
    notes: list[str] = []
    with make_status().status("reading"):
        try:
            if path.is_dir():
                bundle = SceneBundle.load(path, registered=not args.unregistered)
                count = len(bundle.splats)
                if bundle.sfm is not None:
                    faults, notes = check_sfm(bundle.sfm.folder)
            else:
                count = len(read_splats(path))
        except SceneFaultsError as error:
            faults = error.faults
        except (ValueError, FileNotFoundError) as error:
            faults = (str(error),)
    for fault in faults:
        console.print(f"[red]wrong[/] {escape(fault)}")
    for note in notes:
        console.print(f"[yellow]note[/] {escape(note)}")
    if faults:
        console.print(f"{path}: {len(faults)} fault{'s' * (len(faults) > 1)}", markup=False)
        return 1
    console.print(f"{path}: no faults, {count:,} Gaussians", markup=False)
    return 0


def check_sfm(folder: Path) -> tuple[tuple[str, ...], list[str]]:
    """Faults of the COLMAP model in a bundle, and what is worth knowing of it."""
    faults = tuple(f"{folder.name}: {fault}" for fault in sfm_faults(folder))
    notes = [] if (folder / FILE).is_file() else [f"{folder.name}: no {FILE}, so photos cannot be found in the scene"]
    return faults, notes
