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
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = {b"\x00": "OK", b"\x01": "WARN", b"\x02": "ERROR", b"\x03": "STALE"}


def wait_until(condition: Callable[[], Any], timeout_s: float, what: Callable[[], str]) -> Any:
    """Return the first true value of `condition`; fail with `what()` after `timeout_s` of wall time."""
    until_s = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until_s:
            pytest.fail(f"not within {timeout_s:g} s: {what()}", pytrace=True)
        time.sleep(0.02)


class NodeProcess:
    """A node in a process of its own; stopped by its own pid."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        """All it has printed."""
        return self._log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_for_log(self, text: str, timeout_s: float = 10.0, count: int = 1) -> None:
        """Wait until it has printed `text`, `count` times."""
        wait_until(lambda: self.log.count(text) >= count, timeout_s, lambda: f"{text!r} in its log:\n{self.log}")

    def stop(self, timeout_s: float = 5.0) -> int:
        """Interrupt it as Ctrl-C does, kill it when it does not go; return its exit status."""
        if self.is_running:
            self.process.send_signal(signal.SIGINT)
        return self.wait_or_kill(timeout_s)

    def wait_or_kill(self, timeout_s: float = 5.0) -> int:
        """Give it time to go, kill it when it does not; return its exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()


class Inbox:
    """Messages of one topic, oldest first, with the wall time at which each came."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.messages: list[Any] = []
        self.times_s: list[float] = []

    def take(self, message: Any) -> None:
        self.times_s.append(time.monotonic())
        self.messages.append(message)

    def clear(self) -> None:
        self.messages, self.times_s = [], []

    def wait(self, condition: Callable[[list[Any]], Any] = bool, timeout_s: float = 10.0) -> Any:
        """Return the first true `condition(messages)`."""
        return wait_until(
            lambda: condition(self.messages),
            timeout_s,
            lambda: f"{len(self.messages)} messages on {self.topic}, the last: {str(self.messages[-1:])[:600]}",
        )

    def wait_for(self, count: int, timeout_s: float = 10.0) -> list[Any]:
        """Return the messages once there are `count` of them."""
        self.wait(lambda messages: len(messages) >= count, timeout_s)
        return self.messages


class DiagnosticsInbox:
    """The diagnostic statuses of one node."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.statuses: list[Any] = []

    def take(self, array: Any) -> None:
        self.statuses += [s for s in array.status if s.name.split(":")[0].rpartition("/")[2] == self.node]

    @property
    def history(self) -> list[tuple[str, str]]:
        """(level, message) of all statuses, repetitions left out."""
        seen = [(LEVELS[s.level], s.message) for s in self.statuses]
        return [entry for i, entry in enumerate(seen) if i == 0 or entry != seen[i - 1]]

    @property
    def values(self) -> dict[str, str]:
        """Values of the latest status."""
        return {v.key: v.value for v in self.statuses[-1].values} if self.statuses else {}

    def wait(self, level: bytes | None = None, text: str = "", timeout_s: float = 10.0, since: int = 0) -> Any:
        """Return the first status from number `since` on with this level and with `text` in its message."""

        def found() -> Any:
            hits = [s for s in self.statuses[since:] if level in (None, s.level) and text in s.message]
            return hits[0] if hits else None

        wanted = f"{LEVELS.get(level, 'any level') if level is not None else 'any level'} with {text!r}"
        return wait_until(found, timeout_s, lambda: f"{wanted} from {self.node}; got {self.history} {self.values}")

    def wait_for_value(self, key: str, condition: Callable[[float], bool], timeout_s: float = 10.0) -> float:
        """Wait until the number `key` of the latest status fulfils `condition`; return it."""
        wait_until(
            lambda: key in self.values and condition(float(self.values[key])),
            timeout_s,
            lambda: f"{key} of {self.node}; got {self.history} {self.values}",
        )
        return float(self.values[key])


class RosDomain:
    """One free domain with a probe node in it, and what was started in it."""

    def __init__(self, folder: Path, domain: int) -> None:
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self.folder = folder
        self.domain = domain
        self.processes: list[NodeProcess] = []
        self.environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("ROS_LOCALHOST_ONLY", None)
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.probe = rclpy.create_node("probe", context=self._context, start_parameter_services=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.probe)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def start(
        self,
        module: str,
        parameters: dict[str, Any] | None = None,
        *,
        arguments: list[str] | None = None,
        remap: dict[str, str] | None = None,
        prefix: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> NodeProcess:
        """Start `python -m module` as a node, or a script where `module` ends in .py.

        Args:
            module: What to run.
            parameters: ROS parameters.
            arguments: Arguments before --ros-args.
            remap: Remappings, of names, or of `__node` and `__ns`.
            prefix: An ament prefix whose interface packages this process has, beside the usual ones.
            environment: More environment variables.
        """
        command = [sys.executable, *([module] if module.endswith(".py") else ["-m", module]), *(arguments or [])]
        command += ["--ros-args"]
        for key, value in (parameters or {}).items():
            text = json.dumps(value) if not isinstance(value, str) else f"'{value}'"
            command += ["-p", f"{key}:={text}"]
        for key, value in (remap or {}).items():
            command += ["-r", f"{key}:={value}"]
        variables = {**self.environment, **(environment or {})}
        if prefix is not None:
            version = f"python{sys.version_info.major}.{sys.version_info.minor}"
            for name, path in (
                ("AMENT_PREFIX_PATH", prefix),
                ("LD_LIBRARY_PATH", prefix / "lib"),
                ("PYTHONPATH", prefix / "lib" / version / "site-packages"),
            ):
                variables[name] = os.pathsep.join(p for p in (str(path), variables.get(name, "")) if p)
        log = self.folder / f"process-{len(self.processes)}.log"
        process = NodeProcess(command, variables, log)
        self.processes.append(process)
        return process

    def listen(self, message_type: Any, topic: str, qos: Any = 100) -> Inbox:
        """Collect the messages of a topic; wait for its publisher with `Inbox.wait`."""
        inbox = Inbox(topic)
        self.probe.create_subscription(message_type, topic, inbox.take, qos)
        return inbox

    def diagnostics(self, node: str) -> DiagnosticsInbox:
        """Collect the diagnostics of a node."""
        from diagnostic_msgs.msg import DiagnosticArray

        inbox = DiagnosticsInbox(node)
        self.probe.create_subscription(DiagnosticArray, "/diagnostics", inbox.take, 100)
        return inbox

    def talk(self, message_type: Any, topic: str, qos: Any = 100) -> Any:
        """Return a publisher of the probe node."""
        return self.probe.create_publisher(message_type, topic, qos)

    def wait_for_listener(self, publisher: Any, timeout_s: float = 10.0) -> None:
        """Wait until somebody listens to a publisher of the probe."""
        wait_until(
            lambda: publisher.get_subscription_count() > 0, timeout_s, lambda: f"a listener of {publisher.topic_name}"
        )

    def wait_for_topic(self, topic: str, timeout_s: float = 10.0) -> None:
        """Wait until somebody publishes on a topic."""
        wait_until(lambda: self.probe.count_publishers(topic) > 0, timeout_s, lambda: f"a publisher of {topic}")

    def close(self) -> None:
        """Stop the processes started here, then the probe."""
        for process in self.processes:  # all at once: each takes up to a second to go
            if process.is_running:
                process.process.send_signal(signal.SIGINT)
        for process in self.processes:
            process.wait_or_kill()
        self._context.try_shutdown()
        self._thread.join(5.0)
        self.probe.destroy_node()
        self._context.destroy()


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
