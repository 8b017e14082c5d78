"""`hearing-hands fleet`: many recordings with many models, as a table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hearing_hands_ros.cli.scene.places import make_console
from hearing_hands_ros.fleet.cell import FAILED, Cell, Outcome
from hearing_hands_ros.fleet.row import rows_of
from hearing_hands_ros.fleet.table import for_terminal, write_tables
from hearing_hands_ros.fleet.work import on_ray, on_this_machine
from hearing_hands_ros.graph import argument_field

CELLS = "cells"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `fleet`."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 folders, .mcap or .db3 files")
    parser.add_argument("--scene", type=Path, required=True, help="folder of the scene that was touched")
    parser.add_argument(
        "--models", type=Path, nargs="+", required=True, metavar="MODEL", help="folders of checkpoints or sound banks"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="scores of normal touches: once for each model, in their order, for each is of one model; default: none, "
        "and every verdict is UNKNOWN",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML with what is known of the touches: once for each BAG, in their order",
    )
    parser.add_argument("--params-file", type=Path, metavar="FILE", help="parameters of the graph")
    parser.add_argument("--audio-topic", default="", help="of the microphone; default: a recording's only one")
    for name in ("views", "device"):
        item = argument_field(name)
        choices = [choice for choice in item.metadata["choices"] if choice]
        parser.add_argument(f"--{name}", choices=choices, default="", help=item.metadata["description"])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="results and tables; added to")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="replays at a time; default: %(default)s")
    where.add_argument("--ray", action="store_true", help="on a Ray cluster that sees all paths, or one started here")


def run(args: argparse.Namespace) -> int:
    """Replay what is not there yet, print the table and write it; 1 if a cell failed.

    Raises:
        FileNotFoundError: The scene or a file is missing.
        ValueError: There are not as many calibrations as models, or labels as recordings.
        ImportError: Ray is wanted and not installed.
    """
    if args.jobs < 1:
        raise ValueError(f"--jobs: wanted 1 or more, got {args.jobs}")
    cells = _cells(args)
    out = args.out.expanduser().absolute()
    out.mkdir(parents=True, exist_ok=True)
    coming = on_ray(cells, out / CELLS) if args.ray else on_this_machine(cells, out / CELLS, args.jobs)
    outcomes: dict[Cell, Outcome] = {}
    for outcome in coming:
        outcomes[outcome.cell] = outcome
        told = f"{outcome.cell.bag.name} with {outcome.cell.name_of_model}: {outcome.state} {outcome.reason}"
        print(f"{len(outcomes)} of {len(cells)}: {told.rstrip()}", file=sys.stderr)
    rows = rows_of([outcomes[cell] for cell in cells])
    written = write_tables(out, rows)
    console = make_console()
    console.print(for_terminal(rows))
    failed = [outcome for outcome in outcomes.values() if outcome.state == FAILED]
    for outcome in failed:
        console.print(f"failed: {outcome.cell.bag} with {outcome.cell.model}: {outcome.reason}", markup=False)
    console.print(f"written: {', '.join(map(str, written))}", markup=False)
    return 1 if failed else 0


def _cells(args: argparse.Namespace) -> list[Cell]:
    """Every recording with every model."""
    calibrations = _each(args.calibration, args.models, "--calibration", "model")
    labels = _each(args.labels, args.bags, "--labels", "recording")
    scene, *_ = _there([args.scene], "--scene")
    params = _there([args.params_file], "--params-file")[0] if args.params_file else None
    made = [
        Cell(_whole(bag), _whole(model), scene, calibration, params, truth, args.audio_topic, args.views, args.device)
        for model, calibration in zip(args.models, calibrations, strict=True)
        for bag, truth in zip(args.bags, labels, strict=True)
    ]
    return list(dict.fromkeys(made))


def _each(given: Sequence[Path], of: Sequence[Path], name: str, what: str) -> Sequence[Path | None]:
    """One for each, or none for all."""
    if given and len(given) != len(of):
        raise ValueError(f"{name}: wanted one for each {what}, which are {len(of)}, got {len(given)}")
    return _there(given, name) or [None] * len(of)


def _there(paths: Sequence[Path], name: str) -> list[Path]:
    found = [_whole(path) for path in paths]
    if missing := [str(path) for path in found if not path.exists()]:
        raise FileNotFoundError(f"{name}: wanted what is there, found nothing at {', '.join(missing)}")
    return found


def _whole(path: Path) -> Path:
    return path.expanduser().absolute()
