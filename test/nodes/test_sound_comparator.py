"""The sound comparator as a process: recorded touches come in, verdicts go out."""

import threading
import time

import numpy as np
import pytest
from conftest import wait_until
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, SoundComparison, SoundPrediction
from hearing_hands_ros.srv import Calibrate
from rosgraph_msgs.msg import Clock
from touches import BANK, NS, RATE_HZ, recorded, sound, stamp_to_ns, touch, window

from hearing_hands_ros.ros.hand_messages import stamp_from_ns

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
UNKNOWN, NORMAL, UNEXPECTED = SoundComparison.UNKNOWN, SoundComparison.NORMAL, SoundComparison.UNEXPECTED
MISSING, DIFFERENT = SoundComparison.MISSING, SoundComparison.DIFFERENT
MODULE = "hearing_hands_ros.nodes.sound_comparator"
BLOCK_S = 0.02


class World:
    """A microphone and a tracker that run in real time beside a real generator and the comparator under test."""

    def __init__(self, ros, clock=None, **parameters):
        self.ros = ros
        self.generator = ros.start("hearing_hands_ros.nodes.sound_generator", {"model": str(BANK)})
        self.comparator = ros.start(MODULE, {"bank": str(BANK), "alpha": 0.01, "retry_s": 0.3, **parameters})
        self.audio, self.hands = ros.talk(Audio, "heard/audio"), ros.talk(HandTrajectory, "hands")
        self.comparison = ros.listen(SoundComparison, "comparison")
        self.diagnostics = ros.diagnostics("sound_comparator")
        self.clock = clock or time.time_ns
        self.rng = np.random.default_rng(5)
        self.sounds: list[tuple[int, np.ndarray]] = []  # (first sample's time, samples)
        self.events: list = []
        self.hear, self.track, self.spoil = True, True, lambda message: message
        self.number = 0
        recorded("wood")  # loads the recordings, which takes a while
        self._stopping = False
        wait_until(lambda: self.hands.get_subscription_count() == 2, 20.0, lambda: "generator and comparator")
        ros.wait_for_listener(self.audio, 20.0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.diagnostics.wait(OK)
        time.sleep(0.5)  # of room noise before the first touch

    def stop(self):
        self._stopping = True
        self._thread.join(5.0)

    def touch(self, material="wood", heard="same", index=0, later_s=0.0, seconds=0.08):
        """Touch now, as the tracker tells it when the touch has ended; return the touch's id."""
        self.number += 1
        stamp = self.clock() + NS // 5
        if heard:
            wave, lead_s = recorded(material if heard == "same" else heard, index)
            self.sounds.append((stamp + int((later_s - lead_s) * NS), wave))
        self.events.append(touch(stamp, self.number, material, seconds=seconds))
        return self.number

    def noise(self, material):
        """Make a sound that no touch explains; return its time."""
        stamp = self.clock() + NS // 5
        wave, lead_s = recorded(material)
        self.sounds.append((stamp - int(lead_s * NS), wave))
        return stamp

    def verdict(self, contact_id, timeout_s=10.0):
        """Wait for the verdict on one touch."""
        return self.comparison.wait(lambda all_: [m for m in all_ if m.contact_id == contact_id], timeout_s)[0]

    def _run(self):
        length = round(BLOCK_S * RATE_HZ)
        first = self.clock()
        block, told_ns = 0, 0
        while not self._stopping:
            now = self.clock()
            if now < first + block * BLOCK_S * NS - NS or now > first + block * BLOCK_S * NS + 5 * NS:
                first, block, told_ns = now, 0, 0  # the clock jumped
            while first + (block + 1) * BLOCK_S * NS <= now:
                stamp = first + round(block * BLOCK_S * NS)
                samples = self.rng.normal(0, 3e-4, length).astype(np.float32)
                for start, wave in self.sounds:
                    at = round((start - stamp) * RATE_HZ / NS)
                    low, high = max(at, 0), min(at + len(wave), length)
                    if low < high:
                        samples[low:high] += wave[low - at : high - at]
                if self.hear:
                    self.audio.publish(self.spoil(sound(stamp, samples)))
                block += 1
            begun = [e for e in self.events if now - 4 * NS < stamp_to_ns(e.header.stamp) < now]
            for event in begun:
                event.phase = ContactEvent.ENDED if stamp_to_ns(event.end) < now else ContactEvent.STARTED
            if self.track and now > told_ns + NS // 4:
                told_ns = now
                self.hands.publish(window(now, begun))
            time.sleep(0.01)


@pytest.fixture
def world(ros_domain):
    made = World(ros_domain)
    yield made
    made.stop()


def test_verdicts_say_what_happened(world):
    same = world.touch("wood")
    assert world.verdict(same).verdict == NORMAL
    time.sleep(0.5)
    other = world.touch("wood", heard="snow")
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
    message = world.verdict(world.touch("wood"))
    assert message.verdict == UNKNOWN
    assert "microphone" in message.reason
    world.hear = True
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))
    assert world.verdict(world.touch("wood")).verdict == NORMAL

    world.track = False
    world.diagnostics.wait(WARN, "UNKNOWN: no hands")
    stamp = world.noise("metal")
    unknown = world.comparison.wait(lambda all_: [m for m in all_ if stamp_to_ns(m.header.stamp) > stamp - NS // 20])
    assert unknown[0].verdict == UNKNOWN
    assert "no hand was followed" in unknown[0].reason
    world.track = True

    world.generator.kill()
    message = world.verdict(world.touch("wood"))
    assert message.verdict == UNKNOWN
    assert "no prediction" in message.reason
    world.ros.start("hearing_hands_ros.nodes.sound_generator", {"model": str(BANK)})
    time.sleep(3.0)
    assert world.verdict(world.touch("wood")).verdict == NORMAL


def test_damaged_sound_is_refused_and_a_gap_under_a_touch_is_unknown(world):
    def not_a_number(message):
        message.data[5] = float("nan")
        return message

    world.spoil = not_a_number
    world.diagnostics.wait(ERROR, "finite samples")
    world.spoil = lambda message: message
    world.diagnostics.wait(OK, since=len(world.diagnostics.statuses))

    def lost(message):
        message.lost = [True] * len(message.data)
        message.data = type(message.data)("f", bytes(4 * len(message.data)))
        return message

    number = world.touch("wood")
    time.sleep(0.25)
    world.spoil = lost
    time.sleep(0.15)
    world.spoil = lambda message: message
    message = world.verdict(number)
    assert message.verdict == UNKNOWN, message.reason
    assert "audio was lost" in message.reason
    assert world.verdict(world.touch("wood")).verdict == NORMAL
    assert world.comparator.is_running


def test_broken_predictions_are_refused(world):
    talk = world.ros.talk(SoundPrediction, "predicted")
    world.ros.wait_for_listener(talk)
    talk.publish(SoundPrediction(id=5))
    world.diagnostics.wait(ERROR, "MelSpectrogram")
    assert world.verdict(world.touch("wood")).verdict == NORMAL


def test_uncalibrated_is_unknown_until_normal_touches_were_taken(ros_domain, tmp_path):
    world = World.__new__(World)
    folder = tmp_path / "calibration"
    parameters = {"bank": "", "alpha": 0.2, "calibration_folder": str(folder)}
    with pytest.raises(BaseException, match="OK"):  # it never becomes OK without a calibration
        World.__init__(world, ros_domain, **parameters)
    try:
        world.diagnostics.wait(WARN, "not calibrated")
        message = world.verdict(world.touch("wood"))
        assert message.verdict == UNKNOWN
        assert "calibration" in message.reason
        client = ros_domain.probe.create_client(Calibrate, "/sound_comparator/calibrate")
        assert client.wait_for_service(5.0)
        refused = call(client, Calibrate.Request(touches=3, name="../evil"))
        assert not refused.accepted
        assert "letters, digits" in refused.message
        assert call(client, Calibrate.Request(touches=5, name="desk")).accepted
        for index in range(5):
            world.verdict(world.touch("wood", index=index))
            time.sleep(0.2)
        world.diagnostics.wait(OK, timeout_s=5.0)
        assert (folder / "desk.yaml").is_file()
        message = world.verdict(world.touch("wood", index=2))
        assert message.verdict in (NORMAL, DIFFERENT)
        assert 0.0 < message.p_value <= 1.0
    finally:
        world.stop()


def call(client, request):
    future = client.call_async(request)
    until = time.monotonic() + 5.0
    while not future.done():
        assert time.monotonic() < until
        time.sleep(0.01)
    return future.result()


def test_a_clock_that_goes_back_begins_anew(ros_domain):
    publisher = ros_domain.talk(Clock, "/clock")
    offset = [100 * NS - time.time_ns()]

    def clock():
        now = time.time_ns() + offset[0]
        publisher.publish(Clock(clock=stamp_from_ns(now)))
        return now

    world = World(ros_domain, clock=clock, use_sim_time=True)
    try:
        assert world.verdict(world.touch("wood")).verdict == NORMAL
        offset[0] -= 50 * NS
        world.diagnostics.wait_for_value("clock_jumps", lambda jumps: jumps == 1)
        world.events.clear()
        time.sleep(1.0)
        assert world.verdict(world.touch("wood")).verdict == NORMAL
    finally:
        world.stop()


def test_a_broken_calibration_is_named(ros_domain, tmp_path):
    (tmp_path / "calibration.yaml").write_text("format: something else")
    ros_domain.start(MODULE, {"calibration": str(tmp_path / "calibration.yaml")})
    ros_domain.diagnostics("sound_comparator").wait(ERROR, "calibration.yaml")
    ros_domain.start(MODULE, {"bank": str(tmp_path / "none")}, remap={"__node": "other"})
    ros_domain.diagnostics("other").wait(ERROR, "none")
