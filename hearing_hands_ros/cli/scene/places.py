"""What the subcommands read and write: scene bundles, and splat files on their own."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.splats import SUFFIXES, SplatScene, read_splats


def open_scene(path: Path, sh_degree: int = 3) -> SceneBundle | SplatScene:
    """A bundle, registered or not, or a splat file on its own.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: Something in it is wrong.
    """
    path = path.expanduser()
    return SceneBundle.load(path, registered=False) if path.is_dir() else read_splats(path, sh_degree)


def new_place(path: Path) -> Path:
    """Where something is to be written.

    Raises:
        ValueError: There is something already.
    """
    path = path.expanduser()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ValueError(f"wanted a name that is free, got {path}, where there is something already")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def splats_file(bundle: SceneBundle) -> str:
    """The name that a bundle's splats keep."""
    return bundle.splats.source if Path(bundle.splats.source).suffix.lower() in SUFFIXES else "scene.spz"


def make_console() -> Console:
    """For results: in a pipe there are no colours, and lines are as long as they are."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)


def make_status() -> Console:
    """For progress, which must not get into a pipe."""
    return Console(stderr=True, highlight=False)


def line(console: Console, what: str, value: str) -> None:
    """Print a fact."""
    console.print(f"[bold]{what:<13}[/] {escape(value)}")
