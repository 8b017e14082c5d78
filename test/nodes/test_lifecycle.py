"""Every managed node may be taken down and brought up again by the lifecycle services, and then works as before."""

import contextlib
import threading
import time

import numpy as np
import pytest
import soundfile
from armed import bank_calibration_file
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, SoundComparison, SoundPrediction
from lifecycle import Lifecycle
from ros_domain import wait_until
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from touches import BANK, NS, recorded, sound, touch, window
from worlds import TfHand, save_table

NODES = "hearing_hands_ros.nodes."
BLOCK_S = 0.02


def tracker_world(ros, folder):
    """A hand that taps; the touches come out."""
    ros.start(NODES + "hand_tracker", {"scene": str(save_table(folder / "scene"))})
    return ContactEvent, "contacts", TfHand(ros).stop


def microphone_world(ros, folder):
    """A sound file that is played in a circle; sound comes out."""
    path = folder / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.1, 0.1, 16000), 16000)
    ros.start(NODES + "microphone", {"source": "file", "file": str(path), "loop": True})
    return Audio, "heard/audio", lambda: None


def repeat(step, period_s):
    """Call `step()` in a thread until the returned function is called."""
    stopping = threading.Event()

    def run():
        while not stopping.wait(period_s):
            step()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def stop():
        stopping.set()
        thread.join(5.0)

    return stop


def touching(ros):
    """Windows with a new tap each, three a second."""
    hands = ros.talk(HandTrajectory, "hands")
    numbers = iter(range(1, 10_000))

    def step():
        now = time.time_ns()
        hands.publish(window(now, [touch(now - NS // 5, next(numbers))]))

    return repeat(step, 0.33)


def generator_world(ros, folder):
    """Touches; predictions come out."""
    del folder
    ros.start(NODES + "sound_generator", {"model": str(BANK)})
    return SoundPrediction, "predicted", touching(ros)


def comparator_world(ros, folder):
    """Touches and a microphone that hears nothing of them; verdicts come out."""
    del folder
    recorded("wood")  # loads the recordings, which takes a while
    ros.start(NODES + "sound_comparator", {"calibration": str(bank_calibration_file())})
    audio, rng = ros.talk(Audio, "heard/audio"), np.random.default_rng(2)
    sent_ns = [time.time_ns()]

    def hear():
        while sent_ns[0] + BLOCK_S * NS <= time.time_ns():
            audio.publish(sound(sent_ns[0], rng.normal(0, 3e-4, round(BLOCK_S * 16000))))
            sent_ns[0] += round(BLOCK_S * NS)

    with contextlib.ExitStack() as stop:
        stop.callback(touching(ros))
        stop.callback(repeat(hear, BLOCK_S / 2))
        return SoundComparison, "comparison", stop.pop_all().close


def viewer_world(ros, folder):
    """Somebody who looks; pictures come out."""
    del folder
    ros.start(NODES + "spectrogram_viewer")
    return Image, "spectrogram/image", lambda: None


WORLDS = {
    "hand_tracker": tracker_world,
    "microphone": microphone_world,
    "sound_generator": generator_world,
    "sound_comparator": comparator_world,
    "spectrogram_viewer": viewer_world,
}


@pytest.fixture
def bring_up(ros_domain, tmp_path):
    """Start a node and the world around it; give the type and name of the topic on which its work comes out."""
    with contextlib.ExitStack() as stack:

        def start(node):
            message_type, topic, stop = WORLDS[node](ros_domain, tmp_path)
            stack.callback(stop)
            return message_type, topic

        yield start


@pytest.mark.parametrize("node", WORLDS)
def test_it_falls_silent_and_works_again_in_every_state(ros_domain, bring_up, node):
    out = ros_domain.listen(*bring_up(node))
    lifecycle = Lifecycle(ros_domain, node)
    lifecycle.wait_for("active")
    out.wait_for(2, timeout_s=20.0)

    assert lifecycle("deactivate")
    assert lifecycle.state() == "inactive"
    time.sleep(0.3)  # what was on its way
    out.clear()
    time.sleep(1.0)
    assert out.messages == []
    assert lifecycle("activate")
    out.wait_for(2)

    for _ in range(2):
        assert lifecycle("deactivate")
        assert lifecycle("cleanup")
        assert lifecycle.state() == "unconfigured"
        time.sleep(0.3)
        out.clear()
        assert lifecycle("configure")
        assert lifecycle("activate")
        out.wait_for(2)

    assert lifecycle("shutdown")
    assert lifecycle.state() == "finalized"
    process = ros_domain.processes[0]
    assert process.stop() == 0
    assert "Traceback" not in process.log


def test_a_transition_that_is_not_possible_changes_nothing(ros_domain, bring_up):
    out = ros_domain.listen(*bring_up("hand_tracker"))
    lifecycle = Lifecycle(ros_domain, "hand_tracker")
    lifecycle.wait_for("active")
    for transition in ("configure", "activate", "cleanup"):
        assert not lifecycle(transition)
    assert lifecycle.state() == "active"
    out.clear()
    out.wait_for(2)


def test_a_tracker_that_was_cleaned_up_does_not_listen_to_tf(ros_domain, bring_up):
    bring_up("hand_tracker")
    lifecycle = Lifecycle(ros_domain, "hand_tracker")
    lifecycle.wait_for("active")
    frames = ros_domain.talk(TFMessage, "/tf")
    ros_domain.wait_for_listener(frames)
    assert lifecycle("deactivate")
    assert lifecycle("cleanup")
    wait_until(lambda: frames.get_subscription_count() == 0, 5.0, lambda: "nobody who listens")
    assert lifecycle("configure")
    ros_domain.wait_for_listener(frames)
    assert frames.get_subscription_count() == 1


def test_a_node_that_waits_for_its_scene_may_be_shut_down_and_then_tries_no_more(ros_domain, tmp_path):
    node = ros_domain.start(NODES + "hand_tracker", {"scene": str(tmp_path / "nowhere"), "retry_s": 0.2})
    node.wait_for_log("nowhere")
    lifecycle = Lifecycle(ros_domain, "hand_tracker")
    assert lifecycle("shutdown")
    time.sleep(0.3)
    lines = node.log.count("\n")
    time.sleep(1.0)
    assert lifecycle.state() == "finalized"
    assert node.log.count("\n") == lines, node.log
