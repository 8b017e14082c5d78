"""A sound source that is a ROS topic of any audio message there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from hearing_hands_ros.ros.message_class import message_class
from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap
from hearing_hands_ros.sound.capture.families import DECODERS, DESCRIBED, TYPES, DescribedBytes

DEPTH = 50  # a second of sound in 20 ms messages
LOOK_S = 0.5


class AudioSubscription:
    """Subscribes when a publisher appears, with the type and the reliability that it offers.

    Reliable publishers get a reliable subscription: on a lossy or busy network, best effort loses sound that could have
    been had. As soon as one publisher offers best effort, the subscription is best effort, which matches both. It is
    made anew when type or reliability on the topic change, so a sender may be restarted with others.

    Args:
        node: Whose subscriptions these are.
        topic: Name, remapped as usual.
        topic_type: 'auto' or one of `TYPES`.
        info_topic: Where AudioInfo comes; empty for 'audio_info' beside the topic.
        sample_rate_hz: For bytes without AudioInfo; 0 for none.
        channels: Likewise.
        clock: A steady one, that times the looks at who is there.
        heard: Called when sound waits to be read.
        refuse: Called with a text for each message that is no sound.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        topic_type: str,
        info_topic: str,
        sample_rate_hz: int,
        channels: int,
        clock: Clock,
        heard: Callable[[], None],
        refuse: Callable[[str], None],
    ) -> None:
        self.trouble = ""
        self.ended = False
        self.stamps = "header of the messages"
        self.clock: ClockMap | None = None
        self.publishers: list[str] = []
        self._node, self._wanted_type, self._heard, self._refuse = node, topic_type, heard, refuse
        self._topic = node.resolve_topic_name(topic)
        self._info_topic = node.resolve_topic_name(info_topic or f"{self._topic.rpartition('/')[0]}/audio_info")
        self._assumed = sample_rate_hz, channels
        self._blocks: list[Block] = []
        self._subscriptions: list[Any] = []
        self._made_for: tuple[Any, ...] = ()
        self._clock = clock
        self._timer: Any = None

    def open(self) -> None:  # noqa: D102  (as in capture.block.Source)
        if self._wanted_type != "auto":
            message_class(self._wanted_type)
        self._timer = self._node.create_timer(LOOK_S, self._look, clock=self._clock)
        self._look()

    def read(self, now_ns: int) -> list[Block]:  # noqa: ARG002, D102
        blocks, self._blocks = self._blocks, []
        return blocks

    def close(self) -> None:  # noqa: D102
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        self._unsubscribe()
        self._blocks = []

    def _look(self) -> None:
        """Follow what is on the topic."""
        found = self._node.get_publishers_info_by_topic(self._topic)
        self.publishers = [f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in found]
        if not found:
            self.trouble = f"nobody publishes on '{self._topic}'"
            return
        types = sorted({end.topic_type for end in found})
        known = [name for name in types if name == self._wanted_type or (self._wanted_type == "auto" and name in TYPES)]
        if not known:
            wanted = f"'{self._wanted_type}'" if self._wanted_type != "auto" else f"one of {', '.join(TYPES)}"
            self.trouble = f"'{self._topic}': wanted {wanted}, got {', '.join(types)} from {', '.join(self.publishers)}"
            return
        best_effort = any(end.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for end in found)
        infos = self._node.get_publishers_info_by_topic(self._info_topic) if known[0] in DESCRIBED else []
        latched = bool(infos) and all(e.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for e in infos)
        info_best_effort = any(e.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for e in infos)
        made_for = known[0], best_effort, latched, info_best_effort
        if made_for != self._made_for:
            self._unsubscribe()
            try:
                self._subscribe(*made_for)
            except ValueError as error:
                self.trouble = str(error)
                return
            self._made_for = made_for
        self.trouble = (
            f"'{self._topic}' has {len(found)} publishers, wanted one: {', '.join(self.publishers)}"
            if len(found) > 1
            else ""
        )

    def _subscribe(self, type_name: str, best_effort: bool, latched: bool, info_best_effort: bool) -> None:
        audio_class = message_class(type_name)
        if type_name in DESCRIBED:
            described = DescribedBytes(*self._assumed)
            decode: Callable[[Any], Block] = described
            info_class = message_class("audio_common_msgs/msg/AudioInfo")
            info_qos = quality(1, best_effort=info_best_effort, latched=latched)
            self._subscriptions.append(
                self._node.create_subscription(info_class, self._info_topic, described.describe, info_qos)
            )
        else:
            decode = DECODERS[type_name]

        def receive(message: Any) -> None:
            try:
                block = decode(message)
            except Exception as error:  # noqa: BLE001  (whatever a message holds, the node stays up and says so)
                who = ", ".join(self.publishers) or "an unknown node"
                what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                self._refuse(f"message on '{self._topic}' from {who} refused: {what}")
                return
            self.stamps = (
                "header of the messages" if block.stamp_ns is not None else "arrival less duration (none sent)"
            )
            self._blocks.append(block)
            self._heard()

        qos = quality(DEPTH, best_effort=best_effort)
        self._subscriptions.append(self._node.create_subscription(audio_class, self._topic, receive, qos))
        self._node.get_logger().info(
            f"listening to '{self._topic}' ({type_name}, {'best effort' if best_effort else 'reliable'}) "
            f"of {', '.join(self.publishers)}"
        )

    def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions, self._made_for = [], ()


def quality(depth: int, *, best_effort: bool = False, latched: bool = False) -> QoSProfile:
    """Return a keep-last QoS."""
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
