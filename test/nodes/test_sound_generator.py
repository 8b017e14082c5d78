"""The sound generator as a process: predictions of touches, and the PredictSound action."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.action import PredictSound
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, MelSpectrogram, SoundPrediction
from rclpy.action import ActionClient
from touches import BANK, NS, stamp_to_ns, touch, window
from worlds import TABLE_M, save_table, tap_height

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.ros.sound_messages import read_prediction
from hearing_hands_ros.sequence import SequenceConfig

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.sound_generator"


@pytest.fixture(scope="module")
def generator(shared_ros_domain, tmp_path_factory):
    """The node, active, with a scene; shared by the tests that leave it as it was."""
    scene = save_table(tmp_path_factory.mktemp("scene") / "scene")
    node = shared_ros_domain.start(MODULE, {"model": str(BANK), "scene": str(scene), "retry_s": 0.3})
    hands = shared_ros_domain.talk(HandTrajectory, "hands")
    shared_ros_domain.wait_for_listener(hands)
    return shared_ros_domain, node, hands


def ask(ros, goal, cancel=False, timeout_s=10.0):
    """Send a goal and return (accepted, result, feedback)."""
    client = ActionClient(ros.probe, PredictSound, "predict_sound")
    assert client.wait_for_server(timeout_s)
    feedback = []
    sent = client.send_goal_async(goal, feedback_callback=lambda message: feedback.append(message.feedback))
    wait_done(sent, timeout_s)
    handle = sent.result()
    result = None
    if handle.accepted:
        if cancel:
            handle.cancel_goal_async()
        done = handle.get_result_async()
        wait_done(done, timeout_s)
        result = done.result().result
    client.destroy()
    return handle.accepted, result, feedback


def wait_done(future, timeout_s):
    until = time.monotonic() + timeout_s
    while not future.done():
        assert time.monotonic() < until, "no answer in time"
        time.sleep(0.01)


def test_a_touch_is_predicted_once_with_sound_at_its_time(generator):
    ros, _, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    spectrogram = ros.listen(MelSpectrogram, "predicted/spectrogram")
    audio = ros.listen(Audio, "predicted/audio")
    start_ns = time.time_ns()
    event = touch(start_ns, number=7)
    for _ in range(3):  # the tracker repeats a touch in every window that it overlaps
        hands.publish(window(start_ns + NS // 10, [event]))
        time.sleep(0.1)
    message = predicted.wait_for(1)[0]
    time.sleep(0.3)
    assert len(predicted.messages) == 1
    prediction = read_prediction(message, SequenceConfig())
    assert message.predictor == "example"
    assert message.model
    assert [contact.id for contact in message.contacts] == [7]
    assert message.header.frame_id == "table_scene"
    assert message.latency == pytest.approx(0.05, abs=0.3)
    # Silence before the touch, the loudest within the 50 ms after it.
    at = (start_ns - prediction.start_ns) / NS
    loud = np.flatnonzero(np.abs(prediction.audio) > 0.1 * np.abs(prediction.audio).max()) / 16000
    assert loud[0] == pytest.approx(at, abs=0.01)
    assert prediction.log_mel.shape[0] == 80
    assert prediction.log_mel_std.max() > 0.1
    assert spectrogram.wait_for(1)[0] == message.spectrogram
    assert audio.wait_for(1)[0] == message.audio


def test_a_harder_touch_is_louder_and_metal_is_not_wood(generator):
    ros, _, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    now = time.time_ns()
    for number, (speed, material) in enumerate([(0.1, "wood"), (0.8, "wood"), (0.8, "metal")], start=100):
        stamp = now + number * 5 * NS
        hands.publish(window(stamp + NS // 10, [touch(stamp, number, material, speed)]))
    soft, hard, metal = (read_prediction(m, SequenceConfig()) for m in predicted.wait_for(3))
    loudest = [np.convolve(p.audio**2, np.ones(800) / 800).max() for p in (soft, hard)]  # of any 50 ms
    assert 10 * np.log10(loudest[1] / loudest[0]) == pytest.approx(20 * np.log10(0.8 / 0.1), abs=2.0)
    assert np.abs(hard.log_mel - metal.log_mel).mean() > 0.1


def test_a_touch_that_goes_on_is_not_predicted_yet(generator):
    ros, _, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    stamp = time.time_ns()
    hands.publish(window(stamp + NS // 10, [touch(stamp, 300, phase=ContactEvent.STARTED)]))
    time.sleep(0.5)
    assert predicted.messages == []
    hands.publish(window(stamp + NS // 5, [touch(stamp, 300)]))
    predicted.wait_for(1)


def test_broken_windows_are_refused_named_and_survived(generator):
    ros, node, hands = generator
    diagnostics = ros.diagnostics("sound_generator")
    predicted = ros.listen(SoundPrediction, "predicted")
    stamp = time.time_ns()
    short = window(stamp, [touch(stamp, 400)])
    short.frames = 77
    infinite = window(stamp, [touch(stamp, 401)])
    infinite.keypoints[-1] = float("inf")
    backwards = window(stamp, [touch(stamp, 402, seconds=-1.0)])
    for message, said in ((short, "77 frames want"), (infinite, "finite keypoints"), (backwards, "end_ns")):
        hands.publish(message)
        diagnostics.wait(ERROR, said, since=len(diagnostics.statuses))
    hands.publish(window(stamp + NS, [touch(stamp + NS // 2, 403)]))
    predicted.wait_for(1)
    diagnostics.wait(OK, since=len(diagnostics.statuses))
    assert node.is_running


def test_many_candidates_come_back_in_order_with_progress(generator):
    ros, _, _ = generator
    stamp = 1000 * NS
    speeds = np.linspace(0.1, 0.9, 20)
    candidates = [window(stamp, [touch(stamp - 2 * NS, i, speed=float(s))]) for i, s in enumerate(speeds)]
    accepted, result, feedback = ask(ros, PredictSound.Goal(candidates=candidates))
    assert accepted
    assert result.success, result.message
    assert [p.contacts[0].id for p in result.predictions] == list(range(20))
    assert feedback[-1].done == feedback[-1].total == 20
    assert len(feedback) == 3


def test_a_candidate_without_touches_has_them_found_on_the_scene(generator):
    ros, _, _ = generator
    hand = end_effector_keypoints(0.15, 0.0) * [1, 1, -1] + [0.05, 0, 0.15]
    message = window(100 * NS)
    keypoints = np.full((120, 2, 21, 3), np.nan, np.float32)
    keypoints[:, 1] = [hand + [0, 0, tap_height(frame / 30, period_s=2.0)] for frame in range(120)]
    message.keypoints.frombytes(keypoints.tobytes())
    del message.keypoints[: keypoints.size]
    _, result, _ = ask(ros, PredictSound.Goal(candidates=[message]))
    assert result.success, result.message
    contacts = result.predictions[0].contacts
    assert [contact.material for contact in contacts] == ["wood", "wood"]
    begin = stamp_to_ns(message.header.stamp)
    assert [(stamp_to_ns(c.header.stamp) - begin) / NS for c in contacts] == pytest.approx([1.0, 3.0], abs=0.02)
    assert TABLE_M  # the table's height over `world` plays no part in the scene's own frame


def test_candidates_that_cannot_be_are_refused_with_the_reason(generator):
    ros, node, _ = generator
    assert not ask(ros, PredictSound.Goal())[0]
    _, result, _ = ask(ros, PredictSound.Goal(candidates=[window(100 * NS, frame_id="mars")]))
    assert not result.success
    assert "wants frame 'table_scene', got 'mars'" in result.message
    assert node.is_running


def test_a_goal_can_be_cancelled(generator):
    ros, _, _ = generator
    candidates = [window(1000 * NS, [touch(998 * NS, i)]) for i in range(200)]
    _, result, _ = ask(ros, PredictSound.Goal(candidates=candidates), cancel=True, timeout_s=30.0)
    assert not result.success
    assert "cancelled after" in result.message
    assert len(result.predictions) < 200


def test_a_missing_model_is_named_and_nothing_is_accepted(ros_domain, tmp_path):
    ros_domain.start(MODULE, {"model": str(tmp_path / "nowhere"), "retry_s": 0.3})
    ros_domain.diagnostics("sound_generator").wait(ERROR, "nowhere")
    assert not ask(ros_domain, PredictSound.Goal(candidates=[window(100 * NS)]))[0]
