"""Being asked to stop: the step in hand is finished and saved first."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopRequest:
    """Takes SIGINT and SIGTERM while it is open; the second SIGINT interrupts at once.

    Attributes:
        signal: That came, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, as shells expect; else 0: whoever sends SIGTERM knows that it is unfinished."""
        return 130 if self.signal == signal.SIGINT else 0

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
