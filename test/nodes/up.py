"""The whole graph as `hearing-hands up` starts it."""

from __future__ import annotations

import re
import sys

from ros_domain import NodeProcess, RosDomain


class Up(NodeProcess):
    """`hearing-hands up` with some arguments, on a domain; to be stopped before the domain is closed."""

    def __init__(self, ros: RosDomain, *words: object) -> None:
        command = [sys.executable, "-m", "hearing_hands_ros.cli.main", "up", *map(str, words)]
        super().__init__(command, ros.environment, ros.folder / "up.log")

    def pid(self, node: str) -> int:
        """Return the process in which a node runs now."""
        return int(re.findall(rf"{node} runs as process (\d+)", self.log)[-1])

    def close(self) -> None:
        """Stop it and its nodes, which takes it a while."""
        assert self.stop(timeout_s=15.0) == 0, self.log
