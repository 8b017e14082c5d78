"""Predicted sound without end: `predicted/stream` of a sound generator with `stream: true`."""

import time

import numpy as np
import pytest

pytest.importorskip("torch", reason="the generator needs PyTorch")
pytest.importorskip("safetensors", reason="checkpoints are safetensors")

from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio, HandTrajectory, MelSpectrogram, SoundPrediction
from lifecycle import Lifecycle
from ros_domain import wait_until
from rosgraph_msgs.msg import Clock
from small_compact import save_small_compact
from touches import BANK, NS, RATE_HZ, stamp_from_ns, stamp_to_ns, touch, window
from worlds import save_table

from hearing_hands_ros.ros.sound_messages import read_mel

MODULE = "hearing_hands_ros.nodes.sound_generator"
ERROR = DiagnosticStatus.ERROR
FIRST_S, PERIOD_S = 0.3, 0.7  # taps
HOP_S = 256 / RATE_HZ
LAG_S = 1.2  # at most, of the stream after the newest window


class Stream:
    """A generator in simulated time, a hand that taps, and what is heard of the stream."""

    def __init__(self, ros, model, scene):
        self.ros = ros
        parameters = {"model": str(model), "scene": str(scene), "device": "cpu", "stream": True, "use_sim_time": True}
        self.node = ros.start(MODULE, parameters)
        self.clock, self.hands = ros.talk(Clock, "/clock"), ros.talk(HandTrajectory, "hands")
        self.audio = ros.listen(Audio, "predicted/stream")
        self.mel = ros.listen(MelSpectrogram, "predicted/stream/spectrogram")
        self.predicted = ros.listen(SoundPrediction, "predicted")
        self.diagnostics = ros.diagnostics("sound_generator")
        ros.wait_for_listener(self.hands, 60.0)
        self.meet()

    def meet(self):
        """Show windows without hands until one of them arrives."""
        before = self.diagnostics.values.get("windows", "0")

        def arrived():
            blind = window(NS)
            blind.valid = [False] * len(blind.valid)
            self.hands.publish(blind)
            return self.diagnostics.values.get("windows", "0") != before

        wait_until(arrived, 20.0, lambda: f"a window, {self.diagnostics.values}")

    def show(self, end_s):
        """The window of hands that ends then."""
        end_ns = round(end_s * NS)
        self.clock.publish(Clock(clock=stamp_from_ns(end_ns)))
        starts = np.arange(np.ceil((end_s - 4.0 - FIRST_S) / PERIOD_S), (end_s - FIRST_S - 0.08) / PERIOD_S)
        taps = [touch(round((FIRST_S + PERIOD_S * n) * NS), int(n) + 1000) for n in starts]
        self.hands.publish(window(end_ns, taps))

    def play(self, times_s):
        """Show windows, each when the sound of those before is out; return what is heard since."""
        before = len(self.audio.messages)
        for end_s in times_s:
            self.show(end_s)
            until_s = time.monotonic() + 0.6  # at the beginning there is nothing to wait for yet
            while time.monotonic() < until_s and self._end_s(self.audio.messages[before:]) < end_s - LAG_S:
                time.sleep(0.01)
        time.sleep(0.3)
        return self.audio.messages[before:], self.mel.messages[before:]

    @staticmethod
    def _end_s(heard):
        return max((stamp_to_ns(m.header.stamp) / NS + len(m.data) / RATE_HZ for m in heard), default=0.0)


