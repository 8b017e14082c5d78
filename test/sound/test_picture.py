"""The picture of predicted over heard sound: what stands where, what stays grey, and what it costs."""

import time

import numpy as np
import pytest
from PIL import Image

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.picture import (
    COLOURS,
    LEFT,
    NOTHING,
    STRIP,
    TOP,
    Mark,
    MelTrack,
    SoundTrack,
    SpectrogramPicture,
    save_png,
)

CONFIG = SequenceConfig()
PANEL_H = 2 * CONFIG.bins
FRAMES = 250


def silent(frames: int = FRAMES) -> np.ndarray:
    return np.full((CONFIG.bins, frames), -5.0, np.float32)


def panels(picture: np.ndarray, frames: int = FRAMES, column_px: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Cut predicted and heard out, one pixel a bin and frame, low frequencies first."""
    cut = []
    for top in (TOP, TOP + PANEL_H + STRIP):
        panel = picture[top : top + PANEL_H : 2, LEFT : LEFT + frames * column_px : column_px]
        cut.append(panel[::-1])
    return cut[0], cut[1]


def test_loud_is_bright_and_stands_at_its_frame_and_bin():
    mel = silent()
    mel[20, 100] = 0.5
    predicted, heard = panels(SpectrogramPicture(FRAMES, CONFIG, -4.0).draw(mel, silent()))
    brightness = predicted.astype(int).sum(axis=2)
    assert np.unravel_index(brightness.argmax(), brightness.shape) == (20, 100)
    assert heard.astype(int).sum(axis=2).max() < 30


def test_nothing_known_is_grey_and_not_black():
    mel = silent()
    mel[:, 50:80] = np.nan
    predicted, _ = panels(SpectrogramPicture(FRAMES, CONFIG, -4.0).draw(mel, silent()))
    grey = (predicted == NOTHING).all(axis=2)
    assert grey[:, 50:80].all()
    assert not grey[:, :50].any()
    assert not grey[:, 80:].any()


def test_verdicts_are_lines_at_their_time_in_their_colour():
    marks = [
        Mark(10.0, "different", "wood heard as metal"),
        Mark(99.0, "normal", "too late"),
        Mark(5.0, "missing", "x"),
    ]
    picture = SpectrogramPicture(FRAMES, CONFIG, -4.0).draw(silent(), silent(), marks, start_s=8.0)
    x = LEFT + round(2.0 / CONFIG.hop_s * 3)
    assert (picture[TOP : TOP + 2 * PANEL_H + STRIP, x] == COLOURS["different"]).all()
    for kind in ("normal", "missing"):
        assert not (picture == COLOURS[kind]).all(axis=2).any()


def test_many_verdicts_do_not_write_over_each_other_or_outside():
    marks = [Mark(0.02 * i, "unexpected", "a rather long label " * 3) for i in range(200)]
    picture = SpectrogramPicture(FRAMES, CONFIG, -4.0)
    assert picture.draw(silent(), silent(), marks).shape == (picture.height, picture.width, 3)


def test_a_wrong_shape_is_refused_with_both():
    with pytest.raises(ValueError, match=r"heard wanted \(80, 250\), got \(80, 3\)"):
        SpectrogramPicture(FRAMES, CONFIG, -4.0).draw(silent(), silent(3))


def test_a_picture_is_cheap():
    track, predicted = SoundTrack(CONFIG, 4.0), MelTrack(CONFIG, 4.0)
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, 48000 * 5).astype(np.float32)
    for index in range(0, wave.size, 960):
        track.put(index / 48000, 48000, wave[index : index + 960])
    predicted.put(1.0, CONFIG.hop_s, log_mel(wave[:32000], CONFIG))
    picture = SpectrogramPicture(FRAMES, CONFIG, -4.0)
    marks = [Mark(1.0 + 0.5 * i, "normal", "normal (wood)") for i in range(6)]
    took = []
    for _ in range(30):
        begin = time.process_time()
        end_s = track.end_s
        picture.draw(predicted.window(end_s), track.window(end_s), marks, end_s - 4.0, f"to {end_s:.1f} s")
        took.append(time.process_time() - begin)
    print(f"\n{1e3 * np.median(took):.2f} ms a picture")
    assert np.median(took) < 0.01


def test_predictions_stand_at_their_time_and_newer_ones_win():
    track = MelTrack(CONFIG, 4.0)
    track.put(10.0, CONFIG.hop_s, np.full((80, 125), -1.0, np.float32))
    track.put(11.0, CONFIG.hop_s, np.full((80, 125), -2.0, np.float32))
    window = track.window(14.0)
    at_s = 10.0 + (np.arange(FRAMES) + 0.5) * CONFIG.hop_s
    assert (window[0, at_s < 10.99] == -1.0).all()
    assert (window[0, (at_s > 11.01) & (at_s < 12.99)] == -2.0).all()
    assert np.isnan(window[0, at_s > 13.01]).all()
    assert track.end_s == pytest.approx(13.0)
    with pytest.raises(ValueError, match=r"mel wanted \(80, T\), got \(40, 3\)"):
        track.put(0.0, CONFIG.hop_s, np.zeros((40, 3), np.float32))


def test_a_prediction_at_another_hop_keeps_its_length():
    track = MelTrack(CONFIG, 4.0)
    track.put(0.0, 2 * CONFIG.hop_s, np.zeros((80, 50), np.float32))
    assert np.isfinite(track.window(4.0)[0]).sum() == 100


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
@pytest.mark.parametrize("block_s", [0.02, 0.137])
def test_sound_of_any_rate_stands_at_its_time(rate_hz, block_s):
    """A click at 102.5 s is brightest in the frame that holds 102.5 s."""
    wave = np.zeros(5 * rate_hz, np.float32)
    wave[int(2.5 * rate_hz) : int(2.51 * rate_hz)] = 0.5
    track = SoundTrack(CONFIG, 4.0)
    block = int(block_s * rate_hz)
    for index in range(0, wave.size, block):
        track.put(100 + index / rate_hz, rate_hz, wave[index : index + block])
    assert track.end_s == pytest.approx(105.0, abs=0.03)
    level = track.window(track.end_s).sum(axis=0)
    at_s = track.end_s - (FRAMES - np.argmax(level) - 0.5) * CONFIG.hop_s
    assert at_s == pytest.approx(102.505, abs=0.02)


def test_the_window_shifts_when_it_ends_elsewhere():
    track = SoundTrack(CONFIG, 4.0)
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, 16000 * 4).astype(np.float32)
    track.put(0.0, 16000, wave)
    now = track.window(track.end_s)
    shift = 62
    shift_s = shift * CONFIG.hop_s
    later, earlier = track.window(track.end_s + shift_s), track.window(track.end_s - shift_s)
    np.testing.assert_array_equal(later[:, : FRAMES - shift], now[:, shift:])
    assert np.isnan(later[:, FRAMES - shift :]).all()
    np.testing.assert_array_equal(earlier[:, shift:], now[:, : FRAMES - shift])
    assert np.isnan(track.window(track.end_s + 100.0)).all()


@pytest.mark.parametrize("block", [100, 320, 5000])
def test_frames_are_those_of_the_whole_sound(block):
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, 16000 * 3).astype(np.float32)
    track = SoundTrack(CONFIG, 4.0)
    for index in range(0, wave.size, block):
        track.put(index / 16000, 16000, wave[index : index + block])
        track.window(track.end_s)
    whole = log_mel(wave, CONFIG)
    got = track.window(whole.shape[1] * CONFIG.hop_s)[:, -whole.shape[1] :]
    np.testing.assert_allclose(got[:, :-2], whole[:, :-2], atol=1e-4)


def test_lost_samples_and_the_time_before_are_unknown():
    track = SoundTrack(CONFIG, 4.0)
    assert np.isnan(track.window(3.0)).all()
    lost = np.zeros(32000, bool)
    lost[16000:24000] = True
    wave = np.full(32000, 0.1, np.float32)
    wave[5] = np.nan
    track.put(0.0, 16000, wave, lost)
    known = ~np.isnan(track.window(track.end_s)[0])
    at_s = track.end_s - (FRAMES - np.arange(FRAMES) - 0.5) * CONFIG.hop_s
    assert not known[at_s < 0.0].any()
    assert not known[(at_s > 1.01) & (at_s < 1.49)].any()
    assert known[(at_s > 0.05) & (at_s < 0.98)].all()
    assert known[at_s > 1.52].all()


def test_a_jump_in_time_or_another_rate_begins_anew():
    track = SoundTrack(CONFIG, 4.0)
    wave = np.full(16000, 0.1, np.float32)
    track.put(0.0, 16000, wave)
    track.put(5.0, 16000, wave)
    assert track.end_s == pytest.approx(6.0)
    assert np.isfinite(track.window(6.0)[0]).sum() == 62
    track.put(6.0, 48000, np.full(48000, 0.1, np.float32))
    assert 0 < np.isfinite(track.window(track.end_s)[0]).sum() <= 63


@pytest.mark.parametrize("frames", [1, 125, 1250, 10_000])
def test_a_saved_picture_has_the_length_of_its_sound(tmp_path, frames):
    marks = [Mark(3.0 + 0.5 * frames * CONFIG.hop_s, "normal", "normal")]
    save_png(tmp_path / "a.png", silent(frames), silent(frames), marks, start_s=3.0, title="a touch")
    image = np.asarray(Image.open(tmp_path / "a.png"))
    assert image.shape[2] == 3
    assert image.shape[1] >= frames
    assert (image == COLOURS["normal"]).all(axis=2).any()
