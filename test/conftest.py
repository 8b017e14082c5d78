"""What tests of all folders share: a ROS domain of their own."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from hearing_hands_ros.scene.bundle import SceneBundle
    from hearing_hands_ros.scene.surface import SplatSurface

# New examples are for those who look for faults, not for whoever waits for a merge.
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def free_domain() -> Callable[[], int]:
    """Give a ROS domain whose discovery ports nobody uses (Linux: up to 101), another one at each call."""

    def find() -> int:
        for domain in random.sample(range(1, 102), 101):
            with contextlib.ExitStack() as sockets:
                try:
                    for offset in (0, 10, 11, 12, 13, 14, 15):
                        sock = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                        sock.bind(("", 7400 + 250 * domain + offset))
                except OSError:
                    continue
                return domain
        pytest.fail("no free ROS_DOMAIN_ID in 1..101")

    return find


@pytest.fixture
def private_domain(free_domain: Callable[[], int], tmp_path: Path) -> dict[str, str]:
    """Environment variables of a free ROS domain on this machine only, with its logs in the test's folder."""
    return {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path),
    }


@pytest.fixture(scope="session")
def bundle() -> SceneBundle:
    """The demo's scene."""
    from hearing_hands_ros.scene.bundle import SceneBundle

    return SceneBundle.load(Path(__file__).parents[1] / "demo" / "scene")


@pytest.fixture(scope="session")
def surface(bundle: SceneBundle) -> SplatSurface:
    """Its surface."""
    from hearing_hands_ros.scene.surface import SplatSurface

    return SplatSurface(bundle)


LIVE = {"free_domain", "private_domain", "ros_domain", "shared_ros_domain"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests over DDS in real time a second chance: what else the machine does is not theirs to say.

    A test that needed it is listed as RERUN in the summary.
    """
    for item in items:
        if LIVE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.flaky(reruns=1))
