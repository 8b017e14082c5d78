"""`hearing-hands fleet`: many recordings with many models, as a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from hearing_hands_ros.cli.options import (
    add_jobs,
    add_labels,
    add_params_file,
    add_recordings,
    add_sight,
    check_jobs,
    params_file_of,
)
from hearing_hands_ros.cli.scene.places import make_console
from hearing_hands_ros.fleet.cell import FAILED, Cell, Outcome, is_same_recording
from hearing_hands_ros.fleet.row import rows_of
from hearing_hands_ros.fleet.table import for_terminal, write_tables
from hearing_hands_ros.fleet.work import on_ray, on_this_machine

CELLS = "cells"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `fleet`."""
    add_recordings(parser)
    add_params_file(parser)
    add_labels(parser)
    add_sight(parser)
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        required=True,
        metavar="FOLDER",
        help="folder of a model that predicts; once for each",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="scores of normal touches: once for each --model, in their order, for each is of one model; default: "
        "none, and every verdict is UNKNOWN",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="results and tables; added to")
    where = parser.add_mutually_exclusive_group()
    add_jobs(where)
    where.add_argument("--ray", action="store_true", help="on a Ray cluster that sees all paths, or one started here")


def run(args: argparse.Namespace) -> int:
    """Replay what is not there yet, print the table and write it; 1 if a cell failed.

    Raises:
        FileNotFoundError: The scene or a file is missing.
        ValueError: There are not as many calibrations as models, or labels as recordings.
        ImportError: Ray is wanted and not installed.
    """
    check_jobs(args.jobs)
    cells = _cells(args)
    out = args.out.expanduser().absolute()
    out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[Cell, Outcome] = {}
    working = on_ray(cells, out / CELLS) if args.ray else on_this_machine(cells, out / CELLS, args.jobs)
    try:
        with closing(working) as coming:
            for outcome in coming:
                outcomes[outcome.cell] = outcome
                told = f"{outcome.cell.bag.name} with {outcome.cell.name_of_model}: {outcome.state} {outcome.reason}"
                print(f"{len(outcomes)} of {len(cells)}: {told.rstrip()}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"stopped: {len(outcomes)} of {len(cells)} are done, and the same command goes on", file=sys.stderr)
        raise
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
    """Every recording with every model; what is given twice counts once, and that is said."""
    bags, models = [_whole(bag) for bag in args.bags], [_whole(model) for model in args.model]
    calibrations = _each(args.calibration, models, "--calibration", "model")
    labels = _each(args.labels * (len(bags) if len(args.labels) == 1 else 1), bags, "--labels", "recording")
    scene, *_ = _there([args.scene], "--scene")
    params = params_file_of(args)
    known = _once(list(zip(bags, labels, strict=True)), is_same_recording)
    judges = _once(list(zip(models, calibrations, strict=True)), lambda one, other: one.resolve() == other.resolve())
    return [
        Cell(bag, model, scene, calibration, params, truth, args.audio_topic, args.views, args.device)
        for model, calibration in judges
        for bag, truth in known
    ]


def _once(
    given: Sequence[tuple[Path, Path | None]], is_same: Callable[[Path, Path], bool]
) -> list[tuple[Path, Path | None]]:
    """Recordings with labels, or models with calibrations, without those that are there before."""
    found: list[tuple[Path, Path | None]] = []
    for path, beside in given:
        twin = next((other for other, known in found if known == beside and is_same(other, path)), None)
        if twin is None:
            found.append((path, beside))
        else:
            print(f"'{path}' is the same as '{twin}' and counts once", file=sys.stderr)
    return found


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
