"""`hearing-hands dataset bank`: the touches of a dataset as a bank of examples, which is a model like any other."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import yaml

from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.predictors.example_bank import FORMAT, LEAD_S, ExampleBank
from hearing_hands_ros.progress import progress
from hearing_hands_ros.train.evaluation.examples import TrainTouch, bank_of, train_touches
from hearing_hands_ros.whole_file import whole_folder

TOOL: Final = "robot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset bank`."""
    parser.add_argument("dataset", type=Path, help="folder of a dataset")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the bank; must not be there yet")
    parser.add_argument("--split", choices=SPLITS, default="train", help="whose touches; default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Cut the touches out, write them, and say what there is.

    Raises:
        FileExistsError: `--out` is there already.
        FileNotFoundError: There is no dataset.
        ValueError: It has no touch that was heard alone and whose material is known.
    """
    out = args.out.expanduser()
    if out.exists():
        raise FileExistsError(f"--out: wanted a new folder, got '{out}', which is there already")
    dataset = Dataset.open(args.dataset.expanduser())
    rate = dataset.info.sequence.sample_rate_hz
    items = [dataset.load(ref) for ref in progress(dataset.items(args.split), "reading")]
    touches = train_touches(items, rate)
    if not touches:
        raise ValueError(
            f"Dataset({dataset.info.name!r}): wanted touches in split '{args.split}' that are heard alone and whose "
            f"material is named, got none in {len(items)} items"
        )
    kept = {exemplar.group for exemplar in bank_of(touches, rate).exemplars}
    chosen = [touch for touch in touches if _name(touch) in kept]
    with whole_folder(out) as draft:
        rows = [_write(draft, number, touch, rate) for number, touch in enumerate(chosen, start=1)]
        document = {"format": FORMAT, "name": out.name, "recordings": rows}
        (draft / "bank.yaml").write_text(yaml.safe_dump(document, sort_keys=False, width=120), encoding="utf-8")
        (draft / "LICENSE.md").write_text(_licence(dataset), encoding="utf-8")
        bank = ExampleBank.load(draft, rate)
    console = make_console()
    line(console, "touches", f"{len(bank.exemplars)} of {len(touches)} that were heard alone, {dataset.info.origin}")
    for material in bank.materials:
        counts = [f"{len(bank.of(material, 'tap'))} taps", f"{len(bank.of(material, 'slide'))} slides"]
        line(console, material, ", ".join(counts))
    line(console, "written", f"{out}: model:={out}")
    return 0


def _name(touch: TrainTouch) -> str:
    """As `bank_of` names it."""
    return f"{touch.group}/{touch.contact.start_ns}"


def _write(folder: Path, number: int, touch: TrainTouch, rate_hz: int) -> dict[str, Any]:
    """Write the sound of a touch as loud as it was heard; its row of `bank.yaml`."""
    contact = touch.contact
    file = f"{contact.material}_{contact.kind}_{number:04d}.flac"
    wave = np.clip(touch.wave * 10.0 ** (touch.level_dbfs / 20.0), -1.0, 1.0)
    soundfile.write(folder / file, wave, rate_hz, subtype="PCM_16")
    return {
        "file": file,
        "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest(),
        "material": contact.material,
        "action": contact.kind,
        "tool": TOOL,
        "sample_rate_hz": rate_hz,
        "seconds": round(wave.size / rate_hz, 4),
        "onset_s": LEAD_S,
        "level_dbfs": round(touch.level_dbfs, 2),
        "group": _name(touch),
    }


def _licence(dataset: Dataset) -> str:
    """What the dataset says of its sounds goes with them."""
    info = dataset.info
    licences = [f"- {what}: {licence}" for what, licence in info.licences.items()] or ["- not stated"]
    return "\n".join([f"# Touches of the dataset '{info.name}' ({info.origin})", "", *licences, ""])
