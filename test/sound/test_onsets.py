from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sound.onsets import OnsetConfig, OnsetDetector, find_onsets
from hearing_hands_ros.train.anomalies.bank_touches import in_room

DEMO = Path(__file__).parents[2] / "demo"


def room(seconds, seed=0, level=1e-3):
    noise = lfilter([0.3], [1, -0.7], np.random.default_rng(seed).normal(0, 1, int(seconds * 16000)))
    return (level * noise / noise.std()).astype(np.float32)


@pytest.fixture(scope="module")
def held_out():
    return ExampleBank.load(DEMO / "held_out")


def test_touches_are_found_within_five_milliseconds(held_out):
    errors = []
    for i, exemplar in enumerate(held_out.exemplars):
        onsets = find_onsets(in_room(exemplar, 0.4, 30.0, np.random.default_rng(i)))
        near = [t - 0.4 for t in onsets if abs(t - 0.4) < 0.05]
        assert onsets, exemplar.file
        errors += [min(near, key=abs)] if near else []
    assert len(errors) >= 0.95 * len(held_out.exemplars)
    assert np.mean(np.abs(errors) <= 0.005) >= 0.85
    assert abs(np.median(errors)) <= 0.001


@pytest.mark.parametrize("material", ["snow", "grass", "sand"])
def test_soft_touches_are_heard_over_room_noise(held_out, material):
    for i, exemplar in enumerate(e for e in held_out.exemplars if e.material == material):
        assert find_onsets(in_room(exemplar, 0.4, 30.0, np.random.default_rng(i))), exemplar.file


def test_noise_alone_never_fires():
    for level in (1e-5, 1e-3, 0.1):
        assert find_onsets(room(30, level=level)) == []


def test_digital_silence_never_fires():
    assert find_onsets(np.zeros(32000, np.float32)) == []


def test_ringing_tail_fires_once():
    wave = room(2.0)
    t = np.arange(16000) / 16000
    wave[8000:24000] += (0.3 * np.exp(-t / 0.15) * (np.sin(2 * np.pi * 900 * t) + np.sin(2 * np.pi * 2300 * t))).astype(
        np.float32
    )
    assert len(find_onsets(wave)) == 1


def test_two_touches_a_fifth_of_a_second_apart_are_two(held_out):
    tap = next(e for e in held_out.exemplars if e.material == "wood" and e.tool == "hammer")
    wave = room(1.5)
    for at in (8000, 11200):
        wave[at : at + 3000] += 0.1 * tap.wave[:3000]
    onsets = find_onsets(wave)
    assert len(onsets) == 2
    assert onsets[1] - onsets[0] == pytest.approx(0.2, abs=0.003)


@given(st.lists(st.integers(min_value=0, max_value=3000), min_size=1, max_size=30), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_any_chunking_gives_the_same_onsets(sizes, seed):
    generator = np.random.default_rng(seed)
    wave = room(2.0, seed)
    for at in (6000, 14000, 25000):
        wave[at : at + 800] += (0.2 * generator.normal(0, 1, 800) * np.exp(-np.arange(800) / 200)).astype(np.float32)
    whole = OnsetDetector().push(wave)
    assert len(whole) == 3
    detector, parts, at = OnsetDetector(), [], 0
    for size in [*sizes, wave.size]:
        parts += detector.push(wave[at : at + size])
        at += size
    assert parts == whole


def test_onsets_are_reported_within_the_stated_delay():
    detector, wave = OnsetDetector(), room(1.0)
    wave[8000:] += 0.2 * np.random.default_rng(1).normal(0, 1, 8000).astype(np.float32)
    for at in range(0, wave.size, 16):
        onsets = detector.push(wave[at : at + 16])
        if onsets:
            assert onsets[0] == pytest.approx(0.5, abs=0.002)
            assert (at + 16) / 16000 - onsets[0] <= detector.delay_s
            return
    pytest.fail("no onset")


def test_bad_samples_are_refused_and_nothing_is_taken():
    detector = OnsetDetector()
    detector.push(room(0.5))
    with pytest.raises(ValueError, match="finite"):
        detector.push(np.array([0.0, np.nan], np.float32))
    with pytest.raises(ValueError, match="shape"):
        detector.push(np.zeros((2, 2), np.float32))
    wave = room(0.5, seed=1)
    wave[4000:4800] += 0.2
    clean = OnsetDetector()
    clean.push(room(0.5))
    assert detector.push(wave) == clean.push(wave)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hop", 0),
        ("edges_hz", (0.0,)),
        ("edges_hz", (0.0, 9000.0)),
        ("rise_db", -1.0),
        ("warm_up_s", 0.0),
        ("dead_time_s", -1.0),
    ],
)
def test_impossible_setting_is_refused(field, value):
    with pytest.raises(ValueError, match=field.split("_")[0]):
        OnsetConfig(**{field: value})
