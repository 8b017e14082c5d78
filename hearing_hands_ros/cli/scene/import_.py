"""`hearing-hands scene import`: a scene bundle of another program's reconstruction."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from hearing_hands_ros.cli.scene.info import tell
from hearing_hands_ros.cli.scene.places import make_console, make_status, new_place, splats_file
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.importers.found import Found
from hearing_hands_ros.scene.importers.importing import KINDS, ImportOptions, import_scene

DESCRIPTORS = "descriptors.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scene import`."""
    options = ImportOptions()
    add = parser.add_argument
    add("folder", type=Path, help="What nerfstudio, 3D Gaussian splatting or COLMAP wrote.")
    add("--out", type=Path, required=True, metavar="BUNDLE", help="New folder for the scene bundle.")
    add("--from", dest="kind", choices=(*KINDS, "auto"), default=options.kind, help="Who wrote it; default: auto.")
    add("--frame-id", default=options.frame_id, help=f"TF frame of the scene; default: {options.frame_id}.")
    add(
        "--max-cameras",
        type=int,
        default=options.max_cameras,
        help=f"Photos' cameras to keep, spread out; 0 reads none; default: {options.max_cameras}.",
    )
    add(
        "--up",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="Against gravity, in the splats' axes; default: as most photos.",
    )
    add("--splats", type=Path, metavar="FILE", help="The splats, where they are not found, or more than one.")
    add("--transforms", type=Path, metavar="FILE", help="nerfstudio's transforms.json, likewise.")
    add("--sfm", type=Path, metavar="FOLDER", help="The COLMAP model, likewise.")
    add(
        "--aligned",
        type=Path,
        metavar="FOLDER",
        help="What colmap model_aligner wrote, in metres; registers the scene.",
    )
    add("--parent-frame", default=options.parent_frame, help="TF frame of the aligned model; default: world.")
    add("--format", choices=("ply", "spz"), help="Of the bundle's splats; default: as they are.")


def run(args: argparse.Namespace) -> int:
    """Read, write, and say what came of it; 0 if there is a bundle."""
    if args.max_cameras < 0:
        raise ValueError(f"--max-cameras: wanted 0 or more, got {args.max_cameras}")
    out = new_place(args.out)
    options = ImportOptions(
        kind=args.kind,
        frame_id=args.frame_id,
        max_cameras=args.max_cameras,
        up=args.up,
        splats=_path(args.splats),
        transforms=_path(args.transforms),
        sfm=_path(args.sfm),
        aligned=_path(args.aligned),
        parent_frame=args.parent_frame,
    )
    with make_status().status("reading") as status:
        bundle, found = import_scene(args.folder.expanduser(), out.resolve().name, options)
        status.update("writing")
        bundle.save(out, f"scene.{args.format}" if args.format else splats_file(bundle))
        status.update("collecting what photos are found by")
        notes = [*found.notes, *_write_descriptors(bundle, found, out)]
    console = make_console()
    tell(console, SceneBundle.load(out, registered=False))
    _tell_notes(console, notes)
    return 0


def _write_descriptors(bundle: SceneBundle, found: Found, out: Path) -> list[str]:
    """Put the features of the model's points beside it, if they are at hand; say what is missing."""
    if bundle.sfm is None or (bundle.sfm.folder / DESCRIPTORS).is_file():
        return []
    if found.database is None:
        return ["no database.db beside the COLMAP model, so photos cannot be found in the scene"]
    if importlib.util.find_spec("pycolmap") is None:
        return ['photos cannot be found in the scene without pycolmap: pip install "hearing_hands_ros[scene]"']
    from hearing_hands_ros.scene.reconstruct.descriptors import write_descriptors

    try:
        write_descriptors(bundle.sfm.folder, found.database, out / "sfm")
    except (ValueError, RuntimeError) as error:
        return [f"photos cannot be found in the scene: {error}"]
    return []


def _tell_notes(console: Console, notes: list[str]) -> None:
    for note in notes:
        console.print(f"[yellow]note[/] {escape(note)}")


def _path(path: Path | None) -> Path | None:
    return path.expanduser() if path else None
