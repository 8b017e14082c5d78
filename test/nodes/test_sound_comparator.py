"""The sound comparator as a process: recorded touches come in, verdicts go out."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import SoundComparison, SoundPrediction
from hearing_hands_ros.srv import Calibrate
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from listening import MODULE, SimulatedTime, World
from ros_domain import wait_until
from touches import NS, sound, stamp_to_ns, touch, window

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
UNKNOWN, NORMAL, UNEXPECTED = SoundComparison.UNKNOWN, SoundComparison.NORMAL, SoundComparison.UNEXPECTED
MISSING, DIFFERENT = SoundComparison.MISSING, SoundComparison.DIFFERENT


@pytest.fixture
def world(ros_domain):
    made = World(ros_domain)
    yield made
    made.stop()


def test_verdicts_say_what_happened(world):
    same = world.touch("stone")
    assert world.verdict(same).verdict == NORMAL
    time.sleep(0.5)
    other = world.touch("stone", heard="snow")
    different = world.verdict(other)
    assert different.verdict == DIFFERENT, different.reason
    assert different.p_value <= different.alpha
    assert different.nearest_material == "snow"
    time.sleep(0.5)
    silent = world.touch("metal", heard=None)
    assert world.verdict(silent).verdict == MISSING
    time.sleep(0.8)
    stamp = world.noise("stone")
    alone = world.comparison.wait(lambda all_: [m for m in all_ if m.verdict == UNEXPECTED])[0]
    assert stamp_to_ns(alone.header.stamp) == pytest.approx(stamp, abs=20_000_000)
    assert alone.contact_id == 0
    time.sleep(1.0)
    assert len(world.comparison.messages) == 4


def test_a_late_sound_of_the_touch_is_measured(world):
    message = world.verdict(world.touch("metal", later_s=0.03))
    assert message.heard_onset
    assert message.lag == pytest.approx(0.03, abs=0.01)
    assert message.latency < 2.0
    assert "log_mel" in message.score_names


def test_without_sound_hands_or_prediction_nothing_is_normal_and_it_recovers(world):
    world.hear = False
    world.diagnostics.wait(WARN, "UNKNOWN: no sound from the microphone")
    message = world.verdict(world.touch("stone"))
    assert message.verdict == UNKNOWN
    assert "microphone" in message.reason
    world.hear = True
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))
    assert world.verdict(world.touch("stone")).verdict == NORMAL

    world.track = False
    world.diagnostics.wait(WARN, "UNKNOWN: no hands")
    stamp = world.noise("metal")
    unknown = world.comparison.wait(lambda all_: [m for m in all_ if stamp_to_ns(m.header.stamp) > stamp - NS // 20])
    assert unknown[0].verdict == UNKNOWN
    assert "no hand was followed" in unknown[0].reason
    world.track = True

    world.generator.kill()
    message = world.verdict(world.touch("stone"))
    assert message.verdict == UNKNOWN
    assert "no prediction" in message.reason
    world.diagnostics.wait(WARN, "UNKNOWN: no predictions from the generator for the last 1 touches")
    world.start_generator()
    world.ros.diagnostics("sound_generator").wait(OK, timeout_s=20.0)
    assert world.verdict(world.touch("stone")).verdict == NORMAL
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))


def test_damaged_sound_is_refused_and_a_gap_under_a_touch_is_unknown(world):
    for garbage, said in ((float("nan"), "finite samples"), (3e38, "samples want at most 100, got 3e+38")):

        def damage(message, garbage=garbage):
            message.data[5] = garbage
            return message

        world.spoil = damage
        world.diagnostics.wait(ERROR, said)
        world.spoil = lambda message: message
        world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))

    def lost(message):
        message.lost = [True] * len(message.data)
        message.data = type(message.data)("f", bytes(4 * len(message.data)))
        return message

    number = world.touch("stone")
    time.sleep(0.25)
    world.spoil = lost
    time.sleep(0.15)
    world.spoil = lambda message: message
    message = world.verdict(number)
    assert message.verdict == UNKNOWN, message.reason
    assert "audio was lost" in message.reason
    world.recovers()

    def zero(message):
        message.data = type(message.data)("f", bytes(4 * len(message.data)))
        return message

    world.spoil = zero
    world.diagnostics.wait(WARN, "UNKNOWN: nothing but zeros or lost samples from the microphone")
    message = world.verdict(world.touch("stone"))
    assert message.verdict == UNKNOWN, message.reason
    assert "exactly zero" in message.reason
    world.spoil = lambda message: message
    time.sleep(0.5)
    world.recovers()
    assert world.comparator.is_running


def test_garbage_from_tracker_and_generator_is_refused(world):
    predicted = world.ros.talk(SoundPrediction, "predicted")
    world.ros.wait_for_listener(predicted)
    predicted.publish(SoundPrediction(id=5))
    world.diagnostics.wait(ERROR, "MelSpectrogram: 0 bins")
    seen = world.ros.listen(SoundPrediction, "predicted")
    assert world.verdict(world.touch("stone")).verdict == NORMAL
    loud = seen.messages[0]
    loud.spectrogram.data[7] = 3e38
    predicted.publish(loud)
    world.diagnostics.wait(ERROR, "MelSpectrogram: values want at most 100, got 3e+38")
    far = window(world.clock())
    far.keypoints[-1] = 1e30
    world.hands.publish(far)
    world.diagnostics.wait(ERROR, "HandTrajectory: keypoints want at most 10000 m, got 1e+30")
    fast = window(world.clock(), [touch(world.clock() - NS, 77, speed=3e38)])
    world.hands.publish(fast)
    world.diagnostics.wait(ERROR, "ContactEvent 77: speeds want at most 10000 m/s, got 3e+38")
    world.recovers()


def test_what_comes_from_another_time_is_refused(world):
    for message, publisher in (
        (sound(world.clock() + 50 * NS, np.ones(320)), world.audio),
        (window(world.clock() + 50 * NS), world.hands),
        (window(world.clock(), [touch(world.clock() + 50 * NS, 77)]), world.hands),
    ):
        since = len(world.diagnostics.statuses)
        publisher.publish(message)
        world.diagnostics.wait(ERROR, "wants a time at most 1 s ahead of the clock", since=since)
        world.recovers()


def test_uncalibrated_is_unknown_until_normal_touches_were_taken(ros_domain, tmp_path):
    folder = tmp_path / "calibration"
    world = World(ros_domain, ready=WARN, calibration="", alpha=0.2, calibration_folder=str(folder))
    try:
        world.diagnostics.wait(WARN, "not calibrated")
        message = world.verdict(world.touch("stone"))
        assert message.verdict == UNKNOWN
        assert "not calibrated" in message.reason
        client = ros_domain.probe.create_client(Calibrate, "/sound_comparator/calibrate")
        assert client.wait_for_service(5.0)
        for touches, name, why in ((5, "../evil", "letters, digits"), (3, "desk", "4 or more for alpha 0.2, got 3")):
            refused = call(client, Calibrate.Request(touches=touches, name=name))
            assert not refused.accepted
            assert why in refused.message
        assert call(client, Calibrate.Request(touches=5, name="desk")).accepted
        world.diagnostics.wait(WARN, "UNKNOWN: not calibrated with normal touches; calibrating 0 of 5")
        for index in range(10):  # one that is not heard well does not count
            world.verdict(world.touch("stone", index=index % 5))
            time.sleep(0.2)
            if (folder / "desk.yaml").is_file():
                break
        world.diagnostics.wait(WARN, "calibrating 2 of 5")  # it was said on the way
        world.diagnostics.wait(OK, timeout_s=5.0)
        message = world.verdict(world.touch("stone", index=2))
        assert message.verdict in (NORMAL, DIFFERENT)
        assert 0.0 < message.p_value <= 1.0
    finally:
        world.stop()


def call(client, request):
    future = client.call_async(request)
    wait_until(future.done, 5.0, lambda: "an answer")
    return future.result()


def test_a_clock_that_goes_back_begins_anew(ros_domain):
    clock = SimulatedTime(ros_domain)
    world = World(ros_domain, clock=clock)
    try:
        assert world.verdict(world.touch("stone")).verdict == NORMAL
        world.track = False
        before = clock()
        clock.offset_ns -= 50 * NS
        world.diagnostics.wait_for_value("clock_jumps", lambda jumps: jumps == 1)
        world.diagnostics.wait(WARN, "UNKNOWN: no hands", since=len(world.diagnostics.statuses))
        world.events.clear()
        world.hands.publish(window(before))
        world.audio.publish(sound(before, np.ones(320)))
        world.track = True
        time.sleep(1.0)
        world.recovers()
        clock.stands_at_ns = clock()
        world.diagnostics.wait(WARN, "UNKNOWN: the clock stands")
        clock.stands_at_ns = None
        world.recovers()
    finally:
        world.stop()


def test_it_can_be_stopped_and_started_again_as_often_as_one_likes(world):
    client = world.ros.probe.create_client(ChangeState, "/sound_comparator/change_state")
    assert client.wait_for_service(5.0)

    def change(*transitions):
        for transition in transitions:
            assert call(client, ChangeState.Request(transition=Transition(id=transition))).success

    world.window_s = 15.0  # windows tell of touches for so long
    assert world.verdict(world.touch("stone")).verdict == NORMAL
    change(Transition.TRANSITION_DEACTIVATE)
    world.diagnostics.wait(WARN, "inactive")
    world.touch("snow")
    time.sleep(1.5)
    change(Transition.TRANSITION_ACTIVATE)
    world.recovers()
    assert world.diagnostics.wait_for_value("NORMAL", lambda count: count == 2)
    for _ in range(3):
        change(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        change(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))
    assert world.diagnostics.values["NORMAL"] == "0"
    assert "latency_p95_s" not in world.diagnostics.values
    assert "lag_median_s" not in world.diagnostics.values
    world.recovers()
    world.diagnostics.wait_for_value("NORMAL", lambda count: count == 1)
    assert world.diagnostics.wait_for_value("latency_p95_s", lambda latency: latency < 3.0) > 0.2
    assert [message.contact_id for message in world.comparison.messages] == [1, 3, 4]


@pytest.mark.parametrize("simulated", [False, True])
def test_killed_and_started_again_it_goes_on_and_judges_no_touch_twice(ros_domain, simulated):
    world = World(ros_domain, clock=SimulatedTime(ros_domain) if simulated else None)
    try:
        world.window_s = 8.0  # a new node is told of the touches before it, too
        assert world.verdict(world.touch("stone")).verdict == NORMAL
        nobody_judges = []
        for _ in range(2):
            world.comparator.kill()
            nobody_judges.append(world.touch("stone"))
            world.start_comparator()
            world.recovers()
            world.recovers()
        time.sleep(2.0)
        judged = [message.contact_id for message in world.comparison.messages]
        assert judged == [number for number in range(1, world.number + 1) if number not in nobody_judges]
    finally:
        world.stop()


def test_a_broken_calibration_is_named(ros_domain, tmp_path):
    (tmp_path / "calibration.yaml").write_text("format: something else")
    ros_domain.start(MODULE, {"calibration": str(tmp_path / "calibration.yaml")})
    ros_domain.diagnostics("sound_comparator").wait(ERROR, "calibration.yaml")
    ros_domain.start(MODULE, {"calibration": str(tmp_path / "none")}, remap={"__node": "other"})
    ros_domain.diagnostics("other").wait(ERROR, "none")
