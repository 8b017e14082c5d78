"""`hearing-hands dataset simulate`: workcells with named materials, hands that touch them, and what is heard."""

from __future__ import annotations

import argparse
from pathlib import Path

from hearing_hands_ros.cli.dataset.info import tell
from hearing_hands_ros.cli.options import add_jobs, check_jobs
from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.progress import bar
from hearing_hands_ros.train.simulator.generate import Materials, generate
from hearing_hands_ros.train.simulator.simulate import SimulatorSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset simulate`."""
    default, demo = SimulatorSettings(), share_directory() / "demo"
    parser.add_argument("out", type=Path, help="folder of the dataset; one that was cut off is gone on with")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument("--train-scenes", type=int, default=default.train_scenes, help="default: %(default)s")
    parser.add_argument("--val-scenes", type=int, default=default.val_scenes, help="default: %(default)s")
    parser.add_argument("--test-scenes", type=int, default=default.test_scenes, help="default: %(default)s")
    parser.add_argument("--items", type=int, default=default.items, help="in each scene; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=default.window_s, help="of an item; default: %(default)s")
    parser.add_argument(
        "--hand-share",
        type=float,
        default=default.hand_share,
        help="share of the items whose touches are rendered with the hand too; default: %(default)s",
    )
    parser.add_argument(
        "--encoder",
        default="efficientnet_lite0_texture",
        help="efficientnet_lite0_texture, efficientnet_lite0, open_clip:MODEL:FILE or a checkpoint's folder; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--bank", type=Path, default=demo / "bank", help="recordings for training and validation; default: the demo's"
    )
    parser.add_argument(
        "--held-out", type=Path, default=demo / "held_out", help="recordings for test only; default: the demo's"
    )
    add_jobs(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate, then say what there is."""
    check_jobs(args.jobs)
    settings = SimulatorSettings(
        seed=args.seed,
        train_scenes=args.train_scenes,
        val_scenes=args.val_scenes,
        test_scenes=args.test_scenes,
        items=args.items,
        window_s=args.seconds,
        hand_share=args.hand_share,
    )
    out = args.out.expanduser()
    with bar("scenes") as told:
        generate(
            out,
            settings,
            Materials(args.bank.expanduser(), args.held_out.expanduser(), args.encoder),
            args.jobs,
            told,
        )
    tell(Dataset.open(out))
    return 0
