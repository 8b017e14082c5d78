"""Whoever cannot be connected with a node is an ERROR in that node's diagnostics, for as long as he is there."""

from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_domain import ROOT
from std_msgs.msg import Float32, String

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR
RELIABLE = QoSProfile(depth=1)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

NODE = '''
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters
from hearing_hands_ros.ros.spin import spin


class Plain(ManagedNode):
    """Does nothing about QoS itself."""

    parameters_class = CommonParameters

    def __init__(self):
        super().__init__("plain")
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_lifecycle_publisher(String, "told_best_effort", best_effort)
        self.create_lifecycle_publisher(String, "told", 1)

    def activate(self):
        self.create_subscription(String, "asked", lambda message: None, 1)


spin(Plain)
'''


@pytest.fixture(scope="module")
def plain(shared_ros_domain):
    """A node of ours, and its diagnostics."""
    script = shared_ros_domain.folder / "plain.py"
    script.write_text(NODE)
    diagnostics = shared_ros_domain.diagnostics("plain")
    process = shared_ros_domain.start(str(script), environment={"PYTHONPATH": str(ROOT)})
    diagnostics.wait(OK, "working")
    return SimpleNamespace(probe=shared_ros_domain.probe, process=process, diagnostics=diagnostics)


def take_away(probe, end):
    """Destroy a publisher or a subscription."""
    assert probe.destroy_publisher(end) or probe.destroy_subscription(end)


def test_what_does_not_fit_is_an_error_with_topic_node_and_policy_until_it_has_gone(plain):
    probe = plain.probe
    good = [probe.create_publisher(String, "asked", LATCHED), probe.create_publisher(String, "asked", RELIABLE)]
    bad = [
        probe.create_publisher(String, "asked", BEST_EFFORT),
        probe.create_subscription(String, "told", print, LATCHED),
        probe.create_subscription(String, "told_best_effort", print, RELIABLE),
    ]
    since = len(plain.diagnostics.statuses)
    status = plain.diagnostics.wait(ERROR, "'/told_best_effort' does not fit /probe", since=since)
    assert status.message.split("; ") == [
        "'/asked' does not fit /probe: QoS: best effort publisher and reliable subscription",
        "'/told' does not fit /probe: QoS: volatile publisher and transient local subscription",
        "'/told_best_effort' does not fit /probe: QoS: best effort publisher and reliable subscription",
    ]
    for end in bad:
        take_away(probe, end)
    plain.diagnostics.wait(OK, "working", since=len(plain.diagnostics.statuses))
    for end in good:
        take_away(probe, end)
    assert "offering incompatible QoS" in plain.process.log


def test_another_type_is_an_error_until_it_has_gone(plain):
    stranger = plain.probe.create_subscription(Float32, "told", print, RELIABLE)
    status = plain.diagnostics.wait(ERROR, "/probe", since=len(plain.diagnostics.statuses))
    wanted = "type of the publisher std_msgs/msg/String, of the subscription std_msgs/msg/Float32"
    assert status.message == f"'/told' does not fit /probe: {wanted}"
    take_away(plain.probe, stranger)
    plain.diagnostics.wait(OK, "working", since=len(plain.diagnostics.statuses))
