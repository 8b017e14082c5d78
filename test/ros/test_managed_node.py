"""What a node does when one of its own steps fails in a way that nobody foresaw."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn

from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter

ROOT = Path(__file__).parents[2]
SUCCESS = TransitionCallbackReturn.SUCCESS


@dataclass(frozen=True)
class FragileParameters(CommonParameters):
    """As all nodes, but quick and waiting."""

    autostart: bool = parameter(False, "Start by itself.")
    retry_s: float = parameter(0.1, "Time between two tries, s.", low=0.1, high=10.0)


class FragileNode(ManagedNode):
    """Fails in the steps that are named, and remembers which steps it took."""

    parameters_class = FragileParameters

    def __init__(self, *broken, **kwargs):
        self.broken, self.steps = set(broken), []
        super().__init__("fragile", **kwargs)

    def _step(self, name):
        self.steps.append(name)
        if name in self.broken:
            raise {"configure": KeyError, "activate": RuntimeError}.get(name, TypeError)(f"no {name}")

    def configure(self):
        self._step("configure")

    def activate(self):
        self._step("activate")

    def deactivate(self):
        self._step("deactivate")

    def cleanup(self):
        self._step("cleanup")

    @property
    def label(self):
        return self._state_machine.current_state[1]


@pytest.fixture
def make(ros):
    """Make nodes that are destroyed afterwards."""
    nodes = []

    def make_one(*broken, **kwargs):
        nodes.append(FragileNode(*broken, **kwargs))
        return nodes[-1]

    yield make_one
    for node in nodes:
        node.destroy_node()


def spin_for(node, seconds, until=lambda: False):
    """Turn a node's executor until something is true; return whether it became true."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end_s = time.monotonic() + seconds
    while not until() and time.monotonic() < end_s:
        executor.spin_once(timeout_sec=0.05)
    executor.remove_node(node)
    return until()


def diagnosed(node):
    """Level and message of the node's next diagnostics."""
    seen = []
    subscription = node.create_subscription(DiagnosticArray, "/diagnostics", seen.append, 10)
    assert spin_for(node, 5.0, lambda: seen)
    node.destroy_subscription(subscription)
    return seen[-1].status[0].level, seen[-1].status[0].message


def test_an_error_of_any_kind_is_a_fault_with_its_type_and_goes_away(make):
    node = make("configure")
    node.trigger_configure()
    assert node.label == "unconfigured"
    assert diagnosed(node) == (DiagnosticStatus.ERROR, "fragile: configure: KeyError: 'no configure'")
    node.broken = {"activate"}
    assert node.trigger_configure() == SUCCESS
    node.trigger_activate()
    assert node.label == "inactive"
    assert diagnosed(node) == (DiagnosticStatus.ERROR, "fragile: activate: RuntimeError: no activate")
    node.broken = set()
    assert node.trigger_activate() == SUCCESS
    assert diagnosed(node) == (DiagnosticStatus.OK, "working")


def test_autostart_tries_again_after_an_error_of_any_kind(make):
    node = make("activate", parameter_overrides=[rclpy.Parameter("autostart", value=True)])
    assert spin_for(node, 5.0, lambda: node.steps.count("activate") >= 3)
    assert node.steps.count("configure") == 1
    node.broken = set()
    assert spin_for(node, 5.0, lambda: node.label == "active")
    node.trigger_deactivate()
    spin_for(node, 0.5)
    assert node.label == "inactive"  # whoever stopped it wants it stopped


def test_a_step_down_that_fails_still_leads_down(make):
    node = make("deactivate", "cleanup")
    node.trigger_configure()
    node.trigger_activate()
    assert node.trigger_deactivate() == SUCCESS
    assert node.label == "inactive"
    assert node.trigger_cleanup() == SUCCESS
    assert node.label == "unconfigured"
    assert node.trigger_configure() == SUCCESS


def test_a_transition_that_raises_leaves_nothing_open_and_can_be_repeated(make):
    node = make()
    node.trigger_configure()
    node.trigger_activate()
    publisher = node.create_lifecycle_publisher(DiagnosticStatus, "out", 1)

    def fail(state):
        raise RuntimeError("an entity that cannot be deactivated")

    publisher.on_deactivate, works = fail, publisher.on_deactivate
    node.trigger_deactivate()
    assert node.label == "unconfigured"
    assert node.steps == ["configure", "activate", "deactivate", "cleanup"]
    level, message = diagnosed(node)
    assert (level, "'active' failed" in message) == (DiagnosticStatus.ERROR, True), message
    publisher.on_deactivate = works
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    assert diagnosed(node) == (DiagnosticStatus.OK, "working")


def test_a_node_that_was_shut_down_tries_no_more(make):
    node = make("configure", parameter_overrides=[rclpy.Parameter("autostart", value=True)])
    assert spin_for(node, 5.0, lambda: len(node.steps) >= 2)
    node.trigger_shutdown()
    steps = len(node.steps)
    spin_for(node, 0.5)
    assert len(node.steps) == steps
    assert node.label == "finalized"


PROGRAM = """
from rclpy.node import Node
from hearing_hands_ros.ros.spin import spin

class Failing(Node):
    def __init__(self):
        super().__init__("failing")
        {made}
        self.create_timer(0.1, self.turn)

    def turn(self):
        {turned}

spin(Failing)
"""


def run(**lines):
    """Run a node whose constructor and timer do what is given; return exit code and log."""
    code = PROGRAM.format(**{"made": "pass", "turned": "pass", **lines})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30.0, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_an_error_in_a_callback_ends_the_process_with_1_and_its_traceback(ros):
    code, log = run(turned="raise ValueError('broken while it ran')")
    assert code == 1
    assert "broken while it ran" in log
    assert ", in turn" in log


def test_a_node_that_cannot_be_made_ends_the_process_with_2_and_the_reason_alone(ros):
    code, log = run(made="raise ValueError('parameter x wants 1, got 2')")
    assert code == 2
    assert "parameter x wants 1, got 2" in log
    assert "Traceback" not in log


def test_a_process_whose_ros_ends_in_a_callback_ends_well(ros):
    code, log = run(turned="import rclpy; rclpy.shutdown(); raise RuntimeError('too late to publish')")
    assert code == 0
    assert "Traceback" not in log
