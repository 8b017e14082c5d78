"""The stream monitor and what it is made of."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from hearing_hands_ros.sound.capture import families, pcm
from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap
from hearing_hands_ros.sound.capture.level import LevelMeter, dbfs
from hearing_hands_ros.sound.capture.monitor import Level, Limits, StreamMonitor
from hearing_hands_ros.sound.capture.sound_file import FileSource

RATE, FRAMES, STEP_NS = 16_000, 320, 20_000_000
T0 = 1_700_000_000_000_000_000


def block(index: int, *, data: Any = None, **changes: Any) -> Block:
    """Block number `index` of a noisy stream with stamps and counts."""
    wave = np.random.default_rng(index).uniform(-0.3, 0.3, FRAMES).astype(np.float32) if data is None else data
    values = {"stamp_ns": T0 + index * STEP_NS, "first_frame": index * FRAMES, **changes}
    return Block(wave, values.pop("rate", RATE), values.pop("channels", 1), **values)


def hear(monitor: StreamMonitor, index: int, heard: Block | None = None) -> list[Block]:
    """Let a block arrive on time."""
    return monitor.hear(heard or block(index), T0 + (index + 1) * STEP_NS, index * 0.02)


@pytest.fixture
def monitor() -> StreamMonitor:
    monitor = StreamMonitor(Limits(silence_after_s=0.1, warn_hold_s=0.5), 0.0)
    for index in range(5):
        hear(monitor, index)
    assert monitor.health(0.1).level == Level.OK
    return monitor


def heals(monitor: StreamMonitor, index: int) -> None:
    for later in range(index, index + 50):
        hear(monitor, later)
    assert monitor.health((index + 50) * 0.02).level == Level.OK


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("missing", [1, 3, 49])
def test_gap_is_filled_with_marked_silence(monitor: StreamMonitor, missing: int, counted: bool) -> None:
    late = block(5 + missing) if counted else block(5 + missing, first_frame=None)
    fill, after = hear(monitor, 5 + missing, late)
    assert (fill.first_frame, fill.stamp_ns, fill.frames) == (5 * FRAMES, T0 + 5 * STEP_NS, missing * FRAMES)
    assert fill.lost is not None
    assert fill.lost.all()
    assert not fill.data.any()
    assert after.first_frame == (5 + missing) * FRAMES
    assert (monitor.counts.gaps, monitor.counts.lost_frames) == (1, missing * FRAMES)
    assert "gap" in monitor.health(0.2 + missing * 0.02).faults
    heals(monitor, 6 + missing)


def test_count_says_exactly_how_much_is_missing(monitor: StreamMonitor) -> None:
    fill, _ = hear(monitor, 6, block(6, first_frame=6 * FRAMES - 7, stamp_ns=T0 + 6 * STEP_NS + 2_000_000))
    assert fill.frames == FRAMES - 7


def test_jitter_is_no_gap(monitor: StreamMonitor) -> None:
    for index, jitter_ms in enumerate([4, -4, 4, -4], 5):
        assert len(hear(monitor, index, block(index, stamp_ns=T0 + index * STEP_NS + jitter_ms * 1_000_000))) == 1
    assert monitor.counts.gaps == monitor.counts.restarts == 0


def test_long_gap_and_overlap_are_restarts(monitor: StreamMonitor) -> None:
    (after,) = hear(monitor, 5 + 60, block(5 + 60))
    assert after.first_frame == 0
    (again,) = hear(monitor, 5 + 60, block(5 + 60))
    assert again.first_frame == 0
    assert (monitor.counts.gaps, monitor.counts.restarts, monitor.counts.backwards) == (1, 2, 1)
    heals(monitor, 66)


def test_no_data_is_never_ok() -> None:
    monitor = StreamMonitor(Limits(), 0.0)
    assert monitor.health(0.5).level == Level.WARN
    assert monitor.health(1.5, "why").level == Level.ERROR
    assert "why" in monitor.health(1.5, "why").text
    hear(monitor, 100)
    assert monitor.health(2.1).level == Level.OK
    assert monitor.health(3.1).level == Level.ERROR
    assert monitor.health(3.1, ended=True).level == Level.WARN


def test_fully_lost_sound_is_not_ok(monitor: StreamMonitor) -> None:
    hear(monitor, 5, block(5, data=np.zeros(FRAMES, np.float32), lost=np.ones(FRAMES, bool)))
    assert monitor.health(0.12).faults == ("lost",)
    assert monitor.counts.lost_frames == FRAMES


def test_nan_clipping_future_overrun_and_format(monitor: StreamMonitor) -> None:
    spoiled = block(5).data.copy()
    spoiled[10:13] = [np.nan, np.inf, -np.inf]
    (clean,) = hear(monitor, 5, block(5, data=spoiled))
    assert clean.lost is not None
    assert list(np.flatnonzero(clean.lost)) == [10, 11, 12]
    assert not clean.data[10:13].any()
    assert np.isnan(spoiled[10]), "the source's own array is left alone"
    loud = block(6).data.copy()
    loud[:4] = [1.0, -1.0, 0.9995, 0.99]
    hear(monitor, 6, block(6, data=loud))
    assert monitor.counts.clipped_samples == 3
    hear(monitor, 7, block(7, overrun=True))
    hear(monitor, 8, block(8, rate=8_000, stamp_ns=T0 + 8 * STEP_NS + 3_000_000_000))
    assert set(monitor.health(0.2).faults) == {"nan", "clipping", "overrun", "future", "format"}
    assert (monitor.counts.overruns, monitor.counts.format_changes, monitor.counts.future) == (1, 1, 1)
    heals(monitor, 300)


def test_garbage_is_refused_and_becomes_a_gap(monitor: StreamMonitor) -> None:
    garbage = np.full(FRAMES, 0.1, np.float32)
    garbage[7] = -101.0
    assert hear(monitor, 5, block(5, data=garbage)) == []
    health = monitor.health(0.1)
    assert (health.level, health.faults) == (Level.WARN, ("refused",))
    assert "got one of 101" in health.text
    assert monitor.counts.refused == 1
    fill, _ = hear(monitor, 6)
    assert fill.lost is not None
    assert fill.lost.all()
    heals(monitor, 7)


def test_exact_zeros_for_longer_than_a_second_are_lost(monitor: StreamMonitor) -> None:
    zeros = np.zeros(FRAMES, np.float32)
    heard = [hear(monitor, index, block(index, data=zeros))[-1] for index in range(5, 105)]
    assert [b.lost is not None and bool(b.lost.all()) for b in heard] == [False] * 50 + [True] * 50
    health = monitor.health(2.1)
    assert health.level == Level.WARN
    assert "silent (exact zeros)" in health.text
    assert monitor.counts.lost_frames == 50 * FRAMES
    heals(monitor, 105)


def test_silence_and_a_dead_channel() -> None:
    monitor = StreamMonitor(Limits(silence_after_s=0.1), 0.0)
    wave = np.random.default_rng(0).uniform(-0.3, 0.3, (FRAMES, 2)).astype(np.float32)
    wave[:, 1] = 0.25
    for index in range(10):
        hear(monitor, index, block(index, data=wave.reshape(-1), channels=2))
    assert "on channel 1 " in monitor.health(0.2).text
    for index in range(10, 20):
        hear(monitor, index, block(index, data=np.full(2 * FRAMES, 0.25, np.float32), channels=2))
    assert "flat line" in monitor.health(0.4).text


def test_stampless_sound_gets_arrival_less_duration_without_jitter() -> None:
    monitor = StreamMonitor(Limits(), 0.0)
    late_ms = np.random.default_rng(0).exponential(5.0, 300)
    stamps = []
    for index in range(300):
        now_ns = T0 + (index + 1) * STEP_NS + round(late_ms[index] * 1e6)
        heard = monitor.hear(block(index, stamp_ns=None, first_frame=None), now_ns, index * 0.02)
        stamps.append(heard[-1].stamp_ns)
    error_ms = (np.array(stamps) - T0 - np.arange(300) * STEP_NS) * 1e-6
    assert monitor.counts.gaps == monitor.counts.restarts == 0
    assert np.abs(error_ms[100:]).max() < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(4, np.float32), 0, 1), "wanted a sample rate above 0, up to 384000 Hz, got 0"),
        ((np.zeros(4, np.float32), 8000, 0), "wanted 1 to 256 channels, got 0"),
        ((np.zeros(4, np.float32), 2**32 - 1, 1), "up to 384000 Hz, got 4294967295"),
        ((np.zeros(0, np.float32), 8000, 1), "wanted at least one sample, got none"),
        ((np.zeros(4, np.float32), 8000, 3), r"multiples of 3 channels, got 4 \(1 too many\)"),
        ((np.zeros(4, np.float32), 8000, 1, 0, 0, np.ones(3, bool)), r"a frame \(4\) or none, got 3"),
    ],
)
def test_block_that_is_no_sound_says_why(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Block(*arguments)


def test_clock_map_ignores_late_readings_and_follows_a_set_clock() -> None:
    clocks, late = ClockMap(), np.random.default_rng(1).exponential(0.01, 1000)
    late[::50] = 0.0
    for i in range(1000):
        clocks.update(i * 0.02, T0 + i * 20_000_000 + round(late[i] * 1e9))
    assert abs(clocks.to_ns(20.0) - T0 - 20_000_000_000) < 1_000_000
    clocks.update(20.0, T0)  # set back by 20 s: at once
    assert clocks.to_ns(20.0) == T0
    for i in range(200):  # set ahead: when no late reading can be the reason any more
        clocks.update(20.02 + i * 0.02, T0 + 100_000_000_000 + i * 20_000_000)
    assert abs(clocks.to_ns(20.02) - T0 - 100_000_000_000) < 1_000_000


@pytest.mark.parametrize("name", pcm.FORMATS)
def test_pcm_formats_keep_full_scale_and_zero(name: str) -> None:
    width, _ = pcm.FORMATS[name]
    if name in ("float", "double"):
        raw = np.array([0.0, 0.5, -1.0], "<f4" if name == "float" else "<f8").view(np.uint8)
    else:
        bits = int(name.rsplit("_", 1)[1])
        offset = 0 if name.startswith("signed") else 1 << (bits - 1)
        numbers = [offset, (1 << (bits - 2)) + offset, -(1 << (bits - 1)) + offset]
        raw = np.frombuffer(b"".join((n % (1 << bits)).to_bytes(width, "little") for n in numbers), np.uint8)
    assert pcm.decode(raw, name).tolist() == [0.0, 0.5, -1.0]
    if width > 1:
        with pytest.raises(ValueError, match=f"multiples of {width}"):
            pcm.decode(raw[:-1], name)


def test_pcm_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'opus'"):
        pcm.decode(np.zeros(4, np.uint8), "opus")


def test_portaudio_family_takes_all_its_formats() -> None:
    arrays = {1: ("float32_data", [0.5], "f4"), 2: ("int32_data", [1 << 30], "i4"), 4: ("int24_data", [1 << 22], "i4")}
    arrays |= {8: ("int16_data", [1 << 14], "i2"), 16: ("int8_data", [64], "i1"), 32: ("uint8_data", [192], "u1")}
    stamp = SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=5), frame_id="ear")
    for number, (name, values, dtype) in arrays.items():
        info = SimpleNamespace(format=number, rate=8000, channels=1)
        data = SimpleNamespace(**{name: np.array(values, dtype)})
        heard = families.portaudio(SimpleNamespace(header=stamp, audio=SimpleNamespace(audio_data=data, info=info)))
        assert (heard.data.tolist(), heard.stamp_ns, heard.frame_id) == ([0.5], 1_000_000_005, "ear")
    info.format = 64
    with pytest.raises(ValueError, match="got 64"):
        families.portaudio(SimpleNamespace(header=stamp, audio=SimpleNamespace(audio_data=data, info=info)))


def test_level_of_quiet_sound_next_to_a_large_constant() -> None:
    meter = LevelMeter(1, RATE, 0.999, -90.0)
    tone = (0.9 + 1e-4 * np.sin(np.arange(FRAMES))).astype(np.float32)
    assert meter.measure(tone) == 0
    assert dbfs(float(meter.rms[0])) == pytest.approx(-83.0, abs=0.5)


def test_file_skips_what_a_clock_jump_skips(tmp_path: Path) -> None:
    wave = np.arange(RATE * 4, dtype=np.float32) / (RATE * 4)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    source = FileSource(str(tmp_path / "a.wav"), 0.02, loop=False)
    source.open()
    assert source.read(0) == []
    assert source.read(T0) == []
    first = source.read(T0 + 50_000_000)
    assert [(b.first_frame, b.stamp_ns) for b in first] == [(0, T0), (FRAMES, T0 + STEP_NS)]
    later = source.read(T0 + 3_000_000_000) + source.read(T0 + 3_020_000_000)
    assert [b.first_frame for b in later] == [3 * RATE]
    assert later[0].data[0] == pytest.approx(0.75)
    rest = source.read(T0 + 3_900_000_000) + source.read(T0 + 4_000_000_000)
    assert sum(b.frames for b in rest) == RATE - FRAMES
    assert source.ended
    assert source.read(T0)[:1] == []
    assert not source.ended
    source.close()
    source.close()


def test_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    for name, reason in (("a.wav", "wants a sound file, got"), ("b.wav", "found none at")):
        with pytest.raises(OSError, match=reason):
            FileSource(str(tmp_path / name), 0.02, loop=False).open()
