import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import hz_from_mel, log_mel, mel_filters, mel_from_hz

C = SequenceConfig()


def tone(hz, seconds=0.5, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * 16000)) / 16000)).astype(np.float32)


def centres_hz():
    return hz_from_mel(np.linspace(mel_from_hz(0.0), mel_from_hz(8000.0), 82))[1:-1]


def test_eight_seconds_give_500_frames():
    assert log_mel(np.zeros(128_000, np.float32), C).shape == (80, 500)


@given(st.integers(min_value=600, max_value=20_000))
@settings(max_examples=20, deadline=None)
def test_there_are_as_many_frames_as_whole_hops(length):
    assert log_mel(np.zeros(length, np.float32), C).shape == (80, length // 256)


def test_silence_is_minus_five_and_never_under():
    assert np.all(log_mel(np.zeros(4000, np.float32), C) == -5.0)


@given(st.floats(min_value=150.0, max_value=7500.0))
@settings(max_examples=25, deadline=None)
def test_tone_lands_in_the_bin_that_covers_it(hz):
    loudest = int(log_mel(tone(hz), C)[:, 15].argmax())
    edges = np.concatenate([[0.0], centres_hz(), [8000.0]])
    assert edges[loudest] - 16 <= hz <= edges[loudest + 2] + 16  # a bin of the FFT is 15.6 Hz wide


def test_ten_times_the_amplitude_is_one_more():
    quiet, loud = log_mel(tone(1000, amplitude=0.05), C), log_mel(tone(1000, amplitude=0.5), C)
    heard = quiet[:, 10] > -4
    np.testing.assert_allclose((loud - quiet)[heard, 10], 1.0, atol=1e-3)


def test_fft_equals_a_direct_transform():
    wave = np.random.default_rng(0).normal(0, 0.1, 4096).astype(np.float32)
    frame = 7
    n = np.arange(1024)
    padded = np.pad(wave, 384, mode="reflect").astype(np.float64)[frame * 256 :][:1024]
    padded = padded * (0.5 - 0.5 * np.cos(2 * np.pi * n / 1024))
    direct = np.abs(np.exp(-2j * np.pi * np.outer(np.arange(513), n) / 1024) @ padded)
    wanted = np.log10(np.maximum(mel_filters(C).astype(np.float64) @ direct, 1e-5))
    np.testing.assert_allclose(log_mel(wave, C)[:, frame], wanted, atol=1e-4)


def test_filters_have_slaneys_area_and_scale():
    filters = mel_filters(C)
    assert filters.shape == (80, 513)
    # Wide triangles integrate to one over frequency in Hz.
    np.testing.assert_allclose(filters[40:].sum(axis=1) * 16000 / 1024, 1.0, rtol=0.02)
    assert float(mel_from_hz(1000.0)) == pytest.approx(15.0)
    assert float(mel_from_hz(6400.0)) == pytest.approx(42.0)
    np.testing.assert_allclose(hz_from_mel(mel_from_hz([0.0, 440.0, 999.0, 1001.0, 8000.0])), [0, 440, 999, 1001, 8000])


def test_a_click_shows_in_the_frame_that_is_centred_on_it():
    wave = np.zeros(8000, np.float32)
    wave[256 * 10 + 128] = 1.0
    assert int(log_mel(wave, C).sum(axis=0).argmax()) == 10


@pytest.mark.parametrize(
    ("wave", "what"),
    [
        (np.zeros((2, 4000), np.float32), "shape"),
        (np.zeros(100, np.float32), "samples"),
        (np.full(4000, np.nan, np.float32), "finite"),
    ],
)
def test_bad_wave_is_refused(wave, what):
    with pytest.raises(ValueError, match=what):
        log_mel(wave, C)
