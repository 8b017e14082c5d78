"""`hearing-hands calibrate normal`: scores of touches that somebody vouches for, from recordings."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hearing_hands_ros.cli.calibrate.parameter_file import write_parameters
from hearing_hands_ros.cli.calibrate.recordings import (
    add_common_arguments,
    bar_of,
    check_bags,
    check_out,
    launch_command,
    parameter_files,
    settings_for,
)
from hearing_hands_ros.cli.options import add_alpha, check_alpha
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.compare.calibrated import AFTER, ALONE, calibrated
from hearing_hands_ros.compare.groups import ALL
from hearing_hands_ros.compare.ranks import least_touches
from hearing_hands_ros.compare.scoring.scorer import ANOMALY
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.replay.replay import Replay, Replayed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate normal`."""
    add_common_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model that predicts")
    add_alpha(parser)


@dataclass
class NormalTouches:
    """Touches that are normal, and why some of them cannot be used."""

    heard: list[HeardTouch] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def take(self, replayed: Replayed) -> None:
        """Take the verdict on a touch; one on a sound without a touch is nothing to learn from."""
        judgement = replayed.comparison.judgement
        if replayed.comparison.contact is None:
            return
        if judgement.touch is not None and judgement.is_scored:
            self.heard.append(judgement.touch)
        else:
            self.left_out[judgement.reason] += 1

    def calm(self, quiet: list[float], after: list[float]) -> None:
        """Take quiet seconds, and the times after touches."""
        self.quiet += quiet
        self.after += after


def run(args: argparse.Namespace) -> int:
    """Collect, write, and say how to use it.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A recording cannot be used, or there are too few touches; then nothing is written.
    """
    check_alpha(args.alpha)
    out, bags = check_out(args.out), check_bags(args.bags)
    replay = Replay(settings_for(args, args.model))
    touches, topic, found, warnings = NormalTouches(), "", list[str](), list[str]()
    with bar_of("judging touches", bags, lambda: f"{len(touches.heard)} touches") as teller:
        for path in bags:
            with replay.open(path) as recording:
                topic = recording.sound.topic
                for replayed in replay.run(recording, teller(path), touches.calm):
                    touches.take(replayed)
                found.append(str(recording))
                warnings += recording.warnings
    left_out = [f"left out {count}: {why}" for why, count in touches.left_out.most_common()]
    names = ", ".join(path.name for path in bags)
    source = f"{len(touches.heard)} touches of {names}, predicted by {replay.predictor.model}"
    try:
        calibration = calibrated(
            touches.heard,
            touches.quiet,
            replay.judge.scorer,
            args.alpha,
            source,
            replay.judge.ego_noise,
            touches.after,
            replay.judge.segment_s,
        )
    except ValueError as error:
        raise ValueError("\n".join([str(error), *left_out, *found])) from error
    scores = out.with_name(f"{out.stem}_normal.yaml")
    calibration.save(scores)
    parameters = {"calibration": str(scores), "alpha": args.alpha}
    write_parameters(out, parameter_files(args), parameters, "normal", source)
    console = make_console()
    line(console, "normal", source)
    line(console, "quiet", _quiet(calibration.count(ALONE, ALL), args.alpha))
    line(console, "after", _after(calibration.count(AFTER, ALL), args.alpha))
    if calibration.adaptation is None or not calibration.adaptation.quantiles:
        line(console, "scorer", "not adapted to this microphone and robot, for which more touches are needed")
    for text in [*calibration.shortages(ANOMALY, args.alpha), *left_out]:
        console.print(text, markup=False)
    for text in warnings:
        line(console, "warning", text)
    line(console, "written", f"{out} and {scores}")
    console.print(launch_command(args, topic, model=args.model), markup=False)
    return 0


def _quiet(seconds: int, alpha: float) -> str:
    """What can be said of sounds that no touch explains."""
    least = least_touches(alpha)
    lacking = (
        f": {least - seconds} more are needed for alpha {alpha:g} (a hand in view that touches nothing), or sounds"
    )
    return f"{seconds} s in which nothing touched" + (
        f"{lacking} without a touch are UNKNOWN" if seconds < least else ""
    )


def _after(touches: int, alpha: float) -> str:
    """What can be said of sounds that begin while a touch may still ring."""
    least = least_touches(alpha)
    lacking = f": {least - touches} more are needed for alpha {alpha:g}, else nobody judges what begins there"
    return f"{touches} touches that rang out" + (lacking if touches < least else "")
