"""Stamps: from a device's clock to the node's, and what is lost between them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap
from hearing_hands_ros.sound.capture.families import DECODERS, DescribedBytes
from hearing_hands_ros.sound.capture.lower_envelope import LowerEnvelope
from hearing_hands_ros.sound.capture.monitor import Level, Limits, StreamMonitor
from hearing_hands_ros.sound.capture.portaudio_process import RECORD, Joiner

T0 = 1_700_000_000_000_000_000
STEP_S = 0.02
RATE, FRAMES = 16_000, 320


def track(clocks: ClockMap, node_s: np.ndarray, late_s: np.ndarray) -> np.ndarray:
    """Error of each stamp, s, when the node's clock is read every 20 ms of the stream, and late."""
    error_s = np.empty(node_s.size)
    for i, true_s in enumerate(node_s):
        true_ns = T0 + round(true_s * 1e9)
        clocks.update(i * STEP_S, true_ns + round(late_s[i] * 1e9))
        error_s[i] = (clocks.to_ns(i * STEP_S) - true_ns) * 1e-9
    return error_s


def p95_ms(error_s: np.ndarray) -> float:
    return float(np.quantile(np.abs(error_s), 0.95)) * 1e3


T = np.arange(0.0, 40.0, STEP_S)
LATE = np.random.default_rng(0).uniform(0.0, 0.03, T.size)


@pytest.mark.parametrize("ppm", [-200, 50, 200])
def test_drift_is_followed_and_told_under_scheduling_jitter(ppm: float) -> None:
    clocks = ClockMap()
    assert p95_ms(track(clocks, T * (1 + ppm * 1e-6), LATE)[500:]) < 1.0
    assert clocks.drift_ppm == pytest.approx(ppm, abs=15)
    assert clocks.offset_s == pytest.approx(T0 * 1e-9, abs=0.01)
    assert clocks.lateness_s(0.95) == pytest.approx(0.0285, abs=0.002)


@pytest.mark.parametrize("step_s", [0.05, 0.5, 100.0, -0.5, -100.0])
def test_step_of_a_clock_is_followed_within_a_second_and_keeps_the_drift(step_s: float) -> None:
    clocks = ClockMap()
    error_s = track(clocks, T * (1 + 1e-4) + step_s * (T >= 30.0), LATE)
    settled = 1550 if step_s > 0 else 1525
    assert p95_ms(error_s[settled : settled + 100]) < 1.5
    assert clocks.drift_ppm == pytest.approx(100, abs=30)


def test_being_held_up_is_no_step() -> None:
    late_s = LATE + 0.3 * ((T >= 30.0) & (T < 30.8))
    assert np.abs(track(ClockMap(), T, late_s)[1500:]).max() < 1e-3


@pytest.mark.parametrize("speed", [10.0, 0.5])
def test_simulated_time_may_run_at_another_speed(speed: float) -> None:
    clocks = ClockMap(10.0, 0.1, 0.5)
    assert p95_ms(track(clocks, speed * T, speed * LATE / 10)[500:]) < 1.0
    assert clocks.speed == pytest.approx(speed, rel=1e-3)


def test_simulated_time_may_tick_pause_and_change_its_speed() -> None:
    # 1x until 10 s, then it stands until 15 s, then it runs at 10x until 20 s, then at 0.5x.
    node_s = np.interp(T, [0.0, 10.0, 15.0, 20.0, 40.0], [0.0, 10.0, 10.0, 60.0, 70.0])
    ticking_s = np.floor(node_s / 0.011) * 0.011
    error_s = track(ClockMap(10.0, 0.1, 0.5), ticking_s, np.zeros(T.size))
    for begin_s, end_s in ((5.0, 10.0), (11.5, 15.0), (16.5, 20.0), (22.0, 40.0)):
        part = error_s[round(begin_s / STEP_S) : round(end_s / STEP_S)]
        assert np.abs(part).max() < 0.0225, (begin_s, end_s)


