"""How far it is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Display:
    """Shows steps and figures.

    Args:
        steps: In all.
        first: Steps that were done before.
        silent: Shows nothing: another process does.
        stream: Where to; standard error by default.
    """

    def __init__(self, steps: int, first: int, silent: bool = False, stream: TextIO | None = None) -> None:
        self.steps, self.first, self.silent = steps, first, silent
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
            disable=silent or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, completed=first, figures="")

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, done: int) -> None:
        """A step was done."""
        self._bar.update(self._task, completed=done)

    def figures(self, done: int, values: Mapping[str, float], step_s: float) -> None:
        """Show figures of the last steps; the bar has room for the first of them."""
        shown = [f"{name} {value:.4g}" for name, value in values.items()]
        pace = f"{step_s * 1000:.0f} ms/step"
        self._bar.update(self._task, figures="  ".join([*shown[:1], pace]))
        if self._bar.disable:
            left = timedelta(seconds=round((self.steps - done) * step_s))
            self.say(f"step {done}/{self.steps}  {'  '.join([*shown, pace])}  {left} left")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if not self.silent:
            self._console.print(text, markup=False)
