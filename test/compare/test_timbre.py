import numpy as np
import pytest

from hearing_hands_ros.compare.timbre import BANDS, ZONES_S, timbre


def click(gain=1.0, noise=1e-4, seed=0):
    generator = np.random.default_rng(seed)
    wave = noise * generator.normal(0, 1, 16000)
    wave[4800:] += 0.2 * np.random.default_rng(9).normal(0, 1, 11200) * np.exp(-np.arange(11200) / 800)
    return (gain * wave).astype(np.float32)


def test_gain_of_the_microphone_does_not_matter():
    a, b = timbre(click(), 0.3), timbre(click(gain=0.1), 0.3)
    np.testing.assert_allclose(a.level_db, b.level_db, atol=0.01)
    assert a.level_db.shape == (len(ZONES_S) - 1, BANDS)
    assert a.level_db.max() == 0


def test_room_noise_raises_the_floor_and_not_the_levels_above_it():
    quiet, noisy = timbre(click(), 0.3), timbre(click(noise=3e-3), 0.3)
    assert noisy.floor_db.mean() > quiet.floor_db.mean() + 20
    over = quiet.level_db > noisy.floor_db + 10
    assert over.sum() > 60
    assert np.abs(quiet.level_db - noisy.level_db)[over].mean() < 1.0
    assert noisy.snr_db < quiet.snr_db


def test_what_follows_the_next_touch_is_not_heard():
    assert timbre(click(), 0.3, until_s=0.45).heard.tolist() == [True] * 4 + [False] * 2
    assert timbre(click()[: round(0.52 * 16000)], 0.3).heard.tolist() == [True] * 5 + [False]


@pytest.mark.parametrize(
    ("wave", "onset_s", "until_s", "what"),
    [
        (click(), 1.5, None, "onset_s"),
        (click(), 0.3, 0.32, "50 ms"),
        (np.zeros(16000, np.float32), 0.3, None, "nothing"),
        (np.full(16000, np.nan, np.float32), 0.3, None, "finite"),
        (np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32), 0.3, None, "10 dB"),
    ],
)
def test_what_cannot_be_judged_is_refused(wave, onset_s, until_s, what):
    with pytest.raises(ValueError, match=what):
        timbre(wave, onset_s, until_s)
