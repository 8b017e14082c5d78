"""A node in a process of its own, on a domain of its own, and what it publishes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import patience

ROOT = Path(__file__).parents[2]
LEVELS = {b"\x00": "OK", b"\x01": "WARN", b"\x02": "ERROR", b"\x03": "STALE"}


def wait_until(condition: Callable[[], Any], timeout_s: float, what: Callable[[], str]) -> Any:
    """Return the first true value of `condition`; fail with `what()` after `timeout_s`, longer on a busy machine."""
    begun_s = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() - begun_s > timeout_s * patience():
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
            return self.process.wait(timeout_s * patience())
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

    def on_its_thread(self, function: Callable[[], object]) -> None:
        """Have the probe's thread call something: what it spins with must not be destroyed under it."""
        self._executor.create_task(function)

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
