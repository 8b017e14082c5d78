import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.predictors.example import ExampleConfig, ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.onsets import find_onsets

BANK = Path(__file__).parents[2] / "demo" / "bank"
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def predictor():
    return ExamplePredictor(ExampleBank.load(BANK))


def touch(at_s, material="wood", kind="tap", speed=0.5, seconds=0.02):
    start = START_NS + round(at_s * 1e9)
    return Contact(
        start, start + round(seconds * 1e9), 1, material, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), speed, speed, kind
    )


def motion(*contacts, seconds=2.0):
    frames = round(seconds * 30)
    keypoints = np.zeros((frames, 2, 21, 3), np.float32)
    return HandMotion(START_NS, 30.0, keypoints, np.ones((frames, 2), bool), contacts)


def level(wave):
    return float(np.sqrt(np.mean(np.square(wave))))


def test_each_touch_sounds_when_it_begins(predictor):
    audio = predictor.predict([motion(touch(0.5), touch(1.2, "metal"))])[0].audio
    noise = 1e-4 * np.random.default_rng(0).normal(0, 1, audio.size)
    onsets = find_onsets((audio + noise).astype(np.float32))
    for at in (0.5, 1.2):
        assert min(abs(t - at) for t in onsets) < 0.01


def test_lengths_are_whole_mel_frames(predictor):
    p = predictor.predict([motion(touch(0.5))])[0]
    assert p.log_mel.shape == p.log_mel_std.shape == (80, 125)
    assert p.audio.shape == (125 * 256,)
    assert p.start_ns == START_NS
    assert p.model.startswith("impact-sounds-bank@")


def test_no_touch_is_silence(predictor):
    p = predictor.predict([motion()])[0]
    assert not p.audio.any()
    assert np.all(p.log_mel == -5)
    assert not p.log_mel_std.any()


def test_same_touch_gives_the_same_sound_in_any_batch(predictor):
    alone = predictor.predict([motion(touch(0.5))])[0]
    among = predictor.predict([motion(touch(0.3, "snow")), motion(touch(0.5)), motion()])[1]
    np.testing.assert_array_equal(alone.audio, among.audio)
    np.testing.assert_array_equal(alone.log_mel, among.log_mel)


def test_same_touch_in_a_later_window_sounds_the_same(predictor):
    first = predictor.predict([motion(touch(0.8))])[0]
    later = replace(motion(touch(0.8)), start_ns=START_NS + 500_000_000)
    np.testing.assert_allclose(predictor.predict([later])[0].audio[:16000], first.audio[8000:24000], atol=1e-7)


def test_touches_at_other_times_do_not_all_sound_alike(predictor):
    waves = [predictor.predict([motion(touch(0.5 + k * 1e-3))])[0].audio for k in range(6)]
    aligned = [w[round((0.5 + k * 1e-3) * 16000) :][:1600] for k, w in enumerate(waves)]
    assert len({a.tobytes() for a in aligned}) > 1


def test_twice_the_speed_is_twice_the_amplitude(predictor):
    steady = ExamplePredictor(predictor.bank, config=ExampleConfig(strength_jitter_db=0.0))
    audio = {v: steady.predict([motion(touch(0.5, speed=v))])[0].audio for v in (0.5, 1.0, 100.0, 0.0)}
    loudest = {v: max(level(a[i : i + 800]) for i in range(0, a.size - 800, 80)) for v, a in audio.items()}
    assert loudest[1.0] / loudest[0.5] == pytest.approx(2.0, rel=0.05)
    assert loudest[100.0] / loudest[0.5] == pytest.approx(10 ** (18 / 20), rel=0.05)
    assert loudest[0.0] > 0


def test_mean_and_spread_hold_the_audio(predictor):
    p = predictor.predict([motion(touch(0.5))])[0]
    own = log_mel(p.audio, SequenceConfig())
    sounding = p.log_mel[:, 31:50]
    spread = p.log_mel_std[:, 31:50]
    assert np.mean(np.abs(own[:, 31:50] - sounding) <= 2.0001 * spread) > 0.99  # one of five is within two deviations


@pytest.mark.parametrize("material", ["wood", "stone"])
def test_slide_lasts_as_long_as_the_touch(predictor, material):
    audio = predictor.predict([motion(touch(0.3, material, "slide", seconds=1.2))])[0].audio
    parts = [level(audio[i : i + 3200]) for i in range(4800, 4800 + 19200, 3200)]
    assert min(parts) > 0.02 * max(parts)
    assert level(audio[round(1.52 * 16000) :]) < 1e-6


def test_unknown_material_is_vague(predictor):
    assert not predictor.knows("jelly")
    spreads = {
        m: predictor.predict([motion(touch(0.5, m))])[0].log_mel_std[:, 31:50].mean()
        for m in (*predictor.bank.materials, "jelly")
    }
    assert spreads["jelly"] == max(spreads.values())


def test_touch_before_the_window_still_rings_in_it(predictor):
    assert level(predictor.predict([motion(touch(-0.1, "metal"))])[0].audio[:3000]) > 1e-4


def test_touch_at_the_very_end_does_no_harm(predictor):
    assert predictor.predict([motion(touch(1.9999))])[0].audio.size == 125 * 256


def test_window_shorter_than_a_frame_is_refused(predictor):
    with pytest.raises(ValueError, match="motion wanted"):
        predictor.predict([replace(motion(seconds=1 / 30), rate_hz=60.0)])


def test_bank_of_another_rate_is_refused(predictor):
    with pytest.raises(ValueError, match="22050"):
        ExamplePredictor(replace(predictor.bank, sample_rate_hz=22050))


def test_three_seconds_take_less_than_thirty_milliseconds_of_one_core(predictor):
    candidate = motion(touch(0.5), touch(1, "metal"), touch(1.5, "stone", "slide", seconds=1.0), seconds=3.0)
    predictor.predict([candidate])
    times = []
    for _ in range(10):
        began = time.process_time()
        predictor.predict([candidate])
        times.append(time.process_time() - began)
    assert min(times) < 0.03
