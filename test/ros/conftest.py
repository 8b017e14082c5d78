from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

_FIRST_PORT = 7400
_PORTS_PER_DOMAIN = 250


def _free_domain() -> int:
    """A domain on whose first discovery port nobody listens; each process starts its search at another place."""
    for step in range(100):
        domain = 1 + (os.getpid() + step) % 100
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", _FIRST_PORT + _PORTS_PER_DOMAIN * domain + 10))
            except OSError:
                continue
        return domain
    raise RuntimeError("no free ROS domain")


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """rclpy, initialised on a domain of its own and on this machine only."""
    import rclpy

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    domain = _free_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    rclpy.init(domain_id=domain)
    try:
        yield
    finally:
        rclpy.try_shutdown()
