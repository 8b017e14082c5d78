"""Faults of the whole graph as `hearing-hands up --use-respawn` starts it; after each, touches are judged again."""

import os
import signal
import time

import pytest
from armed import bank_calibration_file
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import SoundComparison
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from robots import Robot, began_after
from ros_domain import wait_until
from tf2_msgs.msg import TFMessage
from touches import BANK
from up import Up
from worlds import save_table

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR
NODES = ("scene_server", "hand_tracker", "sound_generator", "microphone", "sound_comparator", "spectrogram_viewer")


class Graph:
    """The graph, the robot in front of it, and what it says."""

    def __init__(self, ros, folder):
        self.diagnostics = {node: ros.diagnostics(node) for node in NODES}
        self.comparison = ros.listen(SoundComparison, "comparison")
        (folder / "quick.yaml").write_text("/**: {ros__parameters: {retry_s: 0.3}}")
        self.up = Up(
            ros, "--use-respawn", "--scene", save_table(folder / "scene", "stone"), "--model", BANK, "--microphone",
            "topic:audio", "--calibration", bank_calibration_file(), "--params-file", folder / "quick.yaml",
        )  # fmt: skip
        self.robot, self.ros = Robot(ros), ros
        self.is_healthy()

    def is_healthy(self, timeout_s=40.0):
        """Wait until every node says OK and a touch that begins after that is judged to be normal."""
        for inbox in self.diagnostics.values():
            inbox.statuses.clear()
        wait_until(
            lambda: all(inbox.statuses and inbox.statuses[-1].level == OK for inbox in self.diagnostics.values()),
            timeout_s,
            lambda: str({node: inbox.history[-2:] for node, inbox in self.diagnostics.items()}),
        )
        now_ns = time.time_ns()
        self.comparison.wait(
            lambda all_: [m for m in all_ if began_after(m, now_ns) and m.verdict == SoundComparison.NORMAL], 15.0
        )

    def close(self):
        self.up.close()
        self.robot.stop()


@pytest.fixture(scope="module")
def graph(shared_ros_domain, tmp_path_factory):
    made = Graph(shared_ros_domain, tmp_path_factory.mktemp("graph"))
    yield made
    made.close()


def test_each_node_may_be_killed_and_the_graph_is_healthy_again(graph):
    for nodes in (NODES[::2], NODES[1::2]):
        killed = {node: graph.up.pid(node) for node in nodes}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        graph.up.wait_for_log("by SIGKILL; starting it again in 2 s", timeout_s=5.0, count=len(nodes))
        wait_until(
            lambda killed=killed: all(graph.up.pid(node) != pid for node, pid in killed.items()),
            10.0,
            lambda: graph.up.log,
        )
        graph.is_healthy()
    assert graph.up.log.count("has ended by SIGKILL") == len(NODES)


def test_a_flood_of_tf_at_a_hundred_times_its_rate_is_outlived(graph):
    flood = graph.ros.talk(TFMessage, "/tf", 10)
    graph.ros.wait_for_listener(flood)
    for _ in range(30):
        message = serialize_message(graph.robot.hand.message(time.time_ns(), 0.1))
        for _ in range(100):
            flood.publish(message)
        time.sleep(1 / 60)
    graph.ros.probe.destroy_publisher(flood)
    graph.is_healthy()


def test_tf_that_cannot_come_through_is_said_by_the_tracker(graph):
    best_effort = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = graph.ros.talk(TFMessage, "/tf", best_effort)
    tracker = graph.diagnostics["hand_tracker"]
    tracker.wait(ERROR, "'/tf' does not fit /probe: QoS: best effort publisher and reliable subscription")
    graph.ros.probe.destroy_publisher(publisher)
    graph.is_healthy()
