"""Plays a recorded bag into the ROS graph, with its time on /clock; needs no rosbag2.

Messages go out as the bytes that were recorded, so nothing is lost or changed on the way.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosDurability
from rosgraph_msgs.msg import Clock

from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.ros.message_class import message_class

if TYPE_CHECKING:
    from rclpy.node import Node
    from rosbags.interfaces import Connection

CLOCK_RATE_HZ = 100.0
ALWAYS_LATCHED = ("/tf_static", "/robot_description")
MIN_DEPTH, MAX_DEPTH = 100, 10_000


def installed_hash(type_name: str) -> str:
    """Return the type hash of an installed message type, empty if the installation does not tell."""
    package, kind, name = type_name.split("/")
    try:
        from ament_index_python.packages import get_package_share_directory

        share = Path(get_package_share_directory(package))
    except (ImportError, LookupError, OSError):  # the PyPI wheels set no AMENT_PREFIX_PATH
        share = Path(sys.prefix) / "share" / package
    try:
        hashes = json.loads((share / kind / f"{name}.json").read_text())["type_hashes"]
        return next((str(item["hash_string"]) for item in hashes if item["type_name"] == type_name), "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def check_hash(type_name: str, recorded: str) -> None:
    """Compare a recorded type with the installed one, where both are known.

    Raises:
        ValueError: They differ, so the recorded bytes would be read wrongly.
    """
    installed = installed_hash(type_name)
    if recorded and installed and recorded != installed:
        raise ValueError(
            f"message type '{type_name}': the recording wanted {recorded}, the installed one is {installed}"
        )


@dataclass
class PlayReport:
    """What was played.

    Attributes:
        published: Messages a topic.
        skipped: Messages a topic that could not be published; their types are not installed or differ.
        late_s: How late each message went out, s.
        clock_ticks: Messages on /clock.
        stopped: It was stopped before the end.
    """

    published: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    late_s: array[float] = field(default_factory=lambda: array("f"))
    clock_ticks: int = 0
    stopped: bool = False

    def summary(self) -> str:
        """Return one line for people."""
        late = np.asarray(self.late_s) if self.late_s else np.zeros(1)
        text = (
            f"{self.published.total()} messages on {len(self.published)} topics, "
            f"late by {1e3 * float(np.median(late)):.2f} ms (median), {1e3 * float(late.max()):.2f} ms (worst)"
        )
        return f"{text}, {self.skipped.total()} skipped" if self.skipped else text


class BagPlayer:
    """Publishes a bag's messages when they are due.

    Message i goes out at `start + (stamp_i - stamp_0) / rate` of the machine's steady clock: each due time is computed
    from the start, so delays do not add up.

    Args:
        node: Whose publishers are used.
        bag: What is played.
        rate: Speed, > 0.
        start_s: Where to begin, s after the bag's first message.
        tail_s: How long /clock goes on after the last message, s of the bag's time.
        topics: Only these; empty: all.
        with_clock: Publish /clock.

    Attributes:
        report: What was played since the last start.

    Raises:
        ValueError: `rate` is not positive, `start_s` lies outside the bag, or nothing of the bag can be published.
    """

    def __init__(
        self,
        node: Node,
        bag: RecordedBag,
        *,
        rate: float = 1.0,
        start_s: float = 0.0,
        tail_s: float = 0.0,
        topics: tuple[str, ...] = (),
        with_clock: bool = True,
    ) -> None:
        length_s = 1e-9 * (bag.end_ns - bag.start_ns)
        if not rate > 0:
            raise ValueError(f"bag player: rate wanted more than 0, got {rate:g}")
        if not 0 <= start_s <= length_s:
            raise ValueError(f"bag player: start_s wanted 0 to {length_s:.3f} s of '{bag.path}', got {start_s:g}")
        missing = sorted(set(topics) - {c.topic for c in bag.connections})
        if missing:
            have = ", ".join(sorted({c.topic for c in bag.connections}))
            raise ValueError(f"bag player: topics wanted are not in '{bag.path}': {', '.join(missing)}; it has: {have}")
        self._node, self._bag, self._rate, self._tail_s = node, bag, rate, tail_s
        self._start_ns = bag.start_ns + round(1e9 * start_s)
        self.report = PlayReport()
        self._log = node.get_logger()
        self._publishers: dict[str, Any] = {}
        self._latched: set[str] = set()
        self._skip: set[str] = set()
        self._connections = [
            connection
            for connection in bag.connections
            if (not topics or connection.topic in topics) and not (with_clock and connection.topic == "/clock")
        ]
        self._clock = node.create_publisher(Clock, "/clock", 10) if with_clock else None
        for connection in self._connections:
            self._advertise(connection)
        if not self._publishers:
            raise ValueError(f"bag player: wanted a message type that is installed, '{bag.path}' has none of them")

    @property
    def topics(self) -> list[str]:
        """Topics that are published."""
        return sorted(self._publishers)

    def _advertise(self, connection: Connection) -> None:
        topic = connection.topic
        if topic in self._publishers or topic in self._skip:
            return
        try:
            kind = message_class(connection.msgtype)
            check_hash(connection.msgtype, connection.digest)
        except ValueError as error:
            self._log.warning(f"bag player: topic '{topic}' is skipped: {error}")
            self._skip.add(topic)
            return
        peers = [c for c in self._connections if c.topic == topic]
        offers = [offer for c in peers for offer in getattr(c.ext, "offered_qos_profiles", [])]
        latched = topic in ALWAYS_LATCHED or any(o.durability is QosDurability.TRANSIENT_LOCAL for o in offers)
        if latched:
            self._latched.add(topic)
        # A latched topic must keep what each of the recorded publishers had kept. Reliable whatever was recorded: that
        # fits every subscription, and a replay shall not lose what the recording has.
        depth = max([MIN_DEPTH, *(o.depth for o in offers)], default=MIN_DEPTH)
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=min(depth, MAX_DEPTH),
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self._publishers[topic] = self._node.create_publisher(kind, topic, profile)

    def wait_for_subscribers(
        self, topics: list[str], timeout_s: float, stop: Event, settle_s: float = 0.5
    ) -> list[str]:
        """Wait until others listen; /clock stands at the start meanwhile.

        Args:
            topics: Topics, of the bag or not, that must each have a subscription; one that is named twice, two;
                TOPIC@NODE is a subscription of a node of that name. Empty: wait until somebody listens to a topic of
                the bag and, for `settle_s`, nobody new came.
            timeout_s: How long at most, s.
            stop: Ends the wait when set.
            settle_s: See `topics`.

        Returns:
            Topics that still have too few subscriptions; empty if all is well.
        """
        wanted = Counter(topics or self.topics)
        end = time.monotonic() + timeout_s
        counts, since = dict.fromkeys(wanted, 0), time.monotonic()
        while True:
            self._tick(self._start_ns)
            now = time.monotonic()
            latest = {topic: self._listeners(topic) for topic in wanted}
            if latest != counts:
                counts, since = latest, now
            missing = [topic for topic, count in wanted.items() if counts[topic] < count]
            if not missing if topics else (any(counts.values()) and now - since >= settle_s):
                return []
            if now >= end or stop.wait(0.05):
                return missing

    def _listeners(self, topic: str) -> int:
        topic, _, node = topic.partition("@")
        if node:
            return sum(info.node_name == node for info in self._node.get_subscriptions_info_by_topic(topic))
        # For our own topics those that are matched, which can be later than being known.
        publisher = self._publishers.get(topic)
        return int(publisher.get_subscription_count() if publisher else self._node.count_subscribers(topic))

    def play(self, stop: Event) -> PlayReport:
        """Play once from start to end, or until `stop` is set.

        Latched messages from before the start are published first: without them, nothing later makes sense.

        Raises:
            ValueError: The bag breaks off; names the file. What came before the break has been published.
        """
        report = self.report = PlayReport()
        latched = [c for c in self._connections if c.topic in self._latched]
        if self._start_ns > self._bag.start_ns:
            for connection, _, raw in self._bag.messages(latched, stop_ns=self._start_ns):
                self._publish(connection, raw, report)
        period_ns = 1e9 / CLOCK_RATE_HZ * self._rate
        wall_ns, ticks = time.monotonic_ns(), 0

        def due(stamp_ns: float) -> float:
            """Seconds until a time of the bag; negative when late."""
            return (wall_ns + (stamp_ns - self._start_ns) / self._rate - time.monotonic_ns()) * 1e-9

        def clock_until(stamp_ns: int) -> bool:
            """Tick /clock up to a time of the bag; true when stopped. Ticks that are overdue are left out."""
            nonlocal ticks
            while (at := self._start_ns + ticks * period_ns) <= stamp_ns:
                ticks += 1
                wait_s = due(at)
                if wait_s > 0 and stop.wait(wait_s):
                    return True
                if due(at + period_ns) > 0:
                    report.clock_ticks += self._tick(round(at))
            return stop.is_set()

        for connection, stamp, raw in self._bag.messages(self._connections, start_ns=self._start_ns):
            if clock_until(stamp) or ((wait_s := due(stamp)) > 0 and stop.wait(wait_s)):
                report.stopped = True
                return report
            if self._publish(connection, raw, report):
                report.late_s.append(-due(stamp))
        report.stopped = clock_until(self._bag.end_ns + round(1e9 * self._tail_s))
        return report

    def _publish(self, connection: Connection, raw: bytes, report: PlayReport) -> bool:
        publisher = self._publishers.get(connection.topic)
        if publisher is None:
            report.skipped[connection.topic] += 1
            return False
        publisher.publish(raw)
        report.published[connection.topic] += 1
        return True

    def _tick(self, stamp_ns: int) -> bool:
        if self._clock is None:
            return False
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(stamp_ns, 1_000_000_000)
        self._clock.publish(message)
        return True
