import numpy as np
import pytest
import soundfile

from hearing_hands_ros.sound.audio_file import read_audio, write_wav


def test_what_is_written_is_read_back_exactly(tmp_path):
    wave = np.random.default_rng(0).normal(0, 2, 1000).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, 16000)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 16000), wave)


def test_other_rate_and_two_channels_become_mono_at_the_wanted_rate(tmp_path):
    t = np.arange(44100) / 44100
    left = np.sin(2 * np.pi * 440 * t)
    soundfile.write(tmp_path / "a.flac", np.stack([left, 0 * left], axis=1), 44100)
    wave = read_audio(tmp_path / "a.flac", 16000)
    assert wave.shape == (16000,)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(
        wave[1000:-1000], 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)[1000:-1000], atol=2e-3
    )


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        read_audio(tmp_path / "nothing.wav", 16000)


def test_text_is_not_sound(tmp_path):
    (tmp_path / "a.wav").write_text("hello")
    with pytest.raises(ValueError, match=r"a\.wav"):
        read_audio(tmp_path / "a.wav", 16000)


def test_empty_and_nan_files_are_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    for name in ("empty", "nan"):
        with pytest.raises(ValueError, match=name):
            read_audio(tmp_path / f"{name}.wav", 16000)


def test_bad_wave_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        write_wav(tmp_path / "a.wav", np.array([np.inf], np.float32), 16000)
    with pytest.raises(FileNotFoundError):
        write_wav(tmp_path / "no" / "a.wav", np.zeros(4, np.float32), 16000)
