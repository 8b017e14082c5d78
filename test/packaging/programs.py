"""A ROS prefix like a user's, and processes in a ROS domain of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from patience import patience

from hearing_hands_ros.ros.domains import free_domain

ROOT = Path(__file__).parents[2]
OURS = ("hearing_hands_ros", "tf2_msgs")


def clean_environment(prefix: Path, home: Path) -> dict[str, str]:
    """What a user has after activating the virtual environment and naming the prefix of ROS."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/local/bin:/usr/bin:/bin"]),
        "VIRTUAL_ENV": sys.prefix,
        "AMENT_PREFIX_PATH": str(prefix),
        "CMAKE_PREFIX_PATH": str(prefix),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_LOG_DIR": str(home / "log"),
    }


def prefix_without_ours(folder: Path) -> Path:
    """This environment's ROS, by links, without the packages that installing this repository added to it."""
    index = Path("share/ament_index/resource_index")
    (folder / index).mkdir(parents=True)
    for name in ("bin", "include", "lib"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    for entry in (Path(sys.prefix) / "share").iterdir():
        if entry.name not in (*OURS, "ament_index"):
            (folder / "share" / entry.name).symlink_to(entry)
    ignore = shutil.ignore_patterns(*OURS)
    shutil.copytree(Path(sys.prefix) / index, folder / index, ignore=ignore, dirs_exist_ok=True)
    return folder


class Program:
    """A process, its output, and its end."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=log.parent,
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        """Wait until it has printed a text."""
        begun_s = time.monotonic()
        while text not in self.text:
            assert time.monotonic() - begun_s < timeout_s * patience(), (
                f"not within {timeout_s:g} s: '{text}'; got:\n{self.text}"
            )
            assert self.process.poll() is None or text in self.text, f"ended without '{text}':\n{self.text}"
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Send SIGINT as Ctrl-C does, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15.0 * patience())
