"""Too many messages, and messages with paths in them: the comparator and the generator go on with their work."""

import subprocess
import sys
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, HandTrajectory, SoundComparison
from hearing_hands_ros.srv import Calibrate
from listening import World
from rclpy.serialization import serialize_message
from ros_domain import wait_until
from touches import RATE_HZ, sound, window

AUDIT = """
import os, sys

def note(event, arguments):
    if event == "open" and "canary" in str(arguments[0]):
        os.write(2, f"it opened {arguments[0]!r}\\n".encode())

sys.addaudithook(note)
"""


@pytest.fixture(scope="module")
def world(shared_ros_domain):
    """Generator and comparator, whose processes print which file of the name 'canary' they open."""
    ros = shared_ros_domain
    (ros.folder / "sitecustomize.py").write_text(AUDIT)
    (ros.folder / "canary").write_text("not for you")
    ros.environment["PYTHONPATH"] = str(ros.folder)
    made = World(ros, run_length=1e6)  # odd touches are no change here
    yield made
    made.stop()


def judges_again(world):
    """Diagnostics are OK, and a touch that sounds as it should is judged so, the third at the latest."""
    world.diagnostics.wait(DiagnosticStatus.OK, timeout_s=20.0, since=len(world.diagnostics.statuses))
    for _ in range(3):
        message = world.verdict(world.touch("stone"))
        if message.verdict != SoundComparison.UNKNOWN:
            break
        time.sleep(0.5)
    assert message.verdict == SoundComparison.NORMAL, message.reason


def test_no_path_in_a_message_is_opened_and_no_name_of_a_calibration_is_a_path(world):
    canary = str(world.ros.folder / "canary")
    trap = [sys.executable, "-c", f"open({canary!r})"]
    done = subprocess.run(trap, env=world.ros.environment, capture_output=True, text=True, check=True)
    assert f"it opened {canary!r}" in done.stderr, "the trap itself does not work"

    names = (canary, f"..{canary}", "../canary", "file://canary", "~/canary", f"{canary}\0.yaml")

    def named(name):
        def spoil(message):
            message.header.frame_id = name
            return message

        return spoil

    for name in names[:3]:
        world.spoil = named(name)
        number = world.touch("stone")
        world.events[-1].material = world.events[-1].header.frame_id = name
        world.verdict(number)
    world.spoil = lambda message: message

    client = world.ros.probe.create_client(Calibrate, "/sound_comparator/calibrate")
    assert client.wait_for_service(10.0)
    for name in (*names, "a/b", ".", "..", "/", "a.yaml", "a" * 65):
        answer = client.call_async(Calibrate.Request(touches=1000, name=name))
        wait_until(answer.done, 10.0, lambda: "an answer of calibrate")
        assert not answer.result().accepted, name
        assert "name wants letters, digits, '_' and '-' only" in answer.result().message

    judges_again(world)
    assert "it opened" not in world.comparator.log + world.generator.log


def test_a_flood_of_sound_and_of_hands_is_outlived(world):
    hiss = np.random.default_rng(3).normal(0.0, 3e-4, RATE_HZ // 50)
    for publisher, kind, per_s in ((world.audio, Audio, 50), (world.hands, HandTrajectory, 4)):
        begin_s, sent, fresh_s = time.monotonic(), 0, 0.0
        while (now_s := time.monotonic()) < begin_s + 1.0:
            if now_s > fresh_s + 0.02:
                fresh = sound(world.clock(), hiss) if kind is Audio else window(world.clock())
                flood, fresh_s = serialize_message(fresh), now_s
            if sent < 100 * per_s * (now_s - begin_s):
                publisher.publish(flood)
                sent += 1
        assert sent > 50 * per_s
    time.sleep(4.0)  # until what was heard then is past
    judges_again(world)
