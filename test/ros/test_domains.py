"""ROS domains that are given to one only."""

import subprocess
import sys
from pathlib import Path

from hearing_hands_ros.ros.domains import HELD, free_domain

ASK = f"from hearing_hands_ros.ros.domains import free_domain; print(*(free_domain() for _ in range({HELD})))"


def test_a_domain_is_not_given_to_another_process_too():
    ours = {free_domain() for _ in range(HELD)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    theirs = {int(word) for word in done.stdout.split()}
    assert len(ours) == len(theirs) == HELD
    assert not ours & theirs


def test_a_domain_that_a_node_is_in_is_not_given(ros):
    import rclpy

    node = rclpy.create_node("somebody")
    domain = node.context.get_domain_id()
    assert domain not in {free_domain() for _ in range(2 * HELD)}
    node.destroy_node()
