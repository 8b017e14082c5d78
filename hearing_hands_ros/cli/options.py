"""Options that several commands have: one meaning and one default, wherever they stand."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hearing_hands_ros.graph import Options, argument_field, predict_graph, share_directory
from hearing_hands_ros.replay.settings import ReplaySettings, settings_of

ALPHA: Final = 0.05
"""As `sound_comparator` has it."""


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Add recordings, the scene that is touched in them, and how they are listened to."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 folders, .mcap or .db3 files")
    parser.add_argument("--scene", type=Path, required=True, help="folder of the scene that was touched, registered")
    parser.add_argument("--audio-topic", default="", help="of the microphone; default: a recording's only one")


def add_params_file(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add a file with parameters of the graph; `more` is said of it beside."""
    told = f"parameters of the graph: the hand's frames, and what `calibrate` writes{more}"
    parser.add_argument("--params-file", type=Path, metavar="FILE", help=told)


def params_file_of(args: argparse.Namespace) -> Path | None:
    """The file that was given, absolute.

    Raises:
        FileNotFoundError: It is not there.
    """
    if args.params_file is None:
        return None
    given: Path = args.params_file.expanduser().absolute()
    if not given.is_file():
        raise FileNotFoundError(f"--params-file: wanted a file, got nothing at '{given}'")
    return given


def add_sight(parser: argparse.ArgumentParser) -> None:
    """Add how a model sees and where it computes."""
    for name in ("views", "device"):
        item = argument_field(name)
        choices = [choice for choice in item.metadata["choices"] if choice]
        parser.add_argument(f"--{name}", choices=choices, default="", help=item.metadata["description"])


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add what is known of the touches."""
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML with what is known of the touches; once for all recordings, or once for each in their order",
    )


def add_alpha(parser: argparse.ArgumentParser) -> None:
    """Add the rate of false alarms; `check_alpha` checks it."""
    told = "rate of false alarms that is wanted; default: %(default)s"
    parser.add_argument("--alpha", type=float, default=ALPHA, help=told)


def check_alpha(alpha: float) -> None:
    """Raise a ValueError if it is no rate."""
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"--alpha: wanted more than 0 and less than 1, got {alpha:g}")


def add_jobs(parser: argparse._ActionsContainer) -> None:
    """Add how many processes work; `check_jobs` checks it."""
    told = "processes at work; default: one for each processor, %(default)s here"
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help=told)


def check_jobs(jobs: int) -> None:
    """Raise a ValueError if nobody would work."""
    if jobs < 1:
        raise ValueError(f"--jobs: wanted 1 or more, got {jobs}")


def replay_settings(options: Options, audio_topic: str = "", later: Sequence[Path] = ()) -> ReplaySettings:
    """Settings that the launch files would give the nodes for the same arguments.

    Args:
        options: The arguments.
        audio_topic: Of the microphone; empty for a recording's only one.
        later: Parameter files that count for more than `options.params_file`, and for less than other arguments.

    Raises:
        ValueError: A file or folder is missing, or a parameter is wrong.
    """
    listening = replace(options, microphone=f"topic:{audio_topic or '/audio'}")
    specs = predict_graph(listening, share_directory())
    settings = settings_of([replace(spec, layers=(*spec.layers[:-1], *later, spec.layers[-1])) for spec in specs])
    return replace(settings, sound=replace(settings.sound, topic=audio_topic))
