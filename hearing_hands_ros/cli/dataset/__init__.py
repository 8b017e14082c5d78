"""`hearing-hands dataset`: what generators are trained and judged on."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType
from typing import Any

COMMANDS = {
    "build": "make a dataset of recordings: windows around touches, split by place and recording",
    "simulate": "make a dataset of simulated touches",
    "bank": "make a bank of examples of a dataset's touches, which is a model too",
    "calibration": "make the comparator's calibration of a dataset's normal touches",
    "info": "say what is in a dataset, and read all of it if asked to",
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
    commands = parser.add_subparsers(dest="dataset_command", metavar="command", required=True, parser_class=_LateParser)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; return the exit code."""
    return int(_module(args.dataset_command).run(args))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hearing_hands_ros.cli.dataset.{name}")