@pytest.fixture(scope="module")
def stream(shared_ros_domain, small_encoders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    model = save_small_compact(folder / "model", small_encoders(8))
    return Stream(shared_ros_domain, model, save_table(folder / "scene"))


def joined(heard):
    """Log-mel (80, T) and sound (L,) of messages that follow each other, from sample 0 on, without gap or overlap."""
    audio, mel = heard
    assert len(audio) == len(mel) > 3
    begin_ns, at = stamp_to_ns(audio[0].header.stamp), 0
    for sound, spectrum in zip(audio, mel, strict=True):
        assert sound.first_sample == at
        assert stamp_to_ns(sound.header.stamp) == begin_ns + at * NS // RATE_HZ
        assert spectrum.header == sound.header
        assert sound.header.frame_id == "table_scene"
        assert (sound.sample_rate_hz, sound.channels) == (RATE_HZ, 1)
        assert len(sound.data) == spectrum.frames * spectrum.hop
        at += len(sound.data)
    return np.concatenate([read_mel(m)[0] for m in mel], axis=1), np.concatenate([m.data for m in audio])


def step_at(meets, wave):
    """Mean step of the wave at the given samples over the level around, as a share of that at other frames."""
    steps, places = np.abs(np.diff(wave)), np.arange(256, wave.size - 256, 256)
    share = np.array([steps[p - 1] / steps[p - 128 : p + 128].mean() for p in places])
    chosen = np.isin(places, meets)
    return share[chosen].mean() / share[~chosen].mean()


def test_sliding_windows_give_one_sound_that_is_the_same_when_time_begins_again(stream):
    first = stream.play(np.arange(10.0, 16.0, 0.4))
    mel, wave = joined(first)
    assert wave.size / RATE_HZ > 4.0
    assert stamp_to_ns(first[0][0].header.stamp) > 9.4 * NS  # what was before the node came is not told
    assert np.abs(wave).max() > 1e-3
    assert step_at(np.cumsum([len(m.data) for m in first[0]])[:-1], wave) < 1.6
    again = stream.play([10.0, *(10.0 + np.cumsum([0.9, 0.2, 0.5, 0.3] * 3))])
    stream.node.wait_for_log("predicted/stream: a new stream begins: time went back by 5.")
    mel_again, _ = joined(again)
    begins = [round(stamp_to_ns(heard[0][0].header.stamp) / NS / HOP_S) for heard in (first, again)]
    one, two = (
        each[:, round(11.0 / HOP_S) - begin :] for each, begin in zip((mel, mel_again), begins, strict=True)
    )  # from 11 s on
    shared = min(one.shape[1], two.shape[1])
    assert shared > 60
    assert np.abs(one[:, :shared] - two[:, :shared]).mean() < 0.03 * mel.std()


def test_a_jump_ahead_begins_a_new_stream(stream):
    joined(stream.play(np.arange(30.0, 33.0, 0.4)))
    joined(stream.play(np.arange(60.0, 63.0, 0.4)))
    stream.node.wait_for_log("a new stream begins: a gap of ", count=2)


def test_a_node_that_was_deactivated_goes_on_with_a_new_stream(stream):
    lifecycle = Lifecycle(stream.ros, "sound_generator")
    joined(stream.play(np.arange(100.0, 103.0, 0.4)))
    assert lifecycle("deactivate")
    before = len(stream.audio.messages)
    stream.show(103.5)
    time.sleep(0.5)
    assert len(stream.audio.messages) == before
    assert lifecycle("activate")
    stream.meet()
    joined(stream.play(np.arange(104.0, 107.0, 0.4)))
    stream.node.wait_for_log("a new stream begins: the node was deactivated")


def test_touches_are_predicted_beside_it_and_diagnostics_tell_of_both(stream):
    before = len(stream.predicted.messages)
    stream.play(np.arange(200.0, 203.0, 0.4))
    stream.predicted.wait_for(before + 4)
    pieces = stream.diagnostics.wait_for_value("stream_pieces", lambda count: count >= len(stream.audio.messages))
    assert pieces == len(stream.audio.messages)
    assert stream.diagnostics.wait_for_value("stream_lag_p95_s", bool) < 2.0
    assert stream.diagnostics.values["stream_fell_behind"] == "0"
    assert stream.diagnostics.values["stream_failed"] == "0"


def test_without_the_parameter_there_is_no_stream_and_with_it_a_bank_is_refused(ros_domain):
    refusing = ros_domain.diagnostics("streaming_generator")
    ros_domain.start(MODULE, {"model": str(BANK)})
    ros_domain.start(MODULE, {"model": str(BANK), "stream": True}, remap={"__node": "streaming_generator"})
    ros_domain.wait_for_listener(ros_domain.talk(HandTrajectory, "hands"), 20.0)
    said = refusing.wait(ERROR, "load_streamer: wants a compact generator", timeout_s=20.0)
    assert "got 'example'" in said.message
    wait_until(lambda: ros_domain.probe.count_publishers("predicted/audio") == 2, 5.0, lambda: "two generators")
    assert ros_domain.probe.count_publishers("predicted/stream") == 0
