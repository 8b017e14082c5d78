"""A private ROS domain for the processes that the command line starts."""

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def free_domain() -> int:
    """A ROS domain on whose first discovery port nobody listens."""
    for step in range(100):
        domain = 1 + (os.getpid() + step) % 100
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", 7400 + 250 * domain + 10))
            except OSError:
                continue
        return domain
    raise RuntimeError("no free ROS domain")


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Environment of a process that uses this checkout, in a domain of its own."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path),
    }
