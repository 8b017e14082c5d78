"""Predictors that hang, throw, or return what is no prediction: the node says so and goes on."""

import copy
import time
from array import array
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints need PyTorch")
pytest.importorskip("safetensors", reason="checkpoints are safetensors")

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from goals import Goal
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, SoundPrediction
from lifecycle import Lifecycle
from ros_domain import wait_until
from small_compact import save_small_compact
from touches import NS, RATE_HZ, stamp_to_ns, touch, window
from worlds import save_table

from hearing_hands_ros.ros.hand_messages import stamp_from_ns

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
SCRIPT = Path(__file__).parent / "strange_generators.py"
DEADLINE_S = 0.6


class Generator:
    """The node, and the touches that it is told of."""

    def __init__(self, ros, model, scene, **parameters):
        self.ros, self.model, self._closed = ros, Path(model), Path(model) / "closed"
        parameters = {"model": str(model), "scene": str(scene), "device": "cpu", **parameters}
        self.node = ros.start(str(SCRIPT), parameters, environment={"PYTHONPATH": str(SCRIPT.parents[2])})
        self.hands = ros.talk(HandTrajectory, "hands")
        self.predicted = ros.listen(SoundPrediction, "predicted")
        self.diagnostics = ros.diagnostics("sound_generator")
        self.number = self._since = 0
        ros.wait_for_listener(self.hands, 60.0)
        wait_until(self.is_heard, 20.0, lambda: "a first prediction")

    @contextmanager
    def hanging(self):
        """Predictions of the material 'hangs' hang as long as this lasts, then they return."""
        self._closed.touch()
        try:
            yield
        finally:
            self._closed.unlink()

    def touch(self, material="wood"):
        """A touch that has just ended; return its number."""
        self.number += 1
        self._since = len(self.diagnostics.statuses)
        now = time.time_ns()
        self.hands.publish(window(now, [touch(now - NS // 10, self.number, material)]))
        return self.number

    def is_heard(self):
        """Whether a prediction came of touches that are told until one does: DDS may lose the first ones."""
        before = len(self.predicted.messages)
        self.touch()
        time.sleep(0.2)
        return len(self.predicted.messages) > before

    @property
    def predicted_numbers(self):
        return [message.contacts[-1].id for message in self.predicted.messages]

    def is_predicted(self, number, timeout_s=10.0):
        return self.predicted.wait(lambda all_: [m for m in all_ if m.contacts[-1].id == number], timeout_s)[0]

    def says(self, text, level=ERROR):
        """Wait for it in the diagnostics since the last touch."""
        return self.diagnostics.wait(level, text, since=self._since)

    def works(self):
        """Touches are predicted again, and diagnostics end OK."""
        self.is_predicted(self.touch())
        since = len(self.diagnostics.statuses)

        def is_ok():
            self.hands.publish(window(time.time_ns()))
            return any(status.level == OK for status in self.diagnostics.statuses[since:])

        wait_until(is_ok, 10.0, lambda: f"OK, {self.diagnostics.history}")
        assert self.node.is_running
        assert "Traceback" not in self.node.log


@pytest.fixture(scope="module")
def generator(shared_ros_domain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange")
    model = save_small_compact(folder / "model", "none", kind="strange")
    generator = Generator(shared_ros_domain, model, save_table(folder / "scene"), deadline_s=DEADLINE_S)
    return generator


FAULTS = {
    "throws": "predictor 'strange' failed: LookupError: no such sound",
    "exits": "predictor 'strange' failed: RuntimeError: SystemExit: enough",
    "memory": "predictor 'strange' failed: MemoryError: wanted 4 GiB",
    "nan": "audio wanted finite values, got",
    "bands": "log_mel wanted (80, ",
}


def test_what_a_predictor_does_wrong_is_said_and_the_next_touch_is_predicted(generator):
    for fault, said in FAULTS.items():
        generator.touch(fault)
        generator.says(said)
        generator.is_predicted(generator.touch())
    assert generator.diagnostics.values["failed"] == str(len(FAULTS))
    generator.works()


def test_a_prediction_that_hangs_is_given_up_and_another_thread_predicts(generator):
    with generator.hanging():
        late, after = generator.touch("hangs"), generator.touch()
        generator.says(f"took longer than {DEADLINE_S:g} s and was given up")
        generator.is_predicted(after)
        generator.diagnostics.wait_for_value("hanging_threads", lambda count: count == 1)
        generator.works()
    generator.diagnostics.wait_for_value("hanging_threads", lambda count: count == 0)
    assert late not in generator.predicted_numbers


def test_a_tap_is_predicted_while_it_lasts_and_a_long_touch_anew(generator):
    asked = generator.model / "asked"
    start = time.time_ns()
    tap, press, odd = (touch(start, 701), touch(start, 702), touch(start, 703, "throws"))
    for _ in range(3):
        generator.hands.publish(window(time.time_ns(), [lasting(event) for event in (tap, press, odd)]))
        time.sleep(0.05)
    wait_until(lambda: asked.exists() and "703" in asked.read_text(), 5.0, lambda: "that they are predicted")
    assert not {701, 702} & set(generator.predicted_numbers)
    press.end = stamp_from_ns(start + NS)
    generator.hands.publish(window(time.time_ns(), [tap, press, odd]))
    generator.is_predicted(701)
    generator.is_predicted(702)
    generator.says("no such sound")
    assert [number for number in asked.read_text().split() if number.startswith("70")] == ["701", "702", "703", "702"]


def test_a_slide_is_predicted_when_it_slows_down(generator):
    asked, start = generator.model / "asked", time.time_ns()
    event = touch(start, 711)
    event.kind, event.slide_speed = ContactEvent.SLIDE, 0.3
    time_s = np.arange(-100, 20) / 30
    way = np.where(time_s < 0.3, 0.3 * time_s, 0.09 + 0.05 * (time_s - 0.3))

    def told(until_s, begun=lasting):
        event.end = stamp_from_ns(start + round(until_s * NS))
        message = window(start + round(until_s * NS), [begun(event)])
        keypoints = np.frombuffer(message.keypoints, np.float32).reshape(120, 2, 21, 3).copy()
        keypoints[..., 0] += np.interp(np.arange(-119, 1) / 30 + until_s, time_s, way)[:, None, None]
        message.keypoints = array("f", keypoints.tobytes())
        generator.hands.publish(message)

    told(0.1)
    told(0.4)
    wait_until(lambda: asked.read_text().count("711\n") == 2, 5.0, lambda: "that it is predicted")
    told(0.6, begun=copy.deepcopy)
    prediction = generator.is_predicted(711)
    assert asked.read_text().count("711\n") == 2
    sound_s = len(prediction.audio.data) / RATE_HZ
    since_s = (stamp_to_ns(prediction.audio.header.stamp) - start) / NS
    assert since_s + sound_s == pytest.approx(0.6 + 1.2, abs=0.05)


def lasting(event):
    """The same touch before it is over."""
    before = copy.deepcopy(event)
    before.phase = ContactEvent.STARTED
    return before


def test_a_goal_that_hangs_is_aborted_and_the_next_one_is_served(generator):
    stamp = time.time_ns()
    with generator.hanging():
        bad = Goal(generator.ros, [window(stamp, [touch(stamp - NS, 1, "hangs")])])
        good = Goal(generator.ros, [window(stamp, [touch(stamp - NS)])])
        status, result = bad.result()
        assert status == GoalStatus.STATUS_ABORTED
        assert result.message == f"candidate 0: took longer than {DEADLINE_S:g} s and was given up"
        assert good.result()[1].success
    generator.works()


def test_a_node_can_be_deactivated_while_a_prediction_hangs(generator):
    lifecycle = Lifecycle(generator.ros, "sound_generator")
    with generator.hanging():
        late = generator.touch("hangs")
        time.sleep(0.2)
        assert lifecycle("deactivate")
        assert lifecycle("activate")
        wait_until(generator.is_heard, 10.0, lambda: "a touch after the activation")
    generator.works()
    assert late not in generator.predicted_numbers


def test_when_too_many_hang_nothing_is_predicted_until_one_returns(generator):
    with generator.hanging():
        refused = [generator.touch(material) for material in ("hangs", "hangs", "hangs", "wood")][-1]
        generator.says("nothing is predicted: 3 predictions hang, the most that may; start the node again")
    generator.diagnostics.wait_for_value("hanging_threads", lambda count: count == 0)
    generator.works()
    assert refused not in generator.predicted_numbers


def test_a_node_with_a_thread_that_hangs_ends_when_it_is_told_to(generator):
    with generator.hanging():
        generator.touch("hangs")
        generator.says("was given up")
        assert generator.node.stop(timeout_s=5.0) == 0


@pytest.fixture
def slow(ros_domain, tmp_path):
    """A generator with a stream whose vocoder can be slowed down: `slow.take(seconds)`."""
    model = save_small_compact(tmp_path / "model", "none", kind="slow")

    def take(seconds):
        (model / "slow").write_text(str(seconds))

    take(0.0)
    generator = Generator(ros_domain, model, save_table(tmp_path / "scene"), stream=True, deadline_s=2.0)
    generator.take = take
    generator.stream = ros_domain.listen(Audio, "predicted/stream")
    return generator


def test_a_stream_that_is_too_slow_or_hangs_begins_anew_and_keeps_no_touch_waiting(slow):
    def feed_until(condition, what):
        def fed():
            slow.hands.publish(window(time.time_ns()))
            time.sleep(0.2)
            return condition()

        wait_until(fed, 15.0, lambda: f"{what}: {slow.diagnostics.history} {slow.node.log}")

    def has_said(text):
        return lambda: any(text in status.message for status in slow.diagnostics.statuses)

    def flows():
        """Whether there is sound of a moment ago that goes on from what was before."""
        *_, last = slow.stream.messages or [Audio()]
        end_s = stamp_to_ns(last.header.stamp) / NS + len(last.data) / RATE_HZ
        return last.first_sample > 0 and time.time() - end_s < 2.0

    feed_until(flows, "a stream")
    slow.take(0.8)
    feed_until(has_said("the stream fell behind: dropped "), "it falls behind")
    assert slow.is_predicted(slow.touch()).latency < 0.1 + 2 * 0.8 + 1.0  # after a piece of the stream
    slow.take(0.0)
    feed_until(lambda: "a new stream begins: it fell 2." in slow.node.log, "a new stream")
    feed_until(flows, "it flows again")
    with slow.hanging():
        feed_until(has_said("the stream failed: took longer than 2 s and was given up"), "the fault")
    feed_until(lambda: "a new stream begins: an error" in slow.node.log, "another new stream")
    feed_until(flows, "it flows again")
    slow.works()
