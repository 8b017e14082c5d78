"""`hearing-hands dataset build`: recordings of a robot that touches things in; what generators are trained on out."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hearing_hands_ros.cli.dataset.info import tell
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.data.dataset import ORIGINS, Dataset
from hearing_hands_ros.data.from_bags.build import PAGE, STATISTICS, Workers, build
from hearing_hands_ros.data.from_bags.settings import BuildSettings, SplitBy
from hearing_hands_ros.graph import Options, predict_graph, share_directory
from hearing_hands_ros.replay.settings import ReplaySettings, settings_of
from hearing_hands_ros.vision.view_features import Mode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset build`."""
    default = BuildSettings()
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 folders, .mcap or .db3 files")
    parser.add_argument("--scene", type=Path, required=True, help="folder of the scene that was touched, registered")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="of the dataset; one that was cut off is gone on with"
    )
    parser.add_argument(
        "--params-file",
        type=Path,
        metavar="FILE",
        help="ROS parameter file: the hand's frames, and the microphone's lag as `calibrate lag` writes it",
    )
    parser.add_argument("--audio-topic", default="", help="of the microphone; default: the recording's only one")
    parser.add_argument(
        "--views", choices=get_args(Mode), default=default.views, help="how touched places are seen; default: bare"
    )
    parser.add_argument("--encoder", default=default.encoder, help="of the views; default: %(default)s")
    parser.add_argument(
        "--split",
        choices=get_args(SplitBy),
        default=default.split,
        help="what is held out whole; 'both': what is held out is of other recordings and of other places than what is "
        "learnt from, and all else is left out; default: %(default)s",
    )
    parser.add_argument("--place", type=float, default=default.place_m, help="edge of a place, m; default: %(default)s")
    parser.add_argument("--val-share", type=float, default=default.val_share, help="default: %(default)s")
    parser.add_argument("--test-share", type=float, default=default.test_share, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=default.window_s, help="of the longest window; default: %(default)s"
    )
    parser.add_argument(
        "--empty-share",
        type=float,
        default=default.empty_share,
        help="share of windows in which nothing is touched; default: %(default)s",
    )
    parser.add_argument("--origin", choices=ORIGINS, default=default.origin, help="default: %(default)s")
    parser.add_argument("--licence", default=default.licence, help="of the recordings; default: %(default)s")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes; default: %(default)s")
    parser.add_argument(
        "--ray",
        action="store_true",
        help="on the Ray cluster of RAY_ADDRESS, whose machines see the same folders, or one that is started here",
    )


def run(args: argparse.Namespace) -> int:
    """Build, then say what there is.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A recording, the scene or an argument cannot be used.
        ImportError: Ray is asked for and not installed.
    """
    settings = BuildSettings(
        window_s=args.seconds,
        empty_share=args.empty_share,
        split=args.split,
        place_m=args.place,
        val_share=args.val_share,
        test_share=args.test_share,
        views=args.views,
        encoder=args.encoder,
        origin=args.origin,
        licence=args.licence,
        seed=args.seed,
    )
    out = args.out.expanduser()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    shown = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty())
    with shown as progress:
        task = progress.add_task("", total=None)
        made = build(
            args.bags,
            out,
            settings,
            _replay_settings(args),
            Workers(args.jobs, args.ray),
            lambda what, done, total: progress.update(task, description=what, completed=done, total=total),
        )
    _say(out, made)
    return 0


def _replay_settings(args: argparse.Namespace) -> ReplaySettings:
    """What the nodes of the graph would be told.

    Raises:
        FileNotFoundError: A parameter file is missing.
        ValueError: A parameter is wrong.
    """
    files = [] if args.params_file is None else [args.params_file.expanduser().absolute()]
    if files and not files[0].is_file():
        raise FileNotFoundError(f"--params-file: wanted a file, got nothing at {files[0]}")
    options = Options(scene=str(args.scene.expanduser().absolute()), microphone=f"topic:{args.audio_topic or '/audio'}")
    specs = predict_graph(options, share_directory())
    settings = settings_of([replace(spec, layers=(*spec.layers[:-1], *files, spec.layers[-1])) for spec in specs])
    return replace(settings, sound=replace(settings.sound, topic=args.audio_topic))


def _say(out: Path, made: bool) -> None:
    console = make_console()
    tell(Dataset.open(out))
    statistics = yaml.safe_load((out / STATISTICS).read_text(encoding="utf-8"))
    for side, row in statistics["splits"].items():
        line(console, side, f"{row['touches']} touches in {row['minutes']:g} minutes")
    for note in statistics["notes"]:
        line(console, "note", note)
    for reason, count in statistics["left_out"].items():
        line(console, "left out", f"{count} {reason}")
    line(console, "samples", str(out / PAGE))
    if not made:
        line(console, "made", "nothing: the dataset was there")
