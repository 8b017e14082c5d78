"""Each measure gives what its formula promises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.centroid import centroid_error_octaves, centroid_hz
from hearing_hands_ros.sound.metrics.envelope import envelope, envelope_distance
from hearing_hands_ros.sound.metrics.frechet import Gaussian, frechet_distance
from hearing_hands_ros.sound.metrics.loudness import QUIETEST_DBFS, level_dbfs, level_error_db
from hearing_hands_ros.sound.metrics.onset import TrueOnsets, match_onsets
from hearing_hands_ros.sound.metrics.room import distance_above_room
from hearing_hands_ros.sound.metrics.spectral import stft_distance

SEQUENCE = SequenceConfig()
RATE = SEQUENCE.sample_rate_hz
DISTANCES = {
    "stft": lambda a, b: stft_distance(a, b, SEQUENCE),
    "envelope": lambda a, b: envelope_distance(a, b, RATE),
}


def room(seed=0, level=1e-3, length_s=1.0):
    return (level * np.random.default_rng([7, seed]).normal(size=round(length_s * RATE))).astype(np.float32)


def touch(at_s=0.4, seed=0, decay_s=0.05, length_s=1.0):
    """A burst of noise that rings down, in no room."""
    t = np.arange(round(length_s * RATE)) / RATE
    burst = np.where(t >= at_s, np.exp(-np.maximum(t - at_s, 0) / decay_s), 0.0)
    return (0.3 * burst * np.random.default_rng(seed).normal(size=t.size)).astype(np.float32)


@pytest.mark.parametrize("name", DISTANCES)
@given(seed=st.integers(0, 1000), gain=st.floats(1e-3, 3.0), at_s=st.floats(0.3, 0.9))
@settings(max_examples=25, deadline=None)
def test_the_truth_scores_0_silence_1_and_a_gain_what_the_formula_says(name, seed, gain, at_s):
    distance, truth = DISTANCES[name], touch(at_s, seed)
    assert distance(truth, np.float32(gain) * truth) == pytest.approx(abs(math.sqrt(gain) - 1.0), abs=1e-5)
    heard = truth + room(seed)
    for sound in (truth, heard):
        assert distance(sound, sound) == 0.0
        assert distance(sound, np.zeros_like(sound)) == pytest.approx(1.0, abs=1e-9)
        assert distance(sound, -sound) == pytest.approx(0.0, abs=1e-6), "phase is not heard"


@pytest.mark.parametrize("name", DISTANCES)
def test_hiss_wins_and_loses_nothing(name):
    """A prediction of the room alone is no better than silence; the room's noise costs a good prediction little."""
    distance, truth = DISTANCES[name], touch() + room(0)
    assert distance(truth, room(1)) == pytest.approx(1.0, abs=0.02)
    assert distance(truth, touch(seed=1) + room(1)) == pytest.approx(distance(truth, touch(seed=1)), abs=0.02)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_late_touch_is_further_than_another_noise_at_the_right_time(name):
    distance, truth = DISTANCES[name], touch() + room()
    assert distance(truth, touch(seed=1) + room(1)) < 0.35
    assert distance(truth, touch(at_s=0.6, seed=1) + room(1)) > 1.1


def test_where_nothing_stands_out_there_is_no_distance():
    level = np.random.default_rng(0).uniform(1.0, 1.9, (50, 3))
    assert math.isnan(distance_above_room(level, 10.0 * level))


