"""A prediction of which a part did not happen."""

import numpy as np
import pytest

from hearing_hands_ros.predictors.leave_out import FADE_S, leave_out
from hearing_hands_ros.predictors.protocol import Prediction

NS = 1_000_000_000
HOP, RATE = 256, 16000
START_NS = 5 * NS


def prediction(audio):
    frames = len(audio) // HOP
    mel = np.tile(np.arange(frames, dtype=np.float32), (80, 1))
    return Prediction(START_NS, RATE, audio.astype(np.float32), mel, 0.1 * mel, (), "made", "made@0", 0.0)


def test_what_comes_after_comes_sooner():
    audio = np.zeros(100 * HOP)
    audio[[20 * HOP, 50 * HOP, 80 * HOP]] = 1.0, 0.5, 0.25
    before = prediction(audio)
    after = leave_out(before, START_NS + round(40 * HOP * NS / RATE), round(30 * HOP * NS / RATE))
    assert after.start_ns == START_NS
    np.testing.assert_array_equal(after.log_mel[0], [*range(40), *range(70, 100)])
    np.testing.assert_array_equal(after.log_mel_std, np.float32(0.1) * after.log_mel)
    assert len(after.audio) == 70 * HOP
    assert np.flatnonzero(after.audio).tolist() == [20 * HOP, 50 * HOP]
    assert after.audio[[20 * HOP, 50 * HOP]].tolist() == [1.0, 0.25]


def test_a_steady_noise_stays_as_loud_where_it_is_joined():
    rng = np.random.default_rng(0)
    joined = [
        leave_out(prediction(rng.normal(size=60 * HOP)), START_NS + round(0.4 * NS), round(0.3 * NS)).audio
        for _ in range(60)
    ]
    at, half = round(0.4 * RATE / HOP) * HOP, round(0.5 * FADE_S * RATE)
    level = np.sqrt(np.mean(np.square(joined), axis=0))
    assert level[at - half : at + half].mean() == pytest.approx(1.0, abs=0.03)
    assert np.abs(np.diff(np.array(joined)[:, at - half : at + half])).max() < 8.0  # white noise, no step


def test_the_end_can_be_left_out_and_nothing_is():
    whole = prediction(np.ones(50 * HOP))
    assert leave_out(whole, START_NS + NS // 2, 0) is whole
    short = leave_out(whole, START_NS + round(40 * HOP * NS / RATE), round(10 * HOP * NS / RATE))
    assert short.log_mel[0, -1] == 39
    assert len(short.audio) == 40 * HOP


@pytest.mark.parametrize(("from_s", "length_s"), [(-0.1, 0.1), (0.5, 0.5), (0.0, 0.8)])
def test_more_than_there_is_cannot_be_left_out(from_s, length_s):
    whole = prediction(np.ones(50 * HOP))
    with pytest.raises(ValueError, match="leave_out: wanted less than the 50 mel frames"):
        leave_out(whole, START_NS + round(from_s * NS), round(length_s * NS))
