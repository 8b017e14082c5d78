"""`hearing-hands scene`: everything that is done with a scene bundle before a hand comes near it."""

from __future__ import annotations

import argparse
import importlib
import re
from types import ModuleType
from typing import Any

COMMANDS = {
    "info": "say what is in a scene bundle or a splat file",
    "check": "read all of a scene bundle, and list everything that is wrong with it",
    "import": "make a scene bundle of nerfstudio, 3D Gaussian splatting or COLMAP output",
    "crop": "keep the Gaussians inside a box or a sphere",
    "convert": "write the splats in another format",
    "build": "reconstruct a scene from photos",
    "register": "find where and how large the scene is in a robot's frame",
    "look": "draw what a touch would look like to a model, with a hand or a gripper in place",
    "bake": "compute what every part of the surface looks like, once",
    "example": "make a synthetic room, photograph it with a simulated robot, and register it",
}
"""Name of each subcommand and what it does; each is a module here with `add_arguments(parser)` and `run(args)`."""


class _LateParser(argparse.ArgumentParser):
    """Asks its module for options once it was chosen: what the others import is slow."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # argparse takes -1e-3 for an option: it knows negative numbers without exponents only.
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Add the options, then parse."""
        name = self.prog.rsplit(" ", 1)[1]
        _module(name).add_arguments(self)
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="scene_command", metavar="command", required=True, parser_class=_LateParser)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; return the exit code."""
    return int(_module(args.scene_command).run(args))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hearing_hands_ros.cli.scene.{name.replace('import', 'import_')}")
