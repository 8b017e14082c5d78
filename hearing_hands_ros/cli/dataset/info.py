"""`hearing-hands dataset info`: what is in a dataset."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from rich.table import Table

from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.progress import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset info`."""
    parser.add_argument("dataset", type=Path, help="folder of a dataset")
    parser.add_argument("--check", action="store_true", help="read every item, and list all that are wrong")


def run(args: argparse.Namespace) -> int:
    """Print; 0 if nothing that was read is wrong, else 1."""
    dataset = Dataset.open(args.dataset.expanduser())
    tell(dataset)
    return check(dataset) if args.check else 0


def tell(dataset: Dataset) -> None:
    """Print name, origin, encoder, licences, scenes and items."""
    console, info = make_console(), dataset.info
    line(console, "name", info.name)
    line(console, "origin", f"{info.origin}{f'; {info.made_by}' if info.made_by else ''}")
    line(console, "encoder", f"{info.encoder}, {info.encoder_dim} numbers a view")
    for what, licence in info.licences.items():
        line(console, "licence", f"{what}: {licence}")
    table = Table()
    for column in ("split", "scenes", "items"):
        table.add_column(column)
    for split in SPLITS:
        scenes = sum(side == split for side in info.splits.values())
        table.add_row(split, str(scenes), str(len(dataset.items(split))))
    console.print(table)


def check(dataset: Dataset) -> int:
    """Read everything and print what is wrong, or else how much of what there is; return the exit code."""
    console = make_console()
    actions: Counter[str] = Counter()
    materials: Counter[str] = Counter()
    seconds, faults = 0.0, 0
    for ref in progress([ref for split in SPLITS for ref in dataset.items(split)], "reading"):
        try:
            item = dataset.load(ref)
        except (ValueError, FileNotFoundError) as error:
            faults += 1
            console.print(f"wrong: {error}", markup=False)
            continue
        actions[item.action] += 1
        materials.update(contact.material or "unknown" for contact in item.motion.contacts)
        seconds += item.motion.duration_s
    line(console, "length", f"{seconds / 60:.1f} minutes")
    line(console, "items", ", ".join(f"{name} {count}" for name, count in actions.most_common()))
    line(console, "touches", ", ".join(f"{name} {count}" for name, count in materials.most_common()))
    line(console, "faults", str(faults))
    return 1 if faults else 0
