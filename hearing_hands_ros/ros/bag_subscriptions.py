"""Subscriptions of a recorder: messages as bytes, with the time at which the middleware received them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.record.bag_thread import Topic
from hearing_hands_ros.record.choice import CAMERA_INFO, IMAGES, TopicChoice
from hearing_hands_ros.record.definitions import definition_of
from hearing_hands_ros.ros.message_class import message_class

DEPTH = 1000
PICTURES_DEPTH = 30


class BagSubscriptions:
    """Subscribes to what is wanted as it appears, with the type and the QoS that are offered.

    Nobody is called back. `take_waiting` takes what has come since: at 1 kHz that costs less than to wake up for each
    message, and it alone is told when a message was received and which number it has. The subscriptions live in a node
    that nobody spins.

    Args:
        node: Whose view of the graph is used.
        choice: What is wanted.

    Attributes:
        topics: That are subscribed to, by name.
        troubles: By topic, why one that is wanted cannot be recorded.
        lost: By topic, how many messages the middleware lost on the way, as their numbers tell.
    """

    def __init__(self, node: Node, choice: TopicChoice) -> None:
        self._node, self._choice = node, choice
        self._ears = Node(
            f"{node.get_name()}_ears",
            context=node.context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self.topics: dict[str, Topic] = {}
        self.troubles: dict[str, str] = {}
        self.lost: Counter[str] = Counter()
        self._subscriptions: dict[str, Any] = {}
        self._profiles: dict[str, tuple[Any, ...]] = {}
        self._numbers: dict[tuple[str, bytes], int] = {}

    def look(self) -> None:
        """Follow what is in the graph."""
        offers = {}
        for name, _ in self._node.get_topic_names_and_types():
            if self._node.count_publishers(name) and (ends := self._node.get_publishers_info_by_topic(name)):
                offers[name] = ends
        for name in self._choice.chosen({name: ends[0].topic_type for name, ends in offers.items()}, self.topics):
            self._follow(name, offers[name])

    def take_waiting(self) -> list[tuple[Topic, int, bytes]]:
        """Messages that have come: topic, time of receipt in ns and bytes, in order of time."""
        taken: list[tuple[Topic, int, bytes]] = []
        for name, subscription in self._subscriptions.items():
            topic = self.topics[name]
            with subscription.handle:
                while (found := subscription.handle.take_message(subscription.msg_type, True)) is not None:
                    raw, info = found
                    self._count(name, info)
                    taken.append((topic, info["received_timestamp"] or time.time_ns(), raw))
        taken.sort(key=lambda message: message[1])
        return taken

    def close(self) -> None:
        """End all subscriptions."""
        self._subscriptions.clear()
        self._ears.destroy_node()

    def _follow(self, name: str, ends: list[Any]) -> None:
        kinds = sorted({end.topic_type for end in ends})
        if len(kinds) > 1:
            self.troubles[name] = f"wanted one type, got {', '.join(kinds)}"
            return
        best_effort = any(end.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for end in ends)
        latched = all(end.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for end in ends)
        profile = kinds[0], best_effort, latched
        if self._profiles.get(name) == profile:
            if name in self._subscriptions:
                self.troubles.pop(name, None)  # whoever had another type is gone
            return
        if name in self._subscriptions:
            self._ears.destroy_subscription(self._subscriptions.pop(name))
            self._numbers = {key: number for key, number in self._numbers.items() if key[0] != name}
        self._profiles[name] = profile
        try:
            kind, (definition, type_hash) = message_class(kinds[0]), definition_of(kinds[0])
        except ValueError as error:
            self.troubles[name] = str(error)
            return
        self.troubles.pop(name, None)
        is_picture = kinds[0] in IMAGES
        offered = tuple(dict.fromkeys(_qos(end.qos_profile) for end in ends))
        self.topics[name] = Topic(name, kinds[0], definition, type_hash, offered, is_picture)
        qos = QoSProfile(
            depth=PICTURES_DEPTH if is_picture or kinds[0] == CAMERA_INFO else DEPTH,
            history=HistoryPolicy.KEEP_LAST,
            reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self._subscriptions[name] = self._ears.create_subscription(kind, name, _nobody, qos, raw=True)

    def _count(self, name: str, info: dict[str, Any]) -> None:
        number = info["publication_sequence_number"]
        if number is None:  # not every middleware counts
            return
        key = name, info["publisher_gid"]["data"]
        self.lost[name] += max(0, number - self._numbers.get(key, number - 1) - 1)
        self._numbers[key] = number


def _nobody(message: Any) -> None:
    """Is never called: nobody spins the node."""


def _qos(profile: Any) -> Qos:
    """A profile as a recording has it."""
    return Qos(
        QosHistory(int(profile.history)),
        int(profile.depth),
        QosReliability(int(profile.reliability)),
        QosDurability(int(profile.durability)),
        _time(profile.deadline),
        _time(profile.lifespan),
        QosLiveliness(int(profile.liveliness)),
        _time(profile.liveliness_lease_duration),
        bool(profile.avoid_ros_namespace_conventions),
    )


def _time(duration: Any) -> QosTime:
    return QosTime(*divmod(duration.nanoseconds, NANOSECONDS))
