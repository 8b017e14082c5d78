"""`hearing-hands train`: a configuration and data in, a checkpoint out."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.train.config import DEFAULTS, TrainConfig, load_config

FINETUNE = "finetune"
TRAINING = "training"
"""Folder in that of a fine-tuned model with which its training goes on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    parser.add_argument(
        "config", help=f"YAML file as in config/train, or {' or '.join(DEFAULTS)} for the defaults of that task."
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="[DATASET] key=value",
        help="Folder of the dataset, and what is to be other than the file says, such as run.batch=8 "
        "optimizer.learning_rate=3e-4.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"run.out; of {FINETUNE} the folder of the model that is made."
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="Stop after so long; the same command goes on. Default: not."
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 when done or stopped by SIGTERM or time, 1 if it cannot go on, 130 after Ctrl-C."""
    if args.minutes is not None and not args.minutes > 0.0:
        raise ValueError(f"--minutes: wanted more than 0, got {args.minutes:g}")
    words = list(args.settings)
    if words and "=" not in words[0]:
        words[0] = f"data.folder={json.dumps(words[0])}"
    if args.config == FINETUNE:
        return _finetune(args, words)
    if args.out is not None:
        words.append(f"run.out={json.dumps(str(args.out))}")
    return _train(load_config(args.config, words), args.minutes)[0]


def _train(config: TrainConfig, minutes: float | None) -> tuple[int, bool]:
    """Train; the exit code, and whether training is over or was stopped by time."""
    for library in ("torch", "lightning_fabric", "tensorboard", "safetensors"):
        optional(library, "hearing-hands train", extra="train")
    from hearing_hands_ros.train.devices import launch
    from hearing_hands_ros.train.display import Display
    from hearing_hands_ros.train.stop import StopRequest
    from hearing_hands_ros.train.task import make_task
    from hearing_hands_ros.train.trainer import Trainer, TrainingError

    task = make_task(config)
    fabric = launch(config.run)
    trainer = Trainer(task, config, fabric)
    display = Display(config.run.steps, trainer.progress.step, silent=not fabric.is_global_zero)
    display.say(trainer.described())
    stop = StopRequest()
    clock = threading.Timer(60.0 * (minutes or 0.0), lambda: setattr(stop, "signal", stop.signal or signal.SIGALRM))
    clock.daemon = True
    if minutes:
        clock.start()
    try:
        with stop, display:
            trainer.fit(stop, display)
    except TrainingError as error:
        print(f"hearing-hands train: {error}", file=sys.stderr)
        return 1, False
    finally:
        clock.cancel()
    display.say(f"{trainer.progress.step} of {config.run.steps} steps done; checkpoints: {trainer.out}")
    over = stop.signal == signal.SIGALRM or (not stop.signal and fabric.is_global_zero)
    # A child that does not end with 0 makes Fabric kill its parent, which may still be writing.
    return (stop.exit_code if fabric.is_global_zero else 0), over


def _finetune(args: argparse.Namespace, words: list[str]) -> int:
    """Train with the settings for so much data, then make the model's folder and say what it gained."""
    from hearing_hands_ros.data.dataset import Dataset
    from hearing_hands_ros.train.finetune.config import minutes_of, settings_for

    if args.out is None or not words or not words[0].startswith("data.folder="):
        raise ValueError("train finetune: wanted DATASET --out FOLDER, got not both")
    out = args.out.expanduser()
    dataset = Dataset.open(Path(json.loads(words[0].partition("=")[2])).expanduser())
    settings = settings_for(minutes_of(dataset, "train"))
    words.append(f"run.out={json.dumps(str(out / TRAINING))}")
    config = load_config(settings, words)
    exit_code, over = _train(config, args.minutes)
    if not over:
        return exit_code
    from hearing_hands_ros.train.finetune.finish import finish

    changed = [word for word in words if not word.startswith(("data.folder=", "run.out="))]
    finish(out, out / TRAINING, dataset, config, " ".join([settings.stem, *changed]))
    return 0
