"""Nodes where ROS has `tf2_ros` and `diagnostic_updater`, as on a robot: these are used, in the way they want.

The packages in `real_ros` have the names, arguments and strictness of those of ROS, as the PyPI wheels lack them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import patience
from programs import ROOT

from hearing_hands_ros.ros.domains import free_domain

pytestmark = pytest.mark.live
REAL_ROS = Path(__file__).parent / "real_ros"
DEMO = ROOT / "demo"
NODES = {
    "hand_tracker": {"scene": DEMO / "scene"},
    "microphone": {"source": "file", "file": DEMO / "heard.flac"},
    "sound_comparator": {"bank": DEMO / "bank"},
    "sound_generator": {"model": DEMO / "bank"},
    "spectrogram_viewer": {},
}


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REAL_ROS), str(ROOT)]),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_LOG_DIR": str(tmp_path),
    }


@pytest.fixture
def launch(start, environment):
    """Start a node of ours with parameters."""

    def run(node: str, **parameters):
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        return start([sys.executable, "-m", f"hearing_hands_ros.nodes.{node}", "--ros-args", *words], environment)

    return run


@pytest.fixture
def listen(environment, monkeypatch):
    """Collect the messages of a topic until a condition on them is met."""
    import rclpy

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(environment["ROS_DOMAIN_ID"]))
    node = rclpy.create_node("packaging_probe", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def collect(kind, topic: str, enough, timeout_s: float = 30.0) -> list:
        messages: list = []
        node.create_subscription(kind, topic, messages.append, 100)
        begun_s = time.monotonic()
        while not enough(messages):
            assert time.monotonic() - begun_s < timeout_s * patience(), (
                f"{topic}: not within {timeout_s:g} s; got {messages[-8:]}"
            )
            executor.spin_once(timeout_sec=0.1)
        return messages

    yield collect
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_the_tf2_of_ros_wins_over_ours(environment):
    code = (
        "from hearing_hands_ros.ros import tf2\n"
        "theirs = [name for name in tf2.__all__ if name not in ('IS_REAL_TF2', 'PolledTransformListener')]\n"
        "print(tf2.IS_REAL_TF2, issubclass(tf2.PolledTransformListener, tf2.TransformListener))\n"
        "print(*(getattr(tf2, name).__module__ for name in theirs))"
    )
    words = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).split()
    assert words[:2] == ["True", "True"]
    assert set(words[2:]) == {"tf2_ros", "tf2_py"}


def test_a_broken_tf2_of_ros_is_seen_and_not_replaced(environment, tmp_path):
    (tmp_path / "tf2_ros.py").write_text("import something_that_is_not_installed\n")
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    code = "import hearing_hands_ros.ros.tf2"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "something_that_is_not_installed" in done.stderr


def test_the_tracker_takes_transforms_from_the_tf2_of_ros(launch, listen):
    from hearing_hands_ros.msg import ContactEvent

    tracker = launch("hand_tracker", use_sim_time="true", **NODES["hand_tracker"])
    tracker.wait_for("following")
    player = launch("bag_player", bag=DEMO / "touches.mcap", wait_subscribers_s=10.0, wait_topics="[/tf]")
    listen(ContactEvent, "contacts", lambda events: any(event.phase == ContactEvent.ENDED for event in events))
    tracker.wait_for("of ROS: first transform from 'hand_right/kp_00' to 'bench_scene'")
    assert player.interrupt() == 0, player.text
    assert tracker.interrupt() == 0, tracker.text
    assert "Traceback" not in tracker.text, tracker.text


def test_every_node_reports_through_the_updater_of_ros_while_simulated_time_stands(launch, listen):
    from diagnostic_msgs.msg import DiagnosticArray

    programs = {node: launch(node, use_sim_time="true", **parameters) for node, parameters in NODES.items()}

    def active(arrays: list) -> set[str]:
        return {status.name for array in arrays for status in array.status if len(status.values) > 1}

    listen(DiagnosticArray, "/diagnostics", lambda arrays: active(arrays) >= {f"{node}: status" for node in NODES})
    codes = {node: program.interrupt() for node, program in programs.items()}
    text = "\n".join(program.text for program in programs.values())
    assert codes == dict.fromkeys(NODES, 0), text
    assert "Traceback" not in text, text
