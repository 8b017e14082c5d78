"""The environment of the processes that the command line starts."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(private_domain) -> dict[str, str]:
    """Environment of a process that uses this checkout, in a domain of its own."""
    return {**os.environ, **private_domain, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
