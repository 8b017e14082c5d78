"""`hearing-hands train`: a configuration and data in, a checkpoint out."""

from __future__ import annotations

import argparse
import sys

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.train.config import DEFAULTS, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    parser.add_argument(
        "config", help=f"YAML file as in config/train, or {' or '.join(DEFAULTS)} for the defaults of that task."
    )
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help="Over what the file says, such as run.out=runs/one data.folder=my_dataset optimizer.learning_rate=3e-4.",
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 when done or stopped by SIGTERM, 1 if it cannot go on, 130 after Ctrl-C."""
    config = load_config(args.config, args.settings)
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
    try:
        with StopRequest() as stop, display:
            trainer.fit(stop, display)
    except TrainingError as error:
        print(f"hearing-hands train: {error}", file=sys.stderr)
        return 1
    display.say(f"{trainer.progress.step} of {config.run.steps} steps done; checkpoints: {trainer.out}")
    # A child that does not end with 0 makes Fabric kill its parent, which may still be writing.
    return stop.exit_code if fabric.is_global_zero else 0
