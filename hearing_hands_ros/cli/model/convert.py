"""`hearing-hands model convert`: published PyTorch files to a checkpoint folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from hearing_hands_ros.cli.scene.places import make_console, make_status, new_place
from hearing_hands_ros.libraries import optional


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `model convert`."""
    parser.add_argument(
        "checkpoint", type=Path, help="Published file with the velocity network, the conditioner and the autoencoder."
    )
    parser.add_argument("vocoder", type=Path, help="Published file with BigVGAN's generator.")
    parser.add_argument("out", type=Path, help="New folder.")
    parser.add_argument("--licence", help="Of the published weights, to be kept with them.")


def run(args: argparse.Namespace) -> int:
    """Check every name and shape, then write; 0."""
    optional("torch", "model convert")
    from hearing_hands_ros.model.checkpoint import WEIGHTS
    from hearing_hands_ros.model.published.conversion import LICENCE, convert

    out = new_place(args.out)
    with make_status().status("converting"):
        convert(args.checkpoint, args.vocoder, out, licence=args.licence or LICENCE)
    size = f"{(out / WEIGHTS).stat().st_size / 1e6:,.0f} MB"
    make_console().print(f"{out}: the published model, every name and shape as wanted, {size}", markup=False)
    return 0
