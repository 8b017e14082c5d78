"""The sound generator as a process: predictions of touches, and the PredictSound action."""

import time

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from goals import Goal, wait_done
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, MelSpectrogram, SoundPrediction
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_domain import wait_until
from rosgraph_msgs.msg import Clock
from touches import BANK, NS, stamp_from_ns, stamp_to_ns, touch, window
from worlds import TABLE_M, save_table, tap_height

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.ros.sound_messages import read_prediction
from hearing_hands_ros.sequence import SequenceConfig

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.sound_generator"


@pytest.fixture(scope="module")
def generator(shared_ros_domain, tmp_path_factory):
    """The node, active, with a scene; shared by the tests that leave it as it was."""
    scene = save_table(tmp_path_factory.mktemp("scene") / "scene")
    node = shared_ros_domain.start(MODULE, {"model": str(BANK), "scene": str(scene), "retry_s": 0.3})
    hands = shared_ros_domain.talk(HandTrajectory, "hands")
    shared_ros_domain.wait_for_listener(hands)
    return shared_ros_domain, node, hands


def ask(ros, candidates):
    """Send a goal that is accepted and return its result."""
    goal = Goal(ros, candidates)
    assert goal.accepted
    return goal.result()[1]


def change(ros, *transitions):
    """Take the node through lifecycle transitions."""
    client = ros.probe.create_client(ChangeState, "sound_generator/change_state")
    assert client.wait_for_service(10.0)
    for transition in transitions:
        assert wait_done(client.call_async(ChangeState.Request(transition=Transition(id=transition)))).success


def ended_at(end_ns, number):
    """A touch that ended at a time."""
    return touch(end_ns - int(0.08 * NS), number)


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
    assert node.is_running


def test_many_candidates_come_back_in_order_with_progress(generator):
    ros, _, _ = generator
    stamp = 1000 * NS
    speeds = np.linspace(0.1, 0.9, 20)
    candidates = [window(stamp, [touch(stamp - 2 * NS, i, speed=float(s))]) for i, s in enumerate(speeds)]
    goal = Goal(ros, candidates)
    status, result = goal.result()
    feedback = goal.feedback
    assert result.success, result.message
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert [p.contacts[0].id for p in result.predictions] == list(range(20))
    assert feedback[-1].done == feedback[-1].total == 20
    assert len(feedback) == 3


def tapping_hand(nearest_m=0.0):
    """A candidate that names no touches: a hand that comes down on the table every two seconds."""
    hand = end_effector_keypoints(0.15, 0.0) * [1, 1, -1] + [0.05, 0, 0.15 + nearest_m]
    message = window(100 * NS)
    keypoints = np.full((120, 2, 21, 3), np.nan, np.float32)
    keypoints[:, 1] = [hand + [0, 0, tap_height(frame / 30, period_s=2.0)] for frame in range(120)]
    message.keypoints.frombytes(keypoints.tobytes())
    del message.keypoints[: keypoints.size]
    return message


def test_a_candidate_without_touches_has_them_found_on_the_scene(generator):
    ros, _, _ = generator
    message = tapping_hand()
    result = ask(ros, [message])
    assert result.success, result.message
    contacts = result.predictions[0].contacts
    assert [contact.material for contact in contacts] == ["wood", "wood"]
    begin = stamp_to_ns(message.header.stamp)
    assert [(stamp_to_ns(c.header.stamp) - begin) / NS for c in contacts] == pytest.approx([1.0, 3.0], abs=0.02)
    assert TABLE_M  # the table's height over `world` plays no part in the scene's own frame
    assert not ask(ros, [tapping_hand(nearest_m=0.006)]).predictions[0].contacts


def test_candidates_that_cannot_be_are_refused_with_their_number_and_the_reason(generator):
    ros, node, _ = generator
    assert not Goal(ros, []).accepted
    good, bad = window(100 * NS, [touch(98 * NS)]), window(100 * NS, frame_id="mars")
    status, result = Goal(ros, [*[good] * 10, bad, good]).result()
    assert status == GoalStatus.STATUS_ABORTED
    assert not result.success
    assert result.message.startswith("candidate 10: ")
    assert "wants frame 'table_scene', got 'mars'" in result.message
    assert len(result.predictions) == 10
    assert node.is_running


