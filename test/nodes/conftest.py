"""Nodes under test as users run them: processes of their own, over real DDS, in a domain that nobody else is in.

    def test_it_talks(ros_domain):
        node = ros_domain.start("hearing_hands_ros.nodes.microphone", {"source": "file", "file": "x.wav"})
        heard = ros_domain.listen(Audio, "heard/audio")
        heard.wait(lambda messages: len(messages) >= 10, timeout_s=10)
        ros_domain.diagnostics("microphone").wait(OK, timeout_s=5)

Everything is stopped and closed when the test ends; all waits have wall-clock limits and fail with what was seen.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ros_domain import RosDomain

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def _domain(folder: Path, number: int) -> Iterator[RosDomain]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.delenv("ROS_LOCALHOST_ONLY", raising=False)
        patch.setenv("ROS_LOG_DIR", str(folder))
        domain = RosDomain(folder, number)
        try:
            yield domain
        finally:
            domain.close()


@pytest.fixture
def ros_domain(tmp_path: Path, free_domain: Callable[[], int]) -> Iterator[RosDomain]:
    """A free ROS domain on this machine only, with a probe node."""
    with _domain(tmp_path, free_domain()) as domain:
        yield domain


@pytest.fixture(scope="module")
def shared_ros_domain(tmp_path_factory: pytest.TempPathFactory, free_domain: Callable[[], int]) -> Iterator[RosDomain]:
    """The same, shared by the tests of a module: for a node that several tests talk to."""
    with _domain(tmp_path_factory.mktemp("ros"), free_domain()) as domain:
        yield domain


def build_interfaces(source: Path, prefix: Path) -> None:
    """Build one interface package into an ament prefix with the environment's ROS, if it changed since last time."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    mark = prefix / f"{source.name}.built"
    if mark.is_file() and all(mark.stat().st_mtime > path.stat().st_mtime for path in source.rglob("*")):
        return
    environment = dict(os.environ)
    for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
        environment[name] = os.pathsep.join(p for p in (str(prefix), sys.prefix, os.environ.get(name, "")) if p)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment["PATH"] = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])
    build = prefix.parent / f"{source.name}-build"
    configure = [
        "cmake", "-S", str(source), "-B", str(build), "-G", "Ninja", "-DBUILD_TESTING=OFF",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPYTHON_INSTALL_DIR=lib/{version}/site-packages",
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'cmake' / 'drop_missing_includes.cmake'}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(build), "--target", "install"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{source.name} does not build:\n{(done.stdout + done.stderr)[-3000:]}")
    mark.touch()


@pytest.fixture(scope="session")
def audio_interfaces() -> Callable[[str], Path]:
    """Give the prefix with the interfaces of one folder of test/interfaces; they are built once and kept in build/."""

    def prefix(name: str) -> Path:
        pytest.importorskip("ament_package")
        folder = ROOT / "build" / f"test-interfaces-{sys.version_info.major}.{sys.version_info.minor}" / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests beside these may want it too
            build_interfaces(ROOT / "test" / "interfaces" / name, folder / "prefix")
        return folder / "prefix"

    return prefix


@pytest.fixture(scope="session")
def virtual_microphone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[dict[str, str], Path]]:
    """Give an ALSA input device 'testmic': the environment in which it exists, and its control file.

    See test/interfaces/virtual_microphone. The device is plugged in while the control file exists.
    """
    if shutil.which("gcc") is None or ctypes.util.find_library("asound") is None:
        pytest.skip("wants gcc and libasound2")
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("wants libportaudio2")
    folder = tmp_path_factory.mktemp("virtual_microphone")
    library = folder / "virtual_microphone.so"
    source = ROOT / "test" / "interfaces" / "virtual_microphone" / "virtual_microphone.c"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-l:libasound.so.2", "-lm"]
    subprocess.run(command, check=True)

    def make(name: str) -> tuple[dict[str, str], Path]:
        control = folder / f"{name}.control"
        configuration = folder / f"{name}.conf"
        configuration.write_text(
            "</usr/share/alsa/alsa.conf>\n"
            f'pcm_type.virtual_microphone {{ lib "{library}" }}\n'
            f'pcm.testmic {{ type virtual_microphone control "{control}" }}\n'
        )
        return {"ALSA_CONFIG_PATH": str(configuration)}, control

    return make