def test_a_wrong_colour_is_heard_by_the_spectrogram_only():
    t = np.arange(RATE) / RATE
    pulse = np.exp(-(((t - 0.5) / 0.1) ** 2))
    low, high = ((pulse * np.sin(2 * np.pi * hz * t)).astype(np.float32) for hz in (500.0, 3000.0))
    assert stft_distance(low, high, SEQUENCE) > 1.1
    assert envelope_distance(low, high, RATE) < 0.05


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros(RATE), np.ones(RATE), "truth wanted sound, got silence"),
        (np.ones(RATE), np.ones(RATE - 1), "of one shape"),
        (np.ones((2, RATE)), np.ones((2, RATE)), "of one shape"),
        (np.ones(RATE), np.full(RATE, np.nan), "predicted wanted finite samples, got 16000"),
    ],
)
def test_what_cannot_be_compared_is_refused(name, truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        DISTANCES[name](truth, predicted)


def test_envelope_is_the_root_mean_square_of_each_ninetieth_of_a_second():
    wave = np.zeros(RATE, np.float32)
    wave[8000:] = 0.5
    levels = envelope(wave, RATE)
    assert levels.shape == (90,)
    assert np.all(levels[:45] == 0.0)
    assert np.allclose(levels[45:], 0.5)


onsets = st.lists(st.floats(0.0, 4.0), max_size=8)


@given(truth=onsets, predicted=onsets)
@settings(max_examples=200, deadline=None)
def test_onsets_are_paired_once_and_as_many_as_can_be(truth, predicted):
    """Against the size of a maximum matching by augmenting paths."""
    counts = match_onsets(truth, predicted)
    partner: dict[int, int] = {}

    def augment(i, seen):
        for j, time in enumerate(predicted):
            if abs(truth[i] - time) <= 0.05 and j not in seen:
                seen.add(j)
                if j not in partner or augment(partner[j], seen):
                    partner[j] = i
                    return True
        return False

    assert counts.hits == sum(augment(i, set()) for i in range(len(truth)))
    assert (counts.hits + counts.missed, counts.hits + counts.extra) == (len(truth), len(predicted))
    assert 0.0 <= counts.f1 <= 1.0


def test_two_predicted_onsets_at_one_touch_are_one_hit_and_one_extra():
    counts = match_onsets([1.0, 2.0], [0.98, 1.02, 2.2])
    assert (counts.hits, counts.missed, counts.extra) == (1, 1, 2)
    assert counts.f1 == pytest.approx(0.4)
    assert match_onsets([], []).f1 == 1.0


@given(touches=onsets, heard=onsets)
@settings(max_examples=200, deadline=None)
def test_the_true_sound_scores_1_whatever_it_hides(touches, heard):
    truth = TrueOnsets.of(touches, heard)
    counts = match_onsets(truth, heard)
    assert (counts.missed, counts.extra) == (0, 0)
    assert len(truth.clear_s) + len(truth.doubtful_s) == len(touches) + len(heard) - counts.hits


def test_a_hidden_touch_may_be_predicted_or_not_but_once():
    truth = TrueOnsets.of([1.0, 1.1, 2.0], heard_s=[1.0, 2.0, 3.0])
    assert (truth.clear_s, truth.doubtful_s) == ((1.0, 2.0), (1.1, 3.0))
    assert match_onsets(truth, [1.0, 2.0]).f1 == match_onsets(truth, [1.0, 1.1, 2.0, 3.0]).f1 == 1.0
    assert match_onsets(truth, [1.0, 1.09, 1.12, 2.0]).extra == 1
    assert match_onsets(truth, [1.1, 3.0]).hits == 0


@given(gain_db=st.floats(-30.0, 6.0))
@settings(max_examples=30, deadline=None)
def test_level_error_is_the_gain(gain_db):
    wave = touch(0.0) + room()
    assert level_error_db(wave, wave * np.float32(10 ** (gain_db / 20)), RATE) == pytest.approx(abs(gain_db), abs=1e-3)


def test_level_is_that_of_the_loudest_50_ms_and_silence_is_a_finite_error():
    wave = np.zeros(RATE, np.float32)
    wave[4000:4800] = 0.1
    assert level_dbfs(wave, RATE) == pytest.approx(-20.0, abs=1e-4)
    assert level_dbfs(np.zeros(RATE, np.float32), RATE) == QUIETEST_DBFS
    assert level_error_db(wave, 0 * wave, RATE) == pytest.approx(60.0, abs=1e-4)


@given(hz=st.floats(200.0, 3500.0))
@settings(max_examples=30, deadline=None)
def test_a_tone_has_its_centroid_at_its_frequency_and_twice_that_is_an_octave(hz):
    t = np.arange(RATE // 2) / RATE
    tone, higher = (0.1 * np.hanning(t.size) * np.sin(2 * np.pi * f * t) for f in (hz, 2 * hz))
    assert centroid_hz(tone, RATE) == pytest.approx(hz, rel=0.01)
    assert centroid_error_octaves(tone, higher, RATE) == pytest.approx(1.0, abs=0.01)
    assert centroid_error_octaves(tone, 10.0 * tone, RATE) == pytest.approx(0.0, abs=1e-9)


def test_silence_has_no_centroid():
    tone = np.sin(np.arange(RATE, dtype=np.float32))
    assert math.isnan(centroid_hz(np.zeros(RATE, np.float32), RATE))
    assert math.isnan(centroid_error_octaves(tone, 0 * tone, RATE))


def test_frechet_distance_of_known_gaussians_and_of_a_set_with_itself():
    generator = np.random.default_rng(0)
    cloud = generator.normal(size=(4000, 3)) * [1.0, 2.0, 3.0]
    moved = cloud + [3.0, 0.0, 4.0]
    assert frechet_distance(Gaussian.fit(cloud), Gaussian.fit(cloud)) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(Gaussian.fit(cloud), Gaussian.fit(moved)) == pytest.approx(25.0, rel=1e-6)
    doubled = frechet_distance(Gaussian.fit(cloud), Gaussian.fit(2.0 * cloud))
    # |m|^2 + sum (s - 2 s)^2 over the axes
    assert doubled == pytest.approx(1.0 + 4.0 + 9.0, rel=0.05)
    assert frechet_distance(Gaussian.fit(2.0 * cloud), Gaussian.fit(cloud)) == pytest.approx(doubled, rel=1e-6)


def test_frechet_distance_stands_more_dimensions_than_sounds():
    generator = np.random.default_rng(1)
    few, others = generator.normal(size=(2, 10, 64))
    assert frechet_distance(Gaussian.fit(few), Gaussian.fit(few)) == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < frechet_distance(Gaussian.fit(few), Gaussian.fit(others)) < np.inf
    with pytest.raises(ValueError, match=r"got \(1, 64\)"):
        Gaussian.fit(few[:1])