def test_stream_that_begins_again_keeps_the_drift_but_no_reading() -> None:
    clocks = ClockMap()
    track(clocks, T * (1 + 1e-4), LATE)
    clocks.update(0.0, T0)
    assert clocks.to_ns(1.0) - T0 == pytest.approx(1_000_100_000, abs=20_000)
    clocks.reset()
    assert np.isnan(clocks.drift_ppm)
    with pytest.raises(ValueError, match="wanted at least one update, got none"):
        clocks.to_ns(0.0)


def test_corrections_are_made_little_by_little() -> None:
    clocks = ClockMap()
    stamps = []
    for i, late_ns in enumerate([28_000_000, 0, *[5_000_000] * 50]):
        clocks.update(i * STEP_S, T0 + i * 20_000_000 + late_ns)
        stamps.append(clocks.to_ns(i * STEP_S))
    assert np.abs(np.diff(stamps) - 20_000_000).max() <= 1_000_001
    assert stamps[-1] == T0 + 51 * 20_000_000


def test_no_point_lies_under_the_line() -> None:
    rng = np.random.default_rng(2)
    envelope, points = LowerEnvelope(10.0), []
    for x in np.cumsum(rng.uniform(0.0, 0.05, 1000)):
        y = 0.3 * x + rng.exponential(1.0)
        envelope.add(x, y)
        points.append((x, y))
    kept = [(x, y) for x, y in points if x >= points[-1][0] - envelope.span]
    slope = envelope.slope()
    low = envelope.lowest(slope)
    above = np.array([y - low - slope * x for x, y in kept])
    assert above.min() == pytest.approx(0.0, abs=1e-9)
    assert np.count_nonzero(above < 1e-9) == 2
    assert slope == pytest.approx(0.3, abs=0.02)
    assert envelope.mean() == pytest.approx(np.mean(kept, axis=0))


# Streams.


def wave(index: int) -> np.ndarray:
    return np.random.default_rng(index).uniform(-0.3, 0.3, FRAMES).astype(np.float32)


def test_jump_of_the_senders_clock_is_told_and_costs_no_sample() -> None:
    monitor = StreamMonitor(Limits(), 0.0)
    for i in range(60):
        ahead_ns = 50_000_000 * (i >= 10)
        block = Block(wave(i), RATE, 1, T0 + i * 20_000_000 + ahead_ns, i * FRAMES)
        (heard,) = monitor.hear(block, T0 + i * 20_000_000, i * STEP_S)
        assert heard.first_frame == (i - 10 if i >= 10 else i) * FRAMES
        if i == 10:
            assert monitor.health(0.2).faults == ("clock jump",)
    assert (monitor.counts.clock_jumps, monitor.counts.lost_frames, monitor.counts.gaps) == (1, 0, 0)


@pytest.mark.parametrize("stamped", [True, False])
def test_drift_of_a_topic_is_told(stamped: bool) -> None:
    monitor = StreamMonitor(Limits(), 0.0)
    late_s = np.random.default_rng(0).exponential(0.003, 1500)
    for i in range(1500):
        stamp_ns = T0 + round(i * STEP_S * (1 + 8e-5) * 1e9)
        block = Block(wave(0), RATE, 1, stamp_ns if stamped else None, i * FRAMES if stamped else None)
        monitor.hear(block, stamp_ns + 20_000_000 + round(late_s[i] * 1e9), i * STEP_S)
    assert monitor.clock.drift_ppm == pytest.approx(80, abs=10)
    assert monitor.clock.lateness_s(0.95) == pytest.approx(0.0 if stamped else 0.009, abs=0.002)
    assert monitor.counts.restarts == monitor.counts.gaps == 0


