"""How our nodes are spun: one thread, the cheapest executor that is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rclpy
import rclpy.logging
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Future

try:  # in rclpy since Kilted; a third of the processor time of SingleThreadedExecutor
    from rclpy.experimental import EventsExecutor
except ImportError:
    EventsExecutor = SingleThreadedExecutor

SPIN_S = 1.0


def spin(make_node: Callable[[], Any], args: list[str] | None = None) -> None:
    """Run one node until SIGINT, SIGTERM or the context's end, then take it down cleanly."""
    rclpy.init(args=args)
    node = None
    try:
        node = make_node()
        executor = EventsExecutor()
        executor.add_node(node)
        # EventsExecutor.spin() of the PyPI wheels never returns; this does, within SPIN_S.
        while rclpy.ok():
            executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ValueError as error:  # a parameter that the node was started with
        rclpy.logging.get_logger("hearing_hands_ros").fatal(str(error))
        raise SystemExit(2) from None
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
