"""The microphone node as a process, over real DDS: files, a real device, and every fault, each ending healthy again."""

from __future__ import annotations

import array
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import Audio
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.microphone"
QUICK = {"warn_hold_s": 1.1, "retry_s": 0.5}


def stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)


def assert_contiguous(messages: list[Any]) -> None:
    """Count and stamps go on without a gap."""
    for before, after in pairwise(messages):
        frames = len(before.data) // before.channels
        assert after.first_sample == before.first_sample + frames
        assert abs(stamp_ns(after) - stamp_ns(before) - frames * 1e9 / before.sample_rate_hz) < 1e7


# Files.


def noise(path: Path, seconds: float, rate: int = 16_000, channels: int = 2) -> np.ndarray:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels)).astype(np.float32)
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return wave


def test_file_is_played_in_real_time_and_its_end_is_said(ros_domain: Any, tmp_path: Path) -> None:
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    path = tmp_path / "a.wav"
    ros_domain.start(MODULE, {"source": "file", "file": str(path), **QUICK})
    missing = state.wait(ERROR, "found none")
    assert str(path) in missing.message
    wave = noise(path, 1.5)  # the node tries again by itself
    heard.wait(lambda messages: sum(len(m.data) for m in messages) >= wave.size - 640 * 5)
    state.wait(OK)
    state.wait(WARN, "has ended")
    assert_contiguous(heard.messages)
    # The first messages may come before discovery has finished.
    first = heard.messages[0].first_sample
    played = np.concatenate([np.asarray(m.data) for m in heard.messages])
    assert np.array_equal(played, wave[first:].reshape(-1))
    wall_s = heard.times_s[-1] - heard.times_s[0]
    sound_s = (stamp_ns(heard.messages[-1]) - stamp_ns(heard.messages[0])) * 1e-9
    assert wall_s == pytest.approx(sound_s, abs=0.1)
    late_s = time.time() - (time.monotonic() - heard.times_s[-1]) - stamp_ns(heard.messages[-1]) * 1e-9
    assert 0 < late_s < 0.25, "the stamp is the time of the first sample"


def test_file_follows_simulated_time_and_its_jumps(ros_domain: Any, tmp_path: Path) -> None:
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    noise(tmp_path / "a.wav", 1.0)
    clock = ros_domain.talk(Clock, "/clock", 10)
    parameters = {"source": "file", "file": str(tmp_path / "a.wav"), "loop": True, "use_sim_time": True, **QUICK}
    ros_domain.start(MODULE, parameters)
    state.wait(ERROR, "the clock has not started")
    ros_domain.wait_for_listener(clock)

    def run(begin_s: float, seconds: float, speed: float = 1.0) -> None:
        for step in range(round(seconds / 0.01)):
            clock.publish(Clock(clock=Time(nanoseconds=round((begin_s + step * 0.01) * 1e9)).to_msg()))
            time.sleep(0.01 / speed)

    run(100.0, 2.5, speed=1.5)
    state.wait(OK)
    assert 100.0 <= stamp_ns(heard.messages[0]) * 1e-9 < 100.5
    assert_contiguous(heard.messages)
    state.wait(ERROR, "the clock stands still")
    heard.clear()
    since = len(state.statuses)
    run(50.0, 3.0)
    state.wait(OK, since=since)
    assert heard.messages[0].first_sample == 0
    assert 50.0 <= stamp_ns(heard.messages[0]) * 1e-9 < 50.1
    assert_contiguous(heard.messages)
    assert state.values["backwards"] == "1"


# Topics: one node, one talker, and what can go wrong between them.


