"""A lifecycle node that starts itself, says what is wrong, and tries again until it works."""

from __future__ import annotations

from typing import Any, ClassVar

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN, Updater
from hearing_hands_ros.ros.parameters import CommonParameters, declare_parameters, read_parameters

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """Base of the package's nodes.

    A node implements `configure`, `activate`, `deactivate` and `cleanup`; each may raise ValueError or OSError with a
    message that says who wanted what and what it got. Such an error is logged once, shown in the diagnostics, and with
    `autostart` the transition is tried again every `retry_s` of wall time.
    """

    parameters_class: ClassVar[type[CommonParameters]]

    def __init__(self, name: str, **kwargs: Any) -> None:
        # First of all: a parameter may be refused, and then the half-made node is destroyed.
        self.fault: str | None = None
        self.is_active = False
        self._configured = False
        super().__init__(name, **kwargs)
        declare_parameters(self, self.parameters_class)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.diagnostics = Updater(self)
        self.diagnostics.setHardwareID("hearing_hands_ros")
        self.diagnostics.add("status", self._diagnose)
        common = read_parameters(self, CommonParameters)
        if common.autostart:
            self._start_timer = self.create_timer(common.retry_s, self._start, clock=self._steady)
            self._first_start = self.create_timer(0.0, self._start_once, clock=self._steady)

    # What a node fills in.

    def configure(self) -> None:
        """Read parameters, load and check everything that can fail."""

    def activate(self) -> None:
        """Open devices, begin to publish."""

    def deactivate(self) -> None:
        """Close devices, cease to publish."""

    def cleanup(self) -> None:
        """Forget what `configure` loaded."""

    def status(self, status: Any) -> tuple[bytes, str]:
        """Add values to a diagnostic status of the active node; return its level and message."""
        del status
        return OK, "working"

    # Lifecycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        del state
        if not self._attempt(self.configure):
            return FAILURE
        self._configured = True
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        # The base class enables the lifecycle publishers, so it comes first: `activate` may publish.
        super().on_activate(state)
        if not self._attempt(self.activate):
            super().on_deactivate(state)
            return FAILURE
        self.is_active = True
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        self.is_active = False
        self._attempt(self.deactivate)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        del state
        self._configured = False
        self._attempt(self.cleanup)
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        if self.is_active:
            self.on_deactivate(state)
        if self._configured:
            self.on_cleanup(state)
        return SUCCESS

    def destroy_node(self) -> None:
        """Close devices before the node goes."""
        if self.is_active:
            self.is_active = False
            self._attempt(self.deactivate)
        super().destroy_node()

    def _attempt(self, step: Any) -> bool:
        try:
            step()
        except (ValueError, OSError) as error:
            if str(error) != self.fault:
                self.get_logger().error(str(error))
            self.fault = str(error)
            return False
        if self.fault is not None:
            self.get_logger().info(f"{step.__name__}: works again")
        self.fault = None
        return True

    def _start_once(self) -> None:
        self._first_start.cancel()
        self._start()

    def _start(self) -> None:
        """One try of autostart; once active, leave the state to whoever changes it from outside."""
        if not self._configured:
            self.trigger_configure()
        if self._configured and not self.is_active:
            self.trigger_activate()
        if self.is_active:
            self._start_timer.cancel()

    def _diagnose(self, status: Any) -> Any:
        if self.fault is not None:
            status.summary(ERROR, self.fault)
        elif not self.is_active:
            status.summary(WARN, "inactive" if self._configured else "unconfigured")
        else:
            level, message = self.status(status)
            status.summary(level, message)
        return status
