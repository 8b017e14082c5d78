"""`diagnostic_updater` where it is installed; where it is not, a small stand-in with the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

if TYPE_CHECKING:
    from rclpy.node import Node

OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE


class StatusWrapper(DiagnosticStatus):
    """A status that a task fills in."""

    def summary(self, level: bytes, message: str) -> None:
        """Set level and message."""
        self.level, self.message = level, message

    def add(self, key: str, value: object) -> None:
        """Append one value, written as text."""
        self.values.append(KeyValue(key=key, value=str(value)))


class StandInUpdater:
    """Publishes the tasks' statuses on /diagnostics once a second of wall time, also while simulated time stands."""

    def __init__(self, node: Node, period: float = 1.0) -> None:
        self._node = node
        self._hardware_id = ""
        self._tasks: list[tuple[str, Callable[[Any], Any]]] = []
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Kept here: a timer's clock must outlive it.
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(period, self.force_update, clock=self._clock)

    def setHardwareID(self, hardware_id: str) -> None:  # noqa: N802  (the name in diagnostic_updater)
        """Name what is diagnosed."""
        self._hardware_id = hardware_id

    def add(self, name: str, task: Callable[[Any], Any]) -> None:
        """Run `task(status)` at every update; it fills the status in and returns it."""
        self._tasks.append((name, task))

    def force_update(self) -> None:
        """Run all tasks and publish now."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        for name, task in self._tasks:
            status = StatusWrapper(
                name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {name}", hardware_id=self._hardware_id
            )
            task(status)
            array.status.append(status)
        self._publisher.publish(array)


try:
    import diagnostic_updater
except ModuleNotFoundError as error:
    if error.name != "diagnostic_updater":
        raise
    Updater = StandInUpdater
else:

    class Updater(diagnostic_updater.Updater):  # type: ignore[no-redef]
        """The updater of ROS, which by itself takes no value but text, and says nothing while simulated time stands."""

        timer: Any

        def __init__(self, node: Node, period: float = 1.0) -> None:
            super().__init__(node, period)
            node.destroy_timer(self.timer)
            # Kept here: a timer's clock must outlive it.
            self._steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.timer = node.create_timer(self.period, self.force_update, clock=self._steady)

        def add(self, name: str, task: Callable[[Any], Any]) -> None:
            """Run `task(status)` at every update; it fills the status in and returns it."""

            def run(status: Any) -> Any:
                filled = task(StatusWrapper())
                status.summary(filled.level, filled.message)
                status.values = filled.values
                return status

            super().add(name, run)


__all__ = ["ERROR", "OK", "STALE", "WARN", "StatusWrapper", "Updater"]
