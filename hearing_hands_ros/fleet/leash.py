"""Commands in processes of their own that do not outlive whoever waits for them.

`python -m hearing_hands_ros.fleet.leash WORDS` is `hearing-hands WORDS` that ends when its standard input does.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from threading import Thread
from types import TracebackType

from hearing_hands_ros.cli.main import main

STDIN = 0


class Leash:
    """Holds processes, to be used in a `with` statement: they end with it, and with this process however that ends."""

    def __init__(self) -> None:
        self._theirs, self._ours = os.pipe()

    def __enter__(self) -> Leash:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        os.close(self._theirs)

    def run(self, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a `hearing-hands` command; return how it ended and what it said."""
        return subprocess.run(
            [sys.executable, "-m", "hearing_hands_ros.fleet.leash", *words],
            env=environment,
            stdin=self._theirs,
            capture_output=True,
            text=True,
            check=False,
        )

    def let_go(self) -> None:
        """End what runs on it."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1


def _end_when_let_go() -> None:
    os.read(STDIN, 1)
    for child in multiprocessing.active_children():
        child.terminate()
    os._exit(130)


if __name__ == "__main__":
    Thread(target=_end_when_let_go, daemon=True).start()
    sys.exit(main())