def test_a_goal_can_be_cancelled(generator):
    ros, _, _ = generator
    goal = Goal(ros, [window(1000 * NS, [touch(998 * NS, i)]) for i in range(200)])
    waiting = Goal(ros, [window(1000 * NS, [touch(998 * NS)])] * 200)
    waiting.cancel()
    status, result = waiting.result()
    assert (status, result.success) == (GoalStatus.STATUS_CANCELED, False)
    assert result.message == "cancelled after 0 of 200 candidates"
    assert not goal.is_done  # a goal that waits need not be waited for
    goal.cancel()
    status, result = goal.result()
    assert (status, result.success) == (GoalStatus.STATUS_CANCELED, False)
    assert result.message == f"cancelled after {len(result.predictions)} of 200 candidates"
    assert len(result.predictions) < 200


def test_a_request_to_cancel_that_comes_too_late_changes_nothing(generator):
    ros, _, _ = generator
    last = []
    goal = Goal(ros, [window(1000 * NS, [touch(998 * NS)])] * 8, on_feedback=last.append)
    while not last:
        time.sleep(0.0005)
    goal.cancel()
    status, result = goal.result()
    assert (status, result.success) == (GoalStatus.STATUS_SUCCEEDED, True)
    assert len(result.predictions) == 8


def test_a_large_goal_does_not_keep_a_touch_waiting(generator):
    ros, _, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    goal = Goal(ros, [window(1000 * NS, [touch(998 * NS)])] * 300)
    while not goal.feedback:
        time.sleep(0.01)
    now = time.time_ns()
    hands.publish(window(now, [ended_at(now, 500)]))
    predicted.wait_for(1, timeout_s=3.0)
    assert not goal.is_done
    goal.cancel()
    goal.result()


def test_latency_of_a_candidate_counts_from_the_arrival_of_its_goal(generator):
    ros, _, _ = generator
    begun_s = time.monotonic()
    latencies = [p.latency for p in ask(ros, [window(1000 * NS, [touch(998 * NS)])] * 40).predictions]
    took_s = time.monotonic() - begun_s
    assert latencies == sorted(latencies)
    assert 0.0 < latencies[0] < 0.5 * latencies[-1]
    assert 0.3 * took_s < latencies[-1] < took_s


def test_goals_that_wait_are_bounded_and_all_end_when_the_node_is_deactivated(generator):
    ros, node, _ = generator
    goals = [Goal(ros, [window(1000 * NS, [touch(998 * NS)])] * 300) for _ in range(5)]
    assert [goal.accepted for goal in goals] == [True] * 4 + [False]
    node.wait_for_log("goal rejected, wants at most 4 goals at a time")
    change(ros, Transition.TRANSITION_DEACTIVATE)
    for goal in goals[:4]:
        status, result = goal.result(timeout_s=5.0)
        assert (status, result.success) == (GoalStatus.STATUS_ABORTED, False)
        assert "of 300 candidates: the node was deactivated" in result.message
    assert not Goal(ros, [window(1000 * NS, [touch(998 * NS)])]).accepted
    change(ros, Transition.TRANSITION_ACTIVATE)
    assert ask(ros, [window(1000 * NS, [touch(998 * NS)])]).success


