from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Program


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    """Start programs; what still runs at the end is killed."""
    programs: list[Program] = []

    def run(command: list[object], environment: dict[str, str]) -> Program:
        words = [str(word) for word in command]
        programs.append(Program(words, environment, tmp_path / f"{len(programs)}-{Path(words[0]).name}.log"))
        return programs[-1]

    yield run
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
