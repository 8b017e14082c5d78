"""A progress bar for what takes longer than two seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """Yield the items, and show how far it is on a terminal; elsewhere nothing is printed."""
    return track(items, what, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
