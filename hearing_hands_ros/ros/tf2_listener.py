"""`TransformListener` for machines without tf2_ros, and one that takes its messages when it is asked to."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from .tf2_buffer import Buffer
from .tf2_bytes import MalformedMessageError, edges_in_bytes

_AUTHORITY = "default_authority"
_DEPTH = 100
_POLLED_DEPTH = 1000
_SPIN_S = 0.25


class TransformListener:
    """Fills a buffer from /tf and /tf_static.

    Messages are taken as bytes: at 1 kHz the message objects would cost more than everything else here.

    Args:
        buffer: Where transforms go.
        node: Node that subscribes; None makes one.
        spin_thread: Spin the node in a thread of its own.
        qos: Profile or depth for /tf; volatile, depth 100 by default.
        static_qos: Profile or depth for /tf_static; transient local, depth 100 by default.
        tf_topic: Name of the topic of moving edges.
        tf_static_topic: Name of the topic of static edges.
        static_only: Leave /tf alone.

    Attributes:
        malformed: How many messages were not those of a TFMessage and were ignored.
    """

    def __init__(
        self,
        buffer: Buffer,
        node: Any,
        *,
        spin_thread: bool = False,
        qos: Any = None,
        static_qos: Any = None,
        tf_topic: str = "/tf",
        tf_static_topic: str = "/tf_static",
        static_only: bool = False,
    ) -> None:
        self.buffer = buffer
        self.malformed = 0
        if node is None:
            node = _quiet_node()
        self.node = node
        if qos is None:
            qos = QoSProfile(depth=_DEPTH, durability=DurabilityPolicy.VOLATILE, history=HistoryPolicy.KEEP_LAST)
        if static_qos is None:
            static_qos = QoSProfile(
                depth=_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST
            )
        # Another callback of this node may wait for transforms: these must not wait for it.
        self.group = ReentrantCallbackGroup()
        if not static_only:
            self.tf_sub = node.create_subscription(
                TFMessage, tf_topic, self.callback, qos, callback_group=self.group, raw=True
            )
        self.tf_static_sub = node.create_subscription(
            TFMessage, tf_static_topic, self.static_callback, static_qos, callback_group=self.group, raw=True
        )
        if spin_thread:
            self.executor = SingleThreadedExecutor()
            self._stop = threading.Event()
            self.dedicated_listener_thread = threading.Thread(
                target=_spin, args=(self.executor, node, self._stop), daemon=True
            )
            self.dedicated_listener_thread.start()

    def __del__(self) -> None:
        self.unregister()

    def unregister(self) -> None:
        """Stop listening and end the thread, if there is one; safe to call again."""
        thread = self.__dict__.pop("dedicated_listener_thread", None)
        if thread is not None:
            self._stop.set()
            if thread is not threading.current_thread():
                thread.join(4 * _SPIN_S)
        for name in ("tf_sub", "tf_static_sub"):
            subscription = self.__dict__.pop(name, None)
            if subscription is not None:
                self.node.destroy_subscription(subscription)

    def callback(self, data: Any) -> None:
        """Take a message of moving edges, as bytes or as a TFMessage."""
        self._take(data, False)

    def static_callback(self, data: Any) -> None:
        """Take a message of static edges, as bytes or as a TFMessage."""
        self._take(data, True)

    def _take(self, data: Any, is_static: bool) -> None:
        buffer = self.buffer
        if not isinstance(data, (bytes, bytearray, memoryview)):
            take = buffer.set_transform_static if is_static else buffer.set_transform
            for transform in data.transforms:
                take(transform, _AUTHORITY)
            return
        try:
            edges = edges_in_bytes(bytes(data))
        except MalformedMessageError as error:
            self.malformed += 1
            if self.malformed == 10 ** (len(str(self.malformed)) - 1):
                get_logger("tf2_listener").warning(f"Ignored a message: {error} ({self.malformed} so far)")
            return
        insert = buffer.insert
        for parent, child, stamp_ns, values in edges:
            insert(parent, child, stamp_ns, values, _AUTHORITY, is_static)


class PolledTransformListener(TransformListener):
    """Fills a buffer when told to, with all messages that have come since.

    For a node that looks at TF in a rhythm of its own. At 1 kHz of messages it costs less processor time to take all
    that came within a frame at once than to wake up for each (docs/benchmarks.md). The subscriptions live in a node
    of their own, which nobody spins. Before simulated time jumps back, what waits is taken, so that the buffer forgets
    it too.

    Args:
        buffer: Where transforms go.
        node: Node whose clock is watched for jumps.
        depth: Messages of /tf that may wait; older ones are dropped.
    """

    def __init__(self, buffer: Buffer, node: Any, *, depth: int = _POLLED_DEPTH) -> None:
        super().__init__(buffer, _quiet_node(), qos=depth)
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump_handle = node.get_clock().create_jump_callback(threshold, pre_callback=self.take_waiting)

    def take_waiting(self) -> None:
        """Take all messages that have come, static edges first."""
        for subscription, take in ((self.tf_static_sub, self.static_callback), (self.tf_sub, self.callback)):
            with subscription.handle:
                while (taken := subscription.handle.take_message(TFMessage, True)) is not None:
                    take(taken[0])

    def unregister(self) -> None:
        """Cease to listen, and take down the node; safe to call again."""
        handle = self.__dict__.pop("_jump_handle", None)
        if handle is not None:
            handle.unregister()
            super().unregister()
            self.node.destroy_node()


def _quiet_node() -> Node:
    """Make a node for subscriptions alone, of tf2's name for it; whoever renames the process's node leaves this one."""
    name = f"transform_listener_impl_{uuid4().hex[:10]}"
    return Node(
        name,
        cli_args=["--ros-args", "-r", f"__node:={name}"],
        enable_rosout=False,
        start_parameter_services=False,
        parameter_overrides=[Parameter("use_sim_time", value=False)],
    )


def _spin(executor: Any, node: Any, stop: threading.Event) -> None:
    """Spin until told to stop or until ROS shuts down."""
    executor.add_node(node)
    try:
        while not stop.is_set() and executor.context.ok():
            executor.spin_once(timeout_sec=_SPIN_S)
    except ExternalShutdownException:
        return
    executor.remove_node(node)
    executor.shutdown()
