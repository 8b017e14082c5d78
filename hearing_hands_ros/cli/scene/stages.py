"""Progress bars of work that has several stages."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Stages:
    """A bar for each stage; called with what is being done, how much of it is done, and how much there is."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._stage = ""
        self._task: TaskID | None = None

    def __enter__(self) -> Stages:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar. A number in its name may change on the way."""
        name = "".join(letter for letter in stage if not letter.isdigit())
        if self._task is None or name != self._stage:
            self._stage, self._task = name, self._progress.add_task(stage, total=total)
        self._progress.update(self._task, description=stage, completed=done, total=total)
