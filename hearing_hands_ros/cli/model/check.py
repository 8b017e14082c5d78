"""`hearing-hands model check`: does a checkpoint folder hold together."""

from __future__ import annotations

import argparse
from pathlib import Path

from hearing_hands_ros.cli.scene.places import make_console, make_status
from hearing_hands_ros.libraries import optional


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `model check`."""
    parser.add_argument("model", type=Path, help="Folder of a checkpoint.")


def run(args: argparse.Namespace) -> int:
    """Print; 0 if nothing is wrong, 1 otherwise."""
    optional("torch", "model check")
    console = make_console()
    try:
        with make_status().status("reading"):
            kind = check(args.model)
    except (ValueError, OSError) as error:
        console.print(f"wrong: {error}", markup=False)
        return 1
    console.print(f"{args.model}: {kind}; config, hash, names, shapes and values are as they should be", markup=False)
    return 0


def check(folder: Path) -> str:
    """Load all of it, as a program that uses it would; return its kind.

    Raises:
        ValueError: Something is wrong; the message names the file and the field.
        FileNotFoundError: A file is missing.
    """
    from hearing_hands_ros.model.checkpoint import CONFIG, load_checkpoint, read_config

    config = read_config(folder)
    kind = str(config["kind"])
    if kind == "published":
        from hearing_hands_ros.model.published.generator import PublishedGenerator
        from hearing_hands_ros.predictors.published_encoders import KEY, load_encoders

        if KEY in config:
            load_encoders(config, str(folder / CONFIG), device="cpu")
        PublishedGenerator.load(folder, device="cpu", fast=False)
    elif kind == "compact":
        from hearing_hands_ros.model.compact.generator import CompactGenerator

        CompactGenerator.load(folder, device="cpu")
    elif kind == "vocoder":
        from hearing_hands_ros.sound.vocoder.istft_head import IstftHead

        IstftHead.load(folder)
    else:
        load_checkpoint(folder, kind)
    return kind
