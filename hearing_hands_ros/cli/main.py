"""`hearing-hands`: demo, up, scene, doctor."""

from __future__ import annotations

import argparse
import importlib
import sys
from types import ModuleType

from hearing_hands_ros import __version__

COMMANDS = {
    "demo": "play the demo recording through the whole graph and write a report",
    "up": "start the nodes and keep them running, on a machine without `ros2 launch`",
    "scene": "reconstruct, import, register and look at scenes of Gaussian splats",
    "record": "record hands, sound and images of a running robot into a bag, and say what is missing meanwhile",
    "calibrate": "arm the comparator: the microphone's lag, the robot's noise and normal touches, from recordings",
    "hands": "find hands in the camera images of a recording, and write it again with them in TF",
    "replay": "replay recordings, and see how well prediction and verdicts do on them",
    "report": "what replays found, as a page to look at and listen to; several beside each other",
    "fleet": "replay many recordings with many models, and put what came of them into one table",
    "dataset": "build a dataset of recordings, simulate one, and say what is in one",
    "train": "train a network on a dataset, or go on where it was stopped",
    "evaluate": "measure how well the sound of touches is predicted in held-out scenes, as a table",
    "model": "convert, look at and check checkpoints of networks",
    "doctor": "check that everything that is needed is here, and say how to get what is not",
}
"""Name of each subcommand and what it does; each is a module here with `add_arguments(parser)` and `run(args)`."""


def build_parser(chosen: str | None) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """Return the parser, with the options of the chosen subcommand only, and that subcommand's module.

    A subcommand is imported when it is asked for: `doctor` must run where what `demo` needs is missing.
    """
    parser = argparse.ArgumentParser(
        prog="hearing-hands",
        description="Predicts the sound of touch from hand motion and a Gaussian-splat scene, and listens for what does"
        " not fit.",
    )
    parser.add_argument("--version", action="version", version=f"hearing_hands_ros {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    module = None
    for name, purpose in COMMANDS.items():
        subparser = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if name == chosen:
            module = importlib.import_module(f"hearing_hands_ros.cli.{name}")
            module.add_arguments(subparser)
    return parser, module


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; return the exit code: 2 for what was asked wrongly, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else argv
    parser, module = build_parser(next((word for word in words if word in COMMANDS), None))
    args = parser.parse_args(words)
    if module is None:  # argparse accepts a shortened name on Python before 3.12; we do not
        parser.error(f"wanted one of {', '.join(COMMANDS)}, got {args.command!r}")
    try:
        return int(module.run(args))
    except (ValueError, OSError, ImportError) as error:
        print(f"hearing-hands {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
