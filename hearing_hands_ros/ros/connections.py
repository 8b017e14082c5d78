"""Finds who is on a node's topics and can never be connected with it: another type, or QoS that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible

MOST_NAMES = 3


def mismatches(*nodes: Node) -> list[str]:
    """Say which publishers and subscriptions do not fit those of some nodes, as the graph is now.

    The middleware tells a node when an endpoint comes that does not fit, which rclpy logs at once; it never tells when
    that one has gone. The graph says both, and whose it is.

    Args:
        nodes: Whose topics are looked at; they work together, in one process.

    Returns:
        One text for each topic and reason: topic, who, and the type or the policies that do not fit.
    """
    names: dict[tuple[str, str], set[str]] = {}
    for topic, reason, name in _found(nodes):
        names.setdefault((topic, reason), set()).add(name)
    return [f"'{topic}' does not fit {_listed(sorted(known))}: {reason}" for (topic, reason), known in names.items()]


def _found(nodes: Sequence[Node]) -> Iterator[tuple[str, str, str]]:
    """Topic, reason and name of whoever does not fit, once for each pair."""
    ours = {node.get_fully_qualified_name() for node in nodes}
    for topic in sorted({end.topic_name for node in nodes for end in (*node.publishers, *node.subscriptions)}):
        # Our own ends as the graph has them, too: a profile of rclpy writes what is infinite in another way.
        publishers = nodes[0].get_publishers_info_by_topic(topic)
        subscriptions = nodes[0].get_subscriptions_info_by_topic(topic)
        for offered, wanted in product(publishers, subscriptions):
            publisher, subscriber = _name(offered), _name(wanted)
            if (publisher in ours or subscriber in ours) and (reason := _mismatch(offered, wanted)):
                yield topic, reason, subscriber if publisher in ours else publisher


def _mismatch(offered: Any, wanted: Any) -> str:
    """Return what keeps a publisher from a subscription; empty if they fit."""
    if offered.topic_type != wanted.topic_type:
        return f"type of the publisher {offered.topic_type}, of the subscription {wanted.topic_type}"
    compatibility, reason = qos_check_compatible(offered.qos_profile, wanted.qos_profile)
    if compatibility != QoSCompatibility.ERROR:
        return ""
    faults = [text.strip().removeprefix("ERROR: ") for text in reason.split(";") if "ERROR: " in text]
    return "QoS: " + ", ".join(fault[:1].lower() + fault[1:] for fault in faults)


def _name(end: Any) -> str:
    return f"{end.node_namespace.rstrip('/')}/{end.node_name}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
