"""`hearing-hands calibrate ego`: the noise of the robot itself, from recordings in which it also touches nothing."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.cli.calibrate.parameter_file import write_parameters
from hearing_hands_ros.cli.calibrate.recordings import (
    add_common_arguments,
    check_bags,
    check_out,
    launch_command,
    opened,
    parameter_files,
    settings_for,
)
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.replay.quiet import PIECE_S, quiet_pieces

MOVING_MPS = 0.1
"""A recording without anything as fast as this says nothing of the motors."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate ego`."""
    add_common_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Learn, write, and say how to use it.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A recording cannot be used, or there is too little without a touch; then nothing is written.
    """
    out, bags = check_out(args.out), check_bags(args.bags)
    settings = settings_for(args, None)
    pieces: list[tuple[NDArray[np.float32], float]] = []
    topic, found, warnings = "", list[str](), list[str]()

    def news() -> str:
        return f"{len(pieces) * PIECE_S:.0f} s"

    for recording, tell in opened(bags, settings, "listening to the robot", news):
        topic = recording.sound.topic
        pieces += quiet_pieces(recording.moments(tell), settings.comparator.microphone_lag_s)
        found.append(str(recording))
        warnings += recording.warnings
    try:
        noise = EgoNoise.learn(pieces, ", ".join(path.name for path in bags))
    except ValueError as error:
        raise ValueError("\n".join([str(error), *found])) from error
    path = out.with_name(f"{out.stem}_ego_noise.yaml")
    noise.save(path)
    write_parameters(out, parameter_files(args), {"ego_noise": str(path)}, "ego", str(noise))
    console = make_console()
    line(console, "ego noise", str(noise))
    if noise.speeds_mps[-1] < MOVING_MPS:
        console.print(f"motors are not known: nothing moved at {MOVING_MPS:g} m/s or more for long enough")
    for text in warnings:
        line(console, "warning", text)
    line(console, "written", f"{out} and {path}")
    console.print(launch_command(args, topic), markup=False)
    return 0