def test_touches_of_before_the_activation_are_not_predicted(generator):
    ros, _, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    now = time.time_ns()
    hands.publish(window(now, [ended_at(now, 600)]))
    predicted.wait_for(1)
    missed = ended_at(now + NS // 100, 601)
    change(ros, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
    later = time.time_ns()

    def told_again():  # a node that listens anew may miss what is said at first
        hands.publish(window(later, [ended_at(now, 600), missed, ended_at(later, 602)]))
        return len(predicted.messages) > 1

    wait_until(told_again, 10.0, lambda: f"two predictions, got {len(predicted.messages)}")
    time.sleep(0.5)
    assert [message.contacts[-1].id for message in predicted.messages] == [600, 602]


def test_finite_garbage_is_refused_and_survived(generator):
    ros, node, hands = generator
    predicted = ros.listen(SoundPrediction, "predicted")
    diagnostics = ros.diagnostics("sound_generator")
    now = time.time_ns()
    endless, fast, loud = (window(now, [ended_at(now, 700 + i)]) for i in range(3))
    endless.contacts[0].end.sec = 2**31 - 1
    fast.rate_hz = 1e30
    loud.contacts[0].approach_speed = 3e38
    sliding = window(now, [ended_at(now, 703)])
    sliding.contacts[0].kind = ContactEvent.SLIDE
    sliding.contacts[0].header.stamp = stamp_from_ns(1)
    for message in (endless, fast, loud, sliding):
        hands.publish(message)
    diagnostics.wait(ERROR)
    later = time.time_ns()
    hands.publish(window(later, [ended_at(later, 710)]))
    predicted.wait(lambda messages: 710 in [m.contacts[-1].id for m in messages])
    endless_goal, _ = Goal(ros, [endless]).result()
    assert endless_goal in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED)
    assert node.is_running
    assert "Traceback" not in node.log


def test_no_hands_is_said_and_never_ok(generator):
    ros, _, hands = generator
    diagnostics = ros.diagnostics("sound_generator")
    diagnostics.wait(WARN, "no hands from the tracker for")
    for _ in range(15):
        hands.publish(window(time.time_ns()))
        time.sleep(0.1)
    diagnostics.wait(OK, "predicting")
    diagnostics.wait(WARN, "no hands from the tracker for", since=len(diagnostics.statuses))


def test_a_recording_that_begins_anew_is_predicted_anew(ros_domain):
    """Simulated time, looped: each touch once a round, and none of what was before the node came."""
    predicted = ros_domain.listen(SoundPrediction, "predicted")
    clock, hands = ros_domain.talk(Clock, "/clock", 10), ros_domain.talk(HandTrajectory, "hands")

    def play(begin_s, end_s):
        for tick in range(int(begin_s * 50), int(end_s * 50)):
            now = tick * NS // 50
            clock.publish(Clock(clock=stamp_from_ns(now)))
            if tick % 10 == 0:  # a tap every second, at the half
                taps = [int((s + 0.5) * NS) for s in range(10) if (s + 0.6) * NS < now < (s + 4.6) * NS]
                hands.publish(window(now, [touch(at, 1 + at // NS) for at in taps]))
            time.sleep(0.02)

    play(1.0, 4.0)
    ros_domain.start(MODULE, {"model": str(BANK), "use_sim_time": True})
    play(4.0, 9.2)
    time.sleep(0.5)
    while not predicted.messages:  # where it takes the node longer to come
        play(1.0, 9.2)
        time.sleep(0.5)
    play(1.0, 7.9)
    predicted.wait(lambda messages: messages and messages[-1].contacts[-1].id == 8 and len(messages) > 8)
    time.sleep(0.5)
    touches = [message.contacts[-1].id for message in predicted.messages]
    assert touches[-8:] == [1, 2, 3, 4, 5, 6, 7, 8]
    before = touches[:-8]
    assert before == list(range(10 - len(before), 10))
    ids = [message.id for message in predicted.messages]
    assert len(set(ids)) == len(ids)


def test_the_thresholds_of_touches_are_parameters(ros_domain, tmp_path):
    """A hand that comes no nearer than 6 mm touches where 10 mm are a touch."""
    scene = save_table(tmp_path / "scene")
    parameters = {"model": str(BANK), "scene": str(scene), "touch_m": 0.01, "release_m": 0.02}
    ros_domain.start(MODULE, parameters)
    ros_domain.wait_for_listener(ros_domain.talk(HandTrajectory, "hands"))
    result = ask(ros_domain, [tapping_hand(nearest_m=0.006)])
    assert [contact.material for contact in result.predictions[0].contacts] == ["wood", "wood"]


def test_a_missing_model_is_named_and_nothing_is_accepted(ros_domain, tmp_path):
    ros_domain.start(MODULE, {"model": str(tmp_path / "nowhere"), "retry_s": 0.3})
    ros_domain.diagnostics("sound_generator").wait(ERROR, "nowhere")
    assert not Goal(ros_domain, [window(100 * NS)]).accepted
