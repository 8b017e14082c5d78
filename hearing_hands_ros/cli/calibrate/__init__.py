"""`hearing-hands calibrate`: what the comparator must know of a robot's own microphone and touches, out of bags."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType
from typing import Any

COMMANDS = {
    "lag": "measure how late the microphone is, from taps on the scene",
    "ego": "learn the noise of the robot itself, from where it moves and touches nothing",
    "normal": "collect the scores of normal touches, until the comparator can promise a rate of false alarms",
}
"""Name of each subcommand and what it does; each is a module here with `add_arguments(parser)` and `run(args)`."""


class _LateParser(argparse.ArgumentParser):
    """Asks its module for options once it was chosen: what the others import is slow."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Add the options, then parse."""
        _module(self.prog.rsplit(" ", 1)[1]).add_arguments(self)
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(
        dest="calibrate_command", metavar="command", required=True, parser_class=_LateParser
    )
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; return the exit code."""
    return int(_module(args.calibrate_command).run(args))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hearing_hands_ros.cli.calibrate.{name}")
