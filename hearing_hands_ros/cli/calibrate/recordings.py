"""What all calibrations ask for, and the recordings they read."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hearing_hands_ros.cli.options import add_params_file, add_recordings, params_file_of, replay_settings
from hearing_hands_ros.graph import Options
from hearing_hands_ros.progress import bar
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.recording import Recording
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

OWN_TOPIC = "heard/audio"


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what all commands ask for."""
    add_recordings(parser)
    add_params_file(parser, "; they go into --out too")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="ROS parameter file to write; other parameters of one that is there are kept",
    )


def check_out(out: Path) -> Path:
    """Where the result goes.

    Raises:
        ValueError: It is no file, or its folder is not there.
    """
    out = out.expanduser().absolute()
    if out.is_dir() or not out.parent.is_dir():
        raise ValueError(f"--out: wanted a file in a folder that is there, got '{out}'")
    return out


def parameter_files(args: argparse.Namespace) -> list[Path]:
    """Files whose parameters hold for the recordings, a later one over an earlier one.

    Raises:
        FileNotFoundError: `--params-file` is not there.
    """
    given = params_file_of(args)
    files = [] if given is None else [given]
    out = check_out(args.out)
    return [*files, out] if out.is_file() and out not in files else files


def settings_for(args: argparse.Namespace, model: Path | None) -> ReplaySettings:
    """Settings that the launch files would give the nodes for the same arguments.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A folder is missing, or a parameter is wrong.
    """
    options = Options(scene=str(args.scene), model="" if model is None else str(model))
    return replay_settings(options, args.audio_topic, parameter_files(args))


def launch_command(args: argparse.Namespace, topic: str, **folders: Path | None) -> str:
    """The line that starts the graph with the result.

    Args:
        args: What was asked for.
        topic: Of the recording's microphone; our own microphone recorded it from the device.
        folders: Further arguments, such as `model`; None for those that were not given.
    """
    words = {
        "scene": args.scene.expanduser().absolute(),
        **{name: path.expanduser().absolute() for name, path in folders.items() if path is not None},
        "microphone": "device" if topic.endswith(OWN_TOPIC) else f"topic:{topic}",
        "params_file": check_out(args.out),
    }
    given = " ".join(shlex.quote(f"{name}:={value}") for name, value in words.items())
    return f"ros2 launch hearing_hands_ros predict.launch.py {given}"


def check_bags(bags: Sequence[Path]) -> list[Path]:
    """The recordings, all of which can be opened.

    Raises:
        ValueError: One is missing, broken or empty.
    """
    paths = [bag.expanduser() for bag in bags]
    for path in paths:
        RecordedBag(path).close()
    return paths


def opened(
    bags: Sequence[Path], settings: ReplaySettings, what: str, news: Callable[[], str]
) -> Iterator[tuple[Recording, Callable[[float], None]]]:
    """Open one recording after the other, and show how far it is.

    Args:
        bags: The recordings.
        settings: Which scene was touched, which hands are followed and which sound is listened to.
        what: Is done.
        news: What was found so far.

    Yields:
        A recording, and what is to be told the share of it that is done.

    Raises:
        FileNotFoundError: A file of the scene is missing.
        ValueError: The scene or a recording cannot be used.
    """
    bundle = SceneBundle.load(Path(settings.scene))
    surface = SplatSurface(bundle)
    with bar_of(what, bags, news) as teller:
        for path in bags:
            with Recording(path, bundle, surface, settings.hands, settings.sound) as recording:
                yield recording, teller(path)


@contextmanager
def bar_of(
    what: str, bags: Sequence[Path], news: Callable[[], str]
) -> Iterator[Callable[[Path], Callable[[float], None]]]:
    """Show how far it is on a terminal.

    Args:
        what: Is done.
        bags: All of them.
        news: What was found so far.

    Yields:
        What gives, for a bag, what is to be told the share of it that is done.
    """
    with bar(what) as tell:

        def of(bag: Path) -> Callable[[float], None]:
            before = bags.index(bag)
            return lambda share: tell(before + share, len(bags), news=news())

        yield of
