"""Nodes that are killed in the middle of their work and started again, as `use_respawn` does: the work goes on."""

import time

import numpy as np
import pytest
import soundfile
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, HandTrajectory, SoundPrediction
from touches import BANK, NS, stamp_to_ns
from worlds import TfHand, save_table

NODES = "hearing_hands_ros.nodes."


@pytest.fixture
def tapping(ros_domain):
    hand = TfHand(ros_domain)
    yield hand
    hand.stop()


def test_a_killed_generator_goes_on_predicting_and_repeats_nothing(ros_domain, tapping, tmp_path):
    scene = str(save_table(tmp_path / "scene"))
    hands = ros_domain.listen(HandTrajectory, "hands")
    predicted = ros_domain.listen(SoundPrediction, "predicted")
    ros_domain.start(NODES + "hand_tracker", {"scene": scene, "retry_s": 0.3})
    parameters = {"model": str(BANK), "scene": scene, "retry_s": 0.3}
    generator = ros_domain.start(NODES + "sound_generator", parameters)
    predicted.wait_for(3, timeout_s=20.0)
    generator.kill()
    before = len(predicted.messages)
    ros_domain.start(NODES + "sound_generator", parameters)
    restarted_ns = time.time_ns()
    predicted.wait_for(before + 5, timeout_s=20.0)
    again = predicted.messages[before:]
    ids = [message.id for message in predicted.messages]
    assert ids == sorted(set(ids))
    touches = [message.contacts[-1].id for message in predicted.messages]
    assert len(set(touches)) == len(touches), "a touch was predicted twice"
    assert all(stamp_to_ns(message.contacts[-1].end) > restarted_ns for message in again)
    # A touch that ended while the nodes found each other comes late; those after it do not.
    assert again[-1].latency < 1.0
    # Windows that came since hold touches of before the kill too.
    ends = [[stamp_to_ns(contact.end) for contact in message.contacts] for message in hands.messages]
    assert any(min(window) < restarted_ns < max(window) for window in ends if window)
    ros_domain.diagnostics("sound_generator").wait(DiagnosticStatus.OK, "predicting")


def test_a_killed_microphone_is_heard_again(ros_domain, tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 16_000)
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    parameters = {"source": "file", "file": str(path), "loop": True}
    microphone = ros_domain.start(NODES + "microphone", parameters)
    heard.wait_for(50)
    microphone.kill()
    time.sleep(0.2)  # what was on its way
    before = len(heard.messages)
    until_ns = stamp_to_ns(heard.messages[-1].header.stamp) + NS // 50
    ros_domain.start(NODES + "microphone", parameters)
    heard.wait_for(before + 50)
    first, *others = heard.messages[before:]
    begun_ns = stamp_to_ns(first.header.stamp) - first.first_sample * NS // 16_000
    assert begun_ns >= until_ns, "no moment is heard twice, and samples are counted from 0 again"
    counts = [first.first_sample, *(message.first_sample for message in others)]
    assert counts == [counts[0] + 320 * block for block in range(len(counts))]
    state.wait(DiagnosticStatus.OK, since=len(state.statuses))
