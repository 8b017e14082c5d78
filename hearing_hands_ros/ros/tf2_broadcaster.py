"""`TransformBroadcaster` and `StaticTransformBroadcaster` for machines without tf2_ros."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

_DEPTH = 100


class TransformBroadcaster:
    """Sends moving edges on /tf.

    Args:
        node: Node that publishes.
        qos: Profile or depth; depth 100 by default.
    """

    def __init__(self, node: Any, qos: Any = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=_DEPTH) if qos is None else qos)

    def sendTransform(self, transform: Any) -> None:  # noqa: N802 - the name in tf2_ros
        """Send one TransformStamped or several."""
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Sends static edges on /tf_static, each time all that were sent so far, so that late listeners get them too.

    Args:
        node: Node that publishes.
        qos: Profile or depth; transient local, depth 1 by default.
    """

    def __init__(self, node: Any, qos: Any = None) -> None:
        if qos is None:
            qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST)
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", qos)
        self._by_child: dict[str, Any] = {}

    def sendTransform(self, transform: Any) -> None:  # noqa: N802 - the name in tf2_ros
        """Send one TransformStamped or several; a child sent before is replaced."""
        for edge in _as_list(transform):
            # The caller may go on to use its message for the next edge.
            self._by_child[edge.child_frame_id] = deepcopy(edge)
        self.pub_tf.publish(TFMessage(transforms=list(self._by_child.values())))


def _as_list(transform: Any) -> list[Any]:
    return list(transform) if isinstance(transform, Iterable) else [transform]
