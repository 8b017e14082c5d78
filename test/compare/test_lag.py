"""The lag of a microphone, from taps whose true lag is known to the sample."""

import numpy as np
import pytest

from hearing_hands_ros.compare.lag import AROUND_S, EXPECTED_S, SEARCH_S, LagEstimator
from hearing_hands_ros.compare.scoring.touch import RATE_HZ

LENGTH = 2 * round(AROUND_S * RATE_HZ)


def burst(rng, attack_s=0.0, seconds=0.25):
    """A sound that swells for `attack_s` and dies away."""
    since_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    swell = np.minimum(since_s / attack_s, 1.0) if attack_s else 1.0
    return 0.1 * rng.normal(size=since_s.size) * np.exp(-since_s / 0.05) * swell


def heard(rng, *at_s, attack_s=0.0, level=1.0):
    """Room noise around a tap, with sounds at times after it."""
    wave = rng.normal(0.0, 3e-4, LENGTH)
    for seconds in at_s:
        first = round((AROUND_S + seconds) * RATE_HZ)
        piece = level * burst(rng, attack_s)[: LENGTH - first]
        wave[first : first + len(piece)] += piece
    return wave.astype(np.float32)


def estimate(waves, expected=None):
    estimator = LagEstimator()
    for wave in waves:
        estimator.add(wave, expected)
    return estimator.estimate()


@pytest.mark.parametrize("lag_s", [0.0123125, -0.25, 0.0, 0.9])
def test_a_lag_is_found_to_less_than_a_millisecond(lag_s):
    rng = np.random.default_rng(1)
    found = estimate([heard(rng, lag_s, level=rng.uniform(0.05, 2.0)) for _ in range(8)])
    assert found.lag_s == pytest.approx(lag_s, abs=0.0005)
    assert found.spread_s < 0.001
    assert (found.used, found.taps) == (8, 8)


def test_the_spread_is_that_of_the_taps():
    rng = np.random.default_rng(2)
    found = estimate([heard(rng, 0.05 + rng.normal(0.0, 0.004)) for _ in range(60)])
    assert found.lag_s == pytest.approx(0.05, abs=0.002)
    assert found.spread_s == pytest.approx(0.004, rel=0.35)


def test_other_sounds_and_silent_taps_do_not_count():
    rng = np.random.default_rng(3)
    waves = [heard(rng, 0.08, *rng.uniform(-1.2, 1.0, 2)) for _ in range(9)]
    waves += [heard(rng), heard(rng, 0.7), heard(rng, -0.4)]
    found = estimate(waves)
    assert found.lag_s == pytest.approx(0.08, abs=0.001)
    assert 8 <= found.used <= 9
    assert found.taps == 12


def test_a_swelling_sound_is_timed_by_what_was_expected_of_it():
    rng = np.random.default_rng(4)
    expected = np.zeros(2 * round(EXPECTED_S * RATE_HZ), np.float32)
    half = len(expected) // 2
    expected[half:] = burst(rng, 0.02)[:half]
    expected += rng.normal(0.0, 3e-4, len(expected)).astype(np.float32)
    waves = [heard(rng, 0.03, attack_s=0.02) for _ in range(12)]
    assert estimate(waves, expected).lag_s == pytest.approx(0.03, abs=0.0005)
    assert estimate(waves).lag_s > 0.031  # else it seems to begin late


def test_an_expectation_in_which_nothing_begins_is_passed_over():
    rng = np.random.default_rng(5)
    flat = np.zeros(2 * round(EXPECTED_S * RATE_HZ), np.float32)
    assert estimate([heard(rng, 0.06) for _ in range(6)], flat).lag_s == pytest.approx(0.06, abs=0.0005)


def test_too_few_taps_are_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(ValueError, match="wanted 5 taps or more, got 4"):
        estimate([heard(rng, 0.02) for _ in range(4)])


def test_a_room_in_which_nothing_sounds_gives_no_lag():
    rng = np.random.default_rng(7)
    with pytest.raises(ValueError, match=r"wanted 6 of 12 taps or more to agree .* got 0"):
        estimate([heard(rng) for _ in range(12)])


def test_taps_that_contradict_each_other_are_refused():
    rng = np.random.default_rng(8)
    with pytest.raises(ValueError, match="to agree on a lag"):
        estimate([heard(rng, lag_s) for lag_s in rng.uniform(-SEARCH_S, SEARCH_S, 20)])


def test_taps_as_even_as_a_clock_are_refused():
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match=r"got -?0\.\d+ s and -?0\.\d+ s, which fit them alike; tap less evenly"):
        estimate([heard(rng, -0.97, -0.47, 0.03, 0.53, 1.03) for _ in range(10)])


def test_a_tap_of_another_length_or_with_nan_is_refused():
    estimator = LagEstimator()
    with pytest.raises(ValueError, match=f"heard wanted \\({LENGTH},\\) finite samples, got \\(100,\\)"):
        estimator.add(np.zeros(100, np.float32))
    with pytest.raises(ValueError, match="heard wanted"):
        estimator.add(np.full(LENGTH, np.nan, np.float32))
    assert estimator.taps == 0
