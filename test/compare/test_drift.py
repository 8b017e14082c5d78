import math

import numpy as np
import pytest

from hearing_hands_ros.compare.drift import (
    EDGES_HZ,
    DriftLimits,
    DriftReference,
    DriftWatch,
    TouchLevels,
    noise_floor_db,
)

OCTAVES = len(EDGES_HZ) - 1


def touch(generator, gain_db=0.0, lag_s=0.0, noise_db=0.0):
    return TouchLevels(
        -12.0 + gain_db + generator.normal(0, 2),
        0.02 + lag_s + generator.normal(0, 0.002),
        tuple(-60.0 + noise_db + generator.normal(0, 2, OCTAVES)),
    )


def watch(generator, **settings):
    return DriftWatch(DriftReference.of([touch(generator) for _ in range(100)]), **settings)


def test_nothing_is_reported_while_nothing_drifts():
    generator = np.random.default_rng(0)
    watched = watch(generator)
    for _ in range(2000):
        watched.update(touch(generator))
        assert watched.report() == []
    assert abs(watched.values["microphone gain (dB)"]) < 2.0


@pytest.mark.parametrize(
    ("drift", "what", "by"),
    [
        ({"gain_db": -6.0}, "microphone gain: wanted -1", -6.0),
        ({"gain_db": 5.0}, "microphone gain: wanted -1", 5.0),
        ({"lag_s": 0.012}, "microphone lag: wanted ", 12.0),
    ],
)
def test_a_drift_is_reported_with_what_was_wanted_and_got(drift, what, by):
    generator = np.random.default_rng(1)
    watched = watch(generator)
    for _ in range(25):
        watched.update(touch(generator, **drift))
    (text,) = watched.report()
    assert text.startswith(what)
    assert "as at the calibration, got" in text
    name = text.split(":")[0]
    assert next(v for k, v in watched.values.items() if k.startswith(name)) == pytest.approx(by, abs=1.5)


def test_noise_in_every_octave_is_reported():
    generator = np.random.default_rng(2)
    watched = watch(generator)
    for _ in range(25):
        watched.update(touch(generator, noise_db=9.0))
    assert len(watched.report()) == OCTAVES
    assert "noise at 125 to 250 Hz" in watched.report()[0]


def test_odd_touches_are_no_drift():
    generator = np.random.default_rng(3)
    watched = watch(generator)
    for number in range(200):
        watched.update(touch(generator, gain_db=-40.0 if number % 5 == 0 else 0.0))
    assert watched.report() == []


def test_few_touches_and_missing_values_say_nothing():
    generator = np.random.default_rng(4)
    watched = watch(generator)
    for _ in range(9):
        watched.update(touch(generator, gain_db=-30.0))
    for _ in range(50):
        watched.update(TouchLevels())
    assert watched.report() == []
    assert math.isnan(watched.values["microphone gain (dB)"])
    watched.update(touch(generator, gain_db=-30.0))
    assert len(watched.report()) == 1
    watched.reset()
    assert watched.report() == []


def test_what_had_no_reference_is_not_reported():
    generator = np.random.default_rng(5)
    watched = DriftWatch(DriftReference.of([TouchLevels(gain_db=0.0)] * 9))
    for _ in range(30):
        watched.update(touch(generator))
    assert watched.report() == []


def test_limit_follows_touches_that_scatter():
    generator = np.random.default_rng(6)
    wild = [TouchLevels(gain_db=generator.normal(0, 20)) for _ in range(100)]
    watched = DriftWatch(DriftReference.of(wild))
    for _ in range(500):
        watched.update(TouchLevels(gain_db=generator.normal(0, 20)))
        assert watched.report() == []
    steady = DriftWatch(DriftReference.of([TouchLevels(gain_db=0.0)] * 20), DriftLimits(gain_db=0.5))
    for _ in range(20):
        steady.update(TouchLevels(gain_db=0.6))
    assert steady.report() == ["microphone gain: wanted 0.0 dB +- 0.5 as at the calibration, got 0.6 (+0.6)"]


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="gain_db wanted a finite number over 0, got 0"):
        DriftLimits(gain_db=0.0)
    with pytest.raises(ValueError, match="touches wanted at least 10, got 3"):
        DriftWatch(DriftReference.of([]), touches=3)
    with pytest.raises(ValueError, match="noise_db wanted 6 octaves, got 1"):
        TouchLevels(noise_db=(0.0,))


def test_noise_floor_of_known_noise():
    generator = np.random.default_rng(7)
    white = 0.01 * generator.normal(size=48_000)
    levels = noise_floor_db(white.astype(np.float32), 48_000)
    # An octave from f to 2f holds f of the 24 kHz that 1e-4 are spread over.
    wanted = [10 * math.log10(1e-4 * low / 24_000) for low in EDGES_HZ[:-1]]
    assert (np.abs(np.subtract(levels, wanted)) < [3.0, 2.0, 1.5, 1.0, 1.0, 1.0]).all()


def test_a_click_is_no_noise_and_a_hum_is_in_its_octave():
    generator = np.random.default_rng(8)
    quiet = 1e-4 * generator.normal(size=16_000).astype(np.float32)
    clicked = quiet.copy()
    clicked[8000:8040] = 0.5
    np.testing.assert_allclose(noise_floor_db(clicked, 16_000), noise_floor_db(quiet, 16_000), atol=2.0)
    hum = quiet + 0.1 * np.sin(2 * np.pi * 300.0 * np.arange(16_000) / 16_000).astype(np.float32)
    rise = np.subtract(noise_floor_db(hum, 16_000), noise_floor_db(quiet, 16_000))
    assert rise.argmax() == 1
    assert noise_floor_db(hum, 16_000)[1] == pytest.approx(10 * math.log10(0.1**2 / 2), abs=0.1)


def test_noise_of_silence_and_of_what_cannot_be_measured():
    assert noise_floor_db(np.zeros(4800, np.float32), 16_000) == (-120.0,) * OCTAVES
    assert all(map(math.isnan, noise_floor_db(np.zeros(100, np.float32), 16_000)))
    assert all(map(math.isnan, noise_floor_db(np.full(4800, np.nan, np.float32), 16_000)))
    with pytest.raises(ValueError, match="samples wanted shape"):
        noise_floor_db(np.zeros((2, 4800), np.float32), 16_000)
    with pytest.raises(ValueError, match="wanted 16000 at least, got 8000"):
        noise_floor_db(np.zeros(4800, np.float32), 8000)
