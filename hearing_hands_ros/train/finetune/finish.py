"""The end of fine-tuning: the best weights become a model's folder, and it is measured what they gained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.model.checkpoint import WEIGHTS, read_config
from hearing_hands_ros.model.compact.generator import CompactGenerator
from hearing_hands_ros.progress import progress
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder
from hearing_hands_ros.train.config import TrainConfig
from hearing_hands_ros.train.finetune.config import FinetuneTraining, minutes_of
from hearing_hands_ros.train.finetune.gain import Gains, gains
from hearing_hands_ros.train.finetune.report import REPORT, Told, install, write_report
from hearing_hands_ros.train.finetune.task import start_folder
from hearing_hands_ros.train.trainer import BEST, LAST


def finish(out: Path, training: Path, dataset: Dataset, config: TrainConfig, settings: str) -> None:
    """Make the model's folder, measure it, and say so.

    Args:
        out: The model's folder.
        training: Folder of the run.
        dataset: That it was trained on; its test split is listened to, or what chose the weights if it has none.
        config: Of the run.
        settings: Name of the file of settings, and what was changed of it.
    """
    best, last = training / BEST, training / LAST
    install(best if best.is_dir() else last, out)
    made, options = read_config(out), config.options
    assert isinstance(options, FinetuneTraining)  # noqa: S101  (there is no other here)
    start = start_folder(options.start.folder)
    judged = "test" if dataset.items("test") else "val"
    told = Told(
        model=out.resolve().name,
        start=f"{start.resolve().name}@{read_config(start)['sha256'][WEIGHTS][:8]}",
        dataset=dataset.info.name,
        origin=dataset.info.origin,
        made_by=dataset.info.made_by,
        minutes={split: minutes_of(dataset, split) for split in SPLITS},
        settings=settings,
        steps=int(made["training"]["steps"]),
        judged=judged,
        licence=made["licence"],
    )
    found = _gains(out, start, dataset, judged, made.get("vocoder", ""))
    console = Console()
    console.print(Markdown(write_report(out, told, found)))
    console.print(f"written: {out} (model), {out / REPORT}", markup=False, soft_wrap=True)


def _gains(out: Path, start: Path, dataset: Dataset, judged: str, vocoder: str) -> Gains | None:
    refs = dataset.items(judged)
    if not refs:
        return None
    return gains(
        [dataset.load(ref) for ref in refs],
        CompactGenerator.load(start),
        CompactGenerator.load(out),
        load_vocoder(vocoder or share_directory() / "models" / "vocoder"),
        np.random.default_rng(0),
        lambda numbers: progress(list(numbers), "listening"),
    )
