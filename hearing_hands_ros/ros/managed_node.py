"""A lifecycle node that starts itself, says what is wrong, and tries again until it works."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, ClassVar

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from hearing_hands_ros.ros.connections import mismatches
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN, Updater
from hearing_hands_ros.ros.parameters import CommonParameters, declare_parameters, read_parameters

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """Base of the package's nodes.

    A node implements `configure`, `activate`, `deactivate` and `cleanup`; each may raise ValueError or OSError with a
    message that says who wanted what and what it got. Such an error is logged once, shown in the diagnostics, and with
    `autostart` the transition is tried again every `retry_s` of wall time. Any other exception is handled in the same
    way, with its type in the message and its traceback in the debug log.

    The diagnostics of every node also say, as ERROR, which publisher or subscription of another node does not fit its
    own: another type, or QoS that is not compatible.
    """

    parameters_class: ClassVar[type[CommonParameters]]

    def __init__(self, name: str, **kwargs: Any) -> None:
        # First of all: a parameter may be refused, and then the half-made node is destroyed.
        self.fault: str | None = None
        self.companions: list[Node] = []  # whose subscriptions work for this node
        self.is_active = False
        self._configured = False
        self._start_timers: list[Any] = []
        super().__init__(name, **kwargs)
        declare_parameters(self, self.parameters_class)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.diagnostics = Updater(self)
        self.diagnostics.setHardwareID("hearing_hands_ros")
        self.diagnostics.add("status", self._diagnose)
        common = read_parameters(self, CommonParameters)
        if common.autostart:
            self._start_timers = [
                self.create_timer(seconds, self._start, clock=self._steady) for seconds in (0.0, common.retry_s)
            ]

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
        self._leave_alone()
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
        self._leave_alone()
        if self.is_active:
            self.on_deactivate(state)
        if self._configured:
            self.on_cleanup(state)
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything after a transition that raised; the node is unconfigured then."""
        if self.is_active:
            self._attempt(self.deactivate)
        if self._configured:
            self._attempt(self.cleanup)
        self.is_active = self._configured = False
        self.fault = f"{self.get_name()}: the transition from '{state.label}' failed; unconfigured now"
        self.get_logger().error(self.fault)
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Close devices before the node goes."""
        if self.is_active:
            self.is_active = False
            self._attempt(self.deactivate)
        super().destroy_node()

    def _attempt(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:  # noqa: BLE001  (a step may fail in any way; the node stays up and says so)
            expected = isinstance(error, (ValueError, OSError))
            fault = str(error) if expected else f"{self.get_name()}: {step.__name__}: {type(error).__name__}: {error}"
            if fault != self.fault:
                self.get_logger().error(fault)
                if not expected:
                    self.get_logger().debug(traceback.format_exc())
            self.fault = fault
            return False
        if self.fault is not None:
            self.get_logger().info(f"{step.__name__}: works again")
        self.fault = None
        return True

    def _start(self) -> None:
        """One try of autostart."""
        at_once, _ = self._start_timers
        at_once.cancel()
        if not self._configured:
            self.trigger_configure()
        if self._configured and not self.is_active:
            self.trigger_activate()

    def _leave_alone(self) -> None:
        """Once active or shut down, the state is left to whoever changes it from outside."""
        for timer in self._start_timers:
            timer.cancel()

    def _diagnose(self, status: Any) -> Any:
        level, message = self._state(status)
        if misfits := mismatches(self, *self.companions):
            level, message = ERROR, "; ".join(misfits if level == OK else [*misfits, message])
        status.summary(level, message)
        return status

    def _state(self, status: Any) -> tuple[bytes, str]:
        """Return level and message of the node itself, whoever it is connected with."""
        if self.fault is not None:
            return ERROR, self.fault
        if not self.is_active:
            return WARN, "inactive" if self._configured else "unconfigured"
        return self.status(status)