class Talker:
    """Publishes a tone in real time from a thread; its attributes are the faults."""

    rate, channels = 16_000, 1

    def __init__(self, domain: Any) -> None:
        self.publisher = domain.talk(Audio, "audio", 50)
        self.amplitude, self.skip, self.ahead_s, self.nan_frames, self.pause = 0.1, 0, 0.0, 0, False
        self.spoil_next: Callable[[Any], None] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def message(self, first: int, stamp_s: float) -> Any:
        frames = self.rate // 50
        tone = self.amplitude * np.sin(2 * np.pi * 440 / self.rate * (first + np.arange(frames)))
        wave = np.repeat(tone, self.channels).astype(np.float32)
        wave[: self.nan_frames * self.channels] = np.nan
        message = Audio(sample_rate_hz=self.rate, channels=self.channels, first_sample=first)
        message.header.stamp = Time(nanoseconds=round(stamp_s * 1e9)).to_msg()
        message.data = array.array("f", wave.tobytes())
        return message

    def _run(self) -> None:
        begin_s, block = time.time(), 0
        while not self._stop.wait(max(0.0, begin_s + (block + 1) * 0.02 - time.time())):
            if self.skip:
                self.skip -= 1
            elif not self.pause:
                first = block * (self.rate // 50)
                message = self.message(first, begin_s + block * 0.02 + self.ahead_s)
                spoil, self.spoil_next = self.spoil_next, None
                if spoil is not None:
                    spoil(message)
                self.publisher.publish(message)
            block += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Room:
    """A microphone node that listens to a talker."""

    def __init__(self, domain: Any) -> None:
        self.domain = domain
        self.heard, self.state = domain.listen(Audio, "heard/audio"), domain.diagnostics("microphone")
        parameters = {"source": "topic", "silence_after_s": 1.0, **QUICK}
        self.node = domain.start(MODULE, parameters)
        self.state.wait(ERROR, "nobody publishes on '/audio'")
        self.talker = Talker(domain)
        self.domain.wait_for_listener(self.talker.publisher)
        self.ends_healthy()

    def begin(self) -> None:
        """Forget what was."""
        self.heard.clear()
        self.since = len(self.state.statuses)

    def wait(self, level: bytes, text: str = "") -> Any:
        return self.state.wait(level, text, since=self.since)

    def ends_healthy(self) -> None:
        self.state.wait(OK, since=len(self.state.statuses))

    def flows_with_right_stamps(self) -> None:
        """Sound goes on, block after block, each with the time of its first sample."""
        before = len(self.heard.messages)
        messages = self.heard.wait_for(before + 10)[before:]
        assert_contiguous(messages)
        age_s = time.time() - (time.monotonic() - self.heard.times_s[-1]) - stamp_ns(self.heard.messages[-1]) * 1e-9
        assert 0 < age_s < 0.25


@pytest.fixture(scope="module")
def shared_room(shared_ros_domain: Any) -> Iterator[Room]:
    room = Room(shared_ros_domain)
    yield room
    room.talker.stop()


@pytest.fixture
def room(shared_room: Room) -> Iterator[Room]:
    shared_room.begin()
    yield shared_room
    shared_room.ends_healthy()
    shared_room.flows_with_right_stamps()


def test_short_gap_becomes_marked_silence(room: Room) -> None:
    room.talker.skip = 3
    room.wait(WARN, "0.06 s of sound missing")
    assert_contiguous(room.heard.messages)
    lost = [m for m in room.heard.messages if m.lost]
    assert sum(sum(m.lost) for m in lost) == 3 * 320
    assert not np.asarray(lost[0].data).any()


def test_long_gap_is_an_error_and_then_a_restart(room: Room) -> None:
    room.talker.pause = True
    room.wait(ERROR, "no sound for")
    room.talker.pause = False
    room.ends_healthy()
    assert 0 in [m.first_sample for m in room.heard.messages]
    assert not any(m.lost for m in room.heard.messages)
    room.node.wait_for_log("no sound for")


def test_clipping_is_reported(room: Room) -> None:
    room.talker.amplitude = 1.5
    room.wait(WARN, "clipping")
    room.talker.amplitude = 0.1
    assert float(room.state.values["clipped_samples"]) > 0


def test_silence_is_reported(room: Room) -> None:
    room.talker.amplitude = 1e-6
    room.wait(WARN, "silence for over 1 s")
    room.talker.amplitude = 0.1


def test_exact_zeros_are_lost_sound_and_not_a_quiet_room(room: Room) -> None:
    room.talker.amplitude = 0.0
    room.wait(WARN, "silent (exact zeros)")
    room.heard.wait(lambda messages: messages[-1].lost and all(messages[-1].lost))
    zeros = [m for m in room.heard.messages if not np.asarray(m.data).any()]
    quiet_s = sum(len(m.data) for m in zeros if not m.lost) / room.talker.rate
    assert quiet_s == pytest.approx(1.0, abs=0.1), "a second of zeros may be a very quiet room"
    room.talker.amplitude = 0.1
    room.ends_healthy()
    assert not room.heard.messages[-1].lost


def test_numbers_that_are_no_sound_are_refused_and_leave_marked_silence(room: Room) -> None:
    before = float(room.state.values["refused"])
    room.talker.amplitude = 3e38
    time.sleep(0.1)
    room.talker.amplitude = 0.1
    room.wait(WARN, "wanted samples in [-1, 1], got one of 3e+38")
    room.ends_healthy()
    assert float(room.state.values["refused"]) > before
    assert max(np.abs(np.asarray(m.data)).max() for m in room.heard.messages) <= 1.0
    assert any(m.lost for m in room.heard.messages)
    assert_contiguous(room.heard.messages)


def test_nan_becomes_marked_silence(room: Room) -> None:
    room.talker.nan_frames = 7
    room.wait(WARN, "NaN")
    room.talker.nan_frames = 0
    bad = next(m for m in room.heard.messages if m.lost)
    assert list(bad.lost) == [True] * 7 + [False] * 313
    assert np.isfinite(np.asarray(bad.data)).all()


@pytest.mark.parametrize("frames", [1, 320])
def test_one_nan_sample_and_one_message_of_nan_become_marked_silence(room: Room, frames: int) -> None:
    def spoil(message: Any) -> None:
        message.data[:frames] = array.array("f", [np.nan] * frames)

    room.talker.spoil_next = spoil
    room.wait(WARN, f"got {frames} frames with NaN")
    (bad,) = [m for m in room.heard.messages if m.lost]
    assert sum(bad.lost) == frames
    assert np.isfinite(np.asarray(bad.data)).all()
    assert_contiguous(room.heard.messages)


def test_one_message_from_the_future_costs_no_sample(room: Room) -> None:
    lost = float(room.state.values["lost_frames"])

    def spoil(message: Any) -> None:
        message.header.stamp.sec += 3600

    room.talker.spoil_next = spoil
    room.wait(WARN, "3.6e+03 s ahead of this node's clock")
    assert float(room.state.values["lost_frames"]) == lost


def test_messages_that_are_no_sound_are_refused(room: Room) -> None:
    faults: list[Callable[[Any], None]] = [
        lambda m: setattr(m, "data", array.array("f")),
        lambda m: setattr(m, "sample_rate_hz", 0),
        lambda m: setattr(m, "sample_rate_hz", 2**32 - 1),
        lambda m: setattr(m, "channels", 0),
        lambda m: setattr(m, "lost", [True]),
        lambda m: setattr(m, "channels", 3),
    ]
    before = float(room.state.values["refused"])
    for spoil in faults:
        message = room.talker.message(0, time.time())
        spoil(message)
        room.talker.publisher.publish(message)
    wanted = "message on '/audio' from /probe refused: wanted samples in multiples of 3 channels, got 320 (2 too many)"
    room.wait(WARN, wanted)
    assert float(room.state.values["refused"]) == before + len(faults)
    assert_contiguous(room.heard.messages)


def test_rate_and_channels_may_change(room: Room) -> None:
    room.talker.rate, room.talker.channels = 8_000, 2
    room.wait(WARN, "changed from 16000 Hz, channels: 1 to 8000 Hz, channels: 2")
    room.ends_healthy()
    assert (room.heard.messages[-1].sample_rate_hz, room.heard.messages[-1].channels) == (8_000, 2)
    room.talker.rate, room.talker.channels = 16_000, 1


def test_stamps_of_the_future_and_time_that_goes_back(room: Room) -> None:
    room.talker.ahead_s = 5.0
    room.wait(WARN, "ahead of this node's clock")
    room.talker.ahead_s = -3.0
    room.wait(WARN, "time went back by 8 s")
    room.wait(WARN, "behind this node's clock")
    room.talker.ahead_s = 0.0
    room.ends_healthy()
    assert float(room.state.values["future"]) > 0
    assert float(room.state.values["backwards"]) > 0


def test_two_publishers_are_named(room: Room) -> None:
    second = room.domain.talk(Audio, "audio", 50)
    status = room.wait(WARN, "has 2 publishers")
    assert "/probe, /probe" in status.message
    room.domain.probe.destroy_publisher(second)
    room.ends_healthy()
    rival = room.domain.talk(Audio, "heard/audio", 50)
    status = room.wait(WARN, "'/heard/audio' has 2 publishers")
    assert "/microphone" in status.message
    room.domain.probe.destroy_publisher(rival)


def test_ten_publishers_are_told_and_outlived(room: Room) -> None:
    others = [Talker(room.domain) for _ in range(9)]
    try:
        assert "has 10 publishers, wanted one" in room.wait(WARN, "has 10 publishers").message
    finally:
        for other in others:
            other.stop()
            room.domain.probe.destroy_publisher(other.publisher)


def test_flood_is_refused_and_outlived(room: Room) -> None:
    before = float(room.state.values["flooded"])
    begin_s, sent = time.time(), 0
    while time.time() < begin_s + 2.0 or sent <= 1000:  # a hundred times as many as there is time for
        room.talker.publisher.publish(room.talker.message(sent * 320, begin_s + sent * 0.02))
        sent += 1
        time.sleep(max(0.0, begin_s + sent * 2e-4 - time.time()))
    room.wait(WARN, "what is too much is refused")
    room.state.wait_for_value("flooded", lambda count: count > before)


# A real device: ALSA and PortAudio are the real ones, only the hardware is a plugin that can be pulled out.


def test_device_survives_overrun_stall_and_unplugging(ros_domain: Any, virtual_microphone: Any) -> None:
    environment, control = virtual_microphone("survives")
    heard, state = ros_domain.listen(Audio, "heard/audio"), ros_domain.diagnostics("microphone")
    parameters = {"source": "device", "device": "testmic", "sample_rate_hz": 16_000, "channels": 2, **QUICK}
    node = ros_domain.start(MODULE, parameters, environment=environment)
    status = state.wait(ERROR, "No input device matching 'testmic'")
    assert "Inputs here:" in status.message
    assert "plugged in" in status.message
    control.write_text("-")
    heard.wait_for(60)
    state.wait(OK)
    messages = heard.messages[:60]
    assert_contiguous(messages)
    wave = np.concatenate([np.asarray(m.data)[::2] for m in messages])
    assert abs(wave).max() == pytest.approx(10_000 / 32_768, rel=0.01)
    assert abs(np.argmax(np.abs(np.fft.rfft(wave))) * 16_000 / wave.size - 440) < 2
    delay_s = [
        time.time() - (time.monotonic() - arrived_s) - stamp_ns(m) * 1e-9
        for m, arrived_s in zip(messages, heard.times_s, strict=False)
    ]
    assert min(delay_s) >= 0.02, "a block cannot arrive before its last sample was captured"
    assert np.median(delay_s) < 0.12

    since = len(state.statuses)
    for count in (1, 2):
        control.write_text("x")
        state.wait_for_value("overruns", lambda overruns, count=count: overruns == count)
    state.wait(WARN, "overrun", since=since)
    state.wait(OK, since=len(state.statuses))
    assert 0.01 < float(state.values["lost_frames"]) / 16_000 < 0.1, "5 ms each, and what had not yet been read"

    since = len(state.statuses)
    control.write_text("s")
    state.wait(ERROR, "no sound", since=since)
    control.write_text("-")
    state.wait(OK, since=len(state.statuses))

    since = len(state.statuses)
    control.unlink()
    state.wait(ERROR, "no sound", since=since)
    state.wait(ERROR, "trying again every 0.5 s", since=since)
    heard.clear()
    control.write_text("-")
    state.wait(OK, since=len(state.statuses))
    assert heard.messages[0].first_sample == 0
    assert_contiguous(heard.messages)
    assert node.stop() == 0


@pytest.mark.parametrize(
    ("fake", "cure"),
    [
        ("raise OSError('PortAudio library not found')", "libportaudio2"),
        ("raise ImportError", "pip install sounddevice"),
    ],
)
def test_missing_library_is_named_with_its_cure(ros_domain: Any, tmp_path: Path, fake: str, cure: str) -> None:
    (tmp_path / "sounddevice.py").write_text(fake)
    state = ros_domain.diagnostics("microphone")
    node = ros_domain.start(
        MODULE, QUICK, environment={"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    )
    state.wait(ERROR, cure)
    (tmp_path / "sounddevice.py").unlink()  # now another reason takes over: it is still trying
    state.wait(ERROR, "input device")
    assert node.is_running


def test_wrong_parameters_are_named(ros_domain: Any) -> None:
    node = ros_domain.start(MODULE, {"source": "topic", "topic": "heard/audio"})
    state = ros_domain.diagnostics("microphone")
    state.wait(ERROR, "wants a topic of others, got its own")
    assert node.is_running
    wrong = ros_domain.start(MODULE, {"block_s": 7.0}, remap={"__node": "wrong"})
    wrong.wait_for_log("'block_s' wants float 0.002 to 0.5")
    assert wrong.process.wait(5.0) != 0
