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
    for view, width in (("global", "512"), ("local", "1024")):
        parser.add_argument(
            f"--{view}-encoder",
            metavar="SPEC",
            help=f"What the model sees the {view} view with, {width} numbers: open_clip:MODEL:FILE, or the folder of a "
            "checkpoint. Wanted for predictions in ROS.",
        )


def run(args: argparse.Namespace) -> int:
    """Check every name and shape, then write; 0.

    Raises:
        ValueError: Something does not fit.
        FileNotFoundError: A file is missing.
    """
    optional("torch", "model convert")
    from hearing_hands_ros.model.checkpoint import WEIGHTS
    from hearing_hands_ros.model.published.conversion import LICENCE, convert

    out = new_place(args.out)
    encoders = named_encoders(args.global_encoder, args.local_encoder)
    with make_status().status("converting"):
        convert(args.checkpoint, args.vocoder, out, licence=args.licence or LICENCE, encoders=encoders)
    size = f"{(out / WEIGHTS).stat().st_size / 1e6:,.0f} MB"
    make_console().print(f"{out}: the published model, every name and shape as wanted, {size}", markup=False)
    return 0


def named_encoders(whole: str | None, near: str | None) -> dict[str, str] | None:
    """What the config is to say of the encoders, after a look whether they can be loaded and fit; None of none.

    Raises:
        ValueError: Only one is given, or one does not fit.
        FileNotFoundError: A file of weights is missing.
    """
    if not whole and not near:
        return None
    if not whole or not near:
        raise ValueError("model convert: wanted --global-encoder and --local-encoder, or neither, got one of them")
    from hearing_hands_ros.predictors.published_encoders import KEY, VIEWS, load_encoders, settled

    specs = dict(zip(VIEWS, (settled(whole), settled(near)), strict=True))
    with make_status().status("loading the encoders"):
        load_encoders({KEY: specs, "network": {}}, "model convert", device="cpu")
    return specs
