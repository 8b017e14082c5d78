"""`hearing-hands dataset build`: recordings of a robot that touches things in; what generators are trained on out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import yaml

from hearing_hands_ros.cli.dataset.info import tell
from hearing_hands_ros.cli.options import (
    add_jobs,
    add_params_file,
    add_recordings,
    check_jobs,
    params_file_of,
    replay_settings,
)
from hearing_hands_ros.cli.scene.places import line, make_console
from hearing_hands_ros.data.dataset import ORIGINS, Dataset
from hearing_hands_ros.data.from_bags.build import PAGE, STATISTICS, Workers, build
from hearing_hands_ros.data.from_bags.settings import BuildSettings, SplitBy
from hearing_hands_ros.graph import Options
from hearing_hands_ros.progress import bar
from hearing_hands_ros.vision.view_features import Mode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset build`."""
    default = BuildSettings()
    add_recordings(parser)
    add_params_file(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="of the dataset; one that was cut off is gone on with"
    )
    parser.add_argument(
        "--views", choices=get_args(Mode), default=default.views, help="how touched places are seen; default: bare"
    )
    parser.add_argument("--encoder", default=default.encoder, help="of the views; default: %(default)s")
    parser.add_argument(
        "--hold-out",
        choices=get_args(SplitBy),
        default=default.split,
        help="what goes to one split whole; 'both': what is held out is of other recordings and of other places than "
        "what is learnt from, and all else is left out; default: %(default)s",
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
    add_jobs(parser)
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
    check_jobs(args.jobs)
    settings = BuildSettings(
        window_s=args.seconds,
        empty_share=args.empty_share,
        split=args.hold_out,
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
    options = Options(scene=str(args.scene), params_file=str(params_file_of(args) or ""))
    with bar("") as told:
        made = build(
            args.bags,
            out,
            settings,
            replay_settings(options, args.audio_topic),
            Workers(args.jobs, args.ray),
            lambda what, done, total: told(done, total, what),
        )
    _say(out, made)
    return 0


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
