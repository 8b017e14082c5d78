from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch, private_domain: dict[str, str]) -> Iterator[None]:
    """rclpy, initialised on a domain of its own and on this machine only."""
    import rclpy

    for name, value in private_domain.items():
        monkeypatch.setenv(name, value)
    rclpy.init(domain_id=int(private_domain["ROS_DOMAIN_ID"]))
    try:
        yield
    finally:
        rclpy.try_shutdown()