def message(kind: str, index: int) -> Any:
    """Message number `index` of a stream, of a type that has a stamp."""
    sec, nanosec = divmod(T0 + index * 20_000_000, 1_000_000_000)
    stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
    header = SimpleNamespace(stamp=stamp, frame_id="")
    raw = (wave(index) * 32768).astype("<i2")
    if kind == "hearing_hands_ros/msg/Audio":
        return SimpleNamespace(
            header=header, data=wave(index), sample_rate_hz=RATE, channels=1, first_sample=index * FRAMES, lost=[]
        )
    if kind == "audio_common_msgs/msg/AudioStamped":
        info = SimpleNamespace(format=8, rate=RATE, channels=1)
        audio = SimpleNamespace(audio_data=SimpleNamespace(int16_data=raw), info=info)
        return SimpleNamespace(header=header, audio=audio)
    if kind == "foxglove_msgs/msg/RawAudio":
        return SimpleNamespace(
            timestamp=stamp, format="pcm-s16", data=raw.tobytes(), sample_rate=RATE, number_of_channels=1
        )
    if kind == "audio_utils_msgs/msg/AudioFrame":
        return SimpleNamespace(
            header=header,
            format="signed_16",
            data=raw.tobytes(),
            sampling_frequency=RATE,
            channel_count=1,
            frame_sample_count=FRAMES,
        )
    if kind == "audio_common_msgs/msg/AudioDataStamped":
        return SimpleNamespace(header=header, audio=SimpleNamespace(data=raw.tobytes()))
    return SimpleNamespace(data=raw.tobytes())


@pytest.mark.parametrize(
    "kind", [*DECODERS, "audio_common_msgs/msg/AudioDataStamped", "audio_common_msgs/msg/AudioData"]
)
def test_lost_messages_of_every_family_are_counted_and_filled(kind: str) -> None:
    decode = DECODERS.get(kind) or DescribedBytes(RATE, 1)
    monitor = StreamMonitor(Limits(), 0.0)
    late_s = np.random.default_rng(3).exponential(0.0005, 400)
    heard: list[Block] = []
    for i in range(400):
        if i not in (200, 201, 202):
            now_ns = T0 + (i + 1) * 20_000_000 + round(late_s[i] * 1e9)
            heard += monitor.hear(decode(message(kind, i)), now_ns, i * STEP_S)
    filled = [block for block in heard if block.lost is not None]
    stampless = kind.endswith("/AudioData")  # there the arrival tells, to its jitter
    assert monitor.counts.gaps == len(filled) == 1
    assert filled[0].frames == pytest.approx(3 * FRAMES, abs=8 if stampless else 0)
    assert monitor.counts.lost_frames == filled[0].frames
    assert abs(heard[-1].stamp_ns - T0 - 399 * 20_000_000) < 1_000_000
    assert heard[-1].first_frame == pytest.approx(399 * FRAMES, abs=8 if stampless else 0)


def test_flood_is_refused_and_passes_while_a_recording_may_be_fast() -> None:
    monitor = StreamMonitor(Limits(warn_hold_s=0.5), 0.0)
    for i in range(2000):  # 40 s of sound in 0.4 s
        monitor.hear(Block(wave(0), RATE, 1, T0 + i * 20_000_000, i * FRAMES), T0 + i * 200_000, i * 0.0002)
    assert "flood" in monitor.health(0.4).faults
    assert monitor.counts.frames / RATE < 7.0
    for i in range(100):
        now_ns = T0 + 400_000_000 + (i + 1) * 20_000_000
        monitor.hear(Block(wave(i), RATE, 1, now_ns - 20_000_000), now_ns, 0.4 + i * STEP_S)
    assert monitor.health(2.4).level == Level.OK
    fast = StreamMonitor(Limits(), 0.0)
    for i in range(2000):  # simulated time at ten times the speed
        fast.hear(Block(wave(0), RATE, 1, T0 + i * 20_000_000, i * FRAMES), T0 + (i + 1) * 20_000_000, i * 0.002)
    assert fast.counts.flooded == fast.counts.lost_frames == 0


def test_blocks_of_a_device_never_go_on_over_lost_sound() -> None:
    written: list[bytes] = []
    joiner = Joiner(8, written.append)
    when = SimpleNamespace(currentTime=2.0, inputBufferAdcTime=1.0)
    for value, overflow in ((1, False), (2, False), (3, True), (4, False), (5, False)):
        data = np.full(3, value, np.float32)
        joiner.heard(data, 3, when, SimpleNamespace(input_overflow=overflow))
    blocks = [(RECORD.unpack_from(b)[3], np.frombuffer(b[RECORD.size :], np.float32).tolist()) for b in written]
    assert blocks == [(0, [1, 1, 1, 2, 2, 2]), (1, [3, 3, 3, 4, 4, 4, 5, 5, 5])]
