"""`hearing-hands calibrate normal`: scores of touches that somebody vouches for, from recordings."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hearing_hands_ros.cli.calibrate.parameter_file import whole, write_parameters
from hearing_hands_ros.cli.calibrate.recordings import (
    add_common_arguments,
    bar,
    check_bags,
    check_out,
    launch_command,
    parameter_files,
    replay_settings,
)
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.compare.calibration import Calibration, least_touches
from hearing_hands_ros.compare.scores import TouchScores
from hearing_hands_ros.replay.replay import Replay, Replayed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `calibrate normal`."""
    add_common_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model that predicts")
    parser.add_argument(
        "--bank", type=Path, help="recorded touches to tell materials apart with; default: as the launch files have it"
    )
    parser.add_argument(
        "--alpha", type=float, default=0.01, help="rate of false alarms that is wanted; default: %(default)s"
    )


@dataclass
class NormalTouches:
    """Touches that are normal, and why some of them cannot be used."""

    scores: list[TouchScores] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def take(self, replayed: Replayed) -> None:
        """Take the verdict on a touch; one on a sound without a touch is nothing to learn from."""
        judgement = replayed.comparison.judgement
        if replayed.comparison.contact is None:
            return
        if judgement.touch is not None and math.isfinite(judgement.touch.deciding[1]):
            self.scores.append(judgement.touch)
        else:
            self.left_out[judgement.reason] += 1


def calibration_of(touches: Sequence[TouchScores], alpha: float, source: str) -> Calibration:
    """The calibration that a set of normal touches makes.

    Raises:
        ValueError: They are too few for `alpha`; says how many are missing.
    """
    least = least_touches(alpha)
    if len(touches) < least:
        raise ValueError(
            f"calibrate normal: wanted {least} normal touches or more for alpha {alpha:g}, got {len(touches)}: "
            f"{least - len(touches)} are missing"
        )
    return Calibration.of(source, touches)


def run(args: argparse.Namespace) -> int:
    """Collect, write, and say how to use it.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A recording cannot be used, or there are too few touches; then nothing is written.
    """
    if not 0.0 < args.alpha < 1.0:
        raise ValueError(f"--alpha: wanted more than 0 and less than 1, got {args.alpha:g}")
    out, bags = check_out(args.out), check_bags(args.bags)
    replay = Replay(replay_settings(args, args.model, args.bank))
    touches, topic, found = NormalTouches(), "", list[str]()
    with bar("judging touches", bags, lambda: f"{len(touches.scores)} touches") as teller:
        for path in bags:
            with replay.open(path) as recording:
                topic = recording.sound.topic
                for replayed in replay.run(recording, teller(path)):
                    touches.take(replayed)
                found.append(str(recording))
    left_out = [f"left out {count}: {why}" for why, count in touches.left_out.most_common()]
    names = ", ".join(path.name for path in bags)
    source = f"{len(touches.scores)} touches of {names}, predicted by {replay.predictor.model}"
    try:
        calibration = calibration_of(touches.scores, args.alpha, source)
    except ValueError as error:
        raise ValueError("\n".join([str(error), *left_out, *found])) from error
    scores = out.with_name(f"{out.stem}_normal.yaml")
    with whole(scores) as beside:
        calibration.save(beside)
    parameters = {"calibration": str(scores), "alpha": args.alpha}
    write_parameters(out, parameter_files(args), parameters, "normal", source)
    console = make_console()
    line(console, "normal", source)
    for text in left_out:
        console.print(text, markup=False)
    line(console, "written", f"{out} and {scores}")
    console.print(launch_command(args, topic, model=args.model, bank=args.bank), markup=False)
    return 0
