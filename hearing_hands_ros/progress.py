"""Progress bars for what takes longer than two seconds; only a terminal shows them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)

T = TypeVar("T")


class Tell(Protocol):
    """Takes how far it is: so much of so much, what is done now if that changes, and what was found so far."""

    def __call__(self, done: float, total: float = 1.0, what: str = "", news: str = "") -> None:
        """Show it."""


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """Yield the items, and show how far it is on a terminal; elsewhere nothing is printed."""
    return track(items, what, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


@contextmanager
def bar(what: str) -> Iterator[Tell]:
    """Show how far it is on a terminal, as what is given is told; elsewhere nothing is printed."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[news]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(what, total=None, news="")

        def tell(done: float, total: float = 1.0, what: str = what, news: str = "") -> None:
            shown.update(task, completed=done, total=total, description=what, news=news)

        yield tell
