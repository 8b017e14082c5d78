"""How our nodes are spun: one thread, the cheapest executor that is installed."""

from __future__ import annotations

import gc
import traceback
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
    """Run one node until SIGINT, SIGTERM or the context's end, then take it down cleanly.

    Args:
        make_node: Makes it; a ValueError is a parameter that it was started with.
        args: Command line, that of the process by default.

    Raises:
        SystemExit: With 2 if the node cannot be made with its parameters, with 1 if one of its callbacks failed.
    """
    rclpy.init(args=args)
    logger = rclpy.logging.get_logger("hearing_hands_ros")
    node = None
    try:
        try:
            node = make_node()
        except ValueError as error:
            logger.fatal(str(error))
            raise SystemExit(2) from None
        gc.freeze()  # what was imported stays: the collector need not look through it again and again
        executor = EventsExecutor()
        executor.add_node(node)
        # EventsExecutor.spin() of the PyPI wheels never returns; this does, within SPIN_S.
        while rclpy.ok():
            executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:  # noqa: BLE001  (whatever a callback raised is logged)
        # Publishing fails when the context ends first; then there is nothing left to say.
        if rclpy.ok():
            logger.fatal(traceback.format_exc())
            raise SystemExit(1) from None
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
