"""`hearing-hands calibrate lag`: how late the microphone is, from recordings of taps."""

from __future__ import annotations

import argparse
from pathlib import Path

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
from hearing_hands_ros.compare.lag import LagEstimator
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.replay.taps import tap_sounds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate lag`."""
    add_common_arguments(parser)
    parser.add_argument(
        "--model", type=Path, help="predicts how the taps begin to sound; default: they begin at full strength"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write, and say how to use it.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A recording cannot be used, or its taps do not agree.
    """
    out, bags = check_out(args.out), check_bags(args.bags)
    settings = settings_for(args, args.model)
    predictor = None
    if args.model is not None:
        predictor = load_predictor(settings.model, settings.device, settings.scene, settings.views)
    estimator = LagEstimator()
    lost, topic, found, warnings = 0, "", list[str](), list[str]()
    for recording, tell in opened(bags, settings, "listening to taps", lambda: f"{estimator.taps} taps"):
        topic = recording.sound.topic
        for tap in tap_sounds(recording.moments(tell), predictor, settings.lead_s, settings.tail_s):
            if tap.heard is None:
                lost += 1
            else:
                estimator.add(tap.heard, tap.expected)
        found.append(str(recording))
        warnings += recording.warnings
    try:
        estimate = estimator.estimate()
    except ValueError as error:
        left_out = [f"{lost} taps were left out, since some of their sound is missing"] if lost else []
        raise ValueError("\n".join([str(error), *left_out, *found])) from error
    write_parameters(out, parameter_files(args), {"microphone_lag_s": round(estimate.lag_s, 5)}, "lag", str(estimate))
    console = make_console()
    line(console, "lag", str(estimate))
    if lost:
        line(console, "left out", f"{lost} taps of which some sound is missing")
    for text in warnings:
        line(console, "warning", text)
    line(console, "written", str(out))
    console.print(launch_command(args, topic, model=args.model), markup=False)
    return 0
