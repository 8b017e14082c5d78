"""`hearing-hands model`: checkpoints of networks."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

COMMANDS = {
    "convert": "make a checkpoint folder of the published PyTorch files",
    "info": "say what is in a checkpoint folder",
    "check": "read all of a checkpoint folder, and say what is wrong with it",
}
"""Name of each subcommand and what it does; each is a module here with `add_arguments(parser)` and `run(args)`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="model_command", metavar="command", required=True)
    for name, purpose in COMMANDS.items():
        subparser = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        _module(name).add_arguments(subparser)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; return the exit code."""
    return int(_module(args.model_command).run(args))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hearing_hands_ros.cli.model.{name}")
