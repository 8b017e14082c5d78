"""Sound is found again at its time, whatever blocks it came in."""

import numpy as np
import pytest

from hearing_hands_ros.compare.heard import HeardSound

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def click_train(rate, seconds, at):
    wave = np.zeros((int(rate * seconds), 1), np.float32)
    for t in at:
        first = round(t * rate)
        wave[first : first + rate // 200, 0] = np.hanning(rate // 200)
    return wave


def push_all(heard, wave, rate, block=441, jitter_s=0.0, start_ns=START):
    rng = np.random.default_rng(0)
    for first in range(0, len(wave), block):
        stamp = start_ns + int((first / rate + rng.uniform(-jitter_s, jitter_s)) * SECOND)
        heard.push(stamp, wave[first : first + block], rate)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("jitter_s", [0.0, 0.005])
def test_a_click_is_found_at_its_time(rate, jitter_s):
    heard = HeardSound(16000, 5.0)
    push_all(heard, click_train(rate, 4.0, [1.0, 3.2]), rate, jitter_s=jitter_s)
    for t in (1.0, 3.2):
        samples, mask = heard.segment(START + int((t - 0.1) * SECOND), 3200)
        assert mask.all()
        assert (np.argmax(samples) / 16000 - 0.1) == pytest.approx(0.0025, abs=0.001 + jitter_s)


def test_a_gap_is_marked_and_does_not_shift_what_follows():
    heard = HeardSound(16000, 5.0)
    wave = click_train(16000, 4.0, [0.5, 3.2])
    push_all(heard, wave[:16000], 16000)
    push_all(heard, wave[32000:], 16000, start_ns=START + 2 * SECOND)
    samples, mask = heard.segment(START + int(0.9 * SECOND), 2 * 16000)
    assert mask.sum() == pytest.approx(0.1 * 16000 + 0.9 * 16000, abs=2)
    assert not mask[4000:12000].any()
    samples, _ = heard.segment(START + int(3.1 * SECOND), 3200)
    assert np.argmax(samples) / 16000 == pytest.approx(0.1025, abs=0.001)
    assert [begin for begin, _ in heard.stretches(0)] == [0, 32000]


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_only_the_samples_that_are_lost_count_as_not_heard(rate):
    heard = HeardSound(16000, 5.0)
    lost = np.zeros(2 * rate, bool)
    lost[round(0.503 * rate) : round(0.507 * rate)] = lost[round(1.2 * rate) : round(1.25 * rate)] = True
    for first in range(0, 2 * rate, 441):
        block = np.ones((len(lost[first : first + 441]), 1), np.float32)
        heard.push(START + first * SECOND // rate, block, rate, lost[first : first + 441])
    _, mask = heard.segment(START, 31000)
    seconds = np.flatnonzero(~mask) / 16000
    for begin, end in ((0.503, 0.507), (1.2, 1.25)):
        found = seconds[(seconds > begin - 0.1) & (seconds < end + 0.1)]
        assert (found[0], found[-1]) == pytest.approx((begin, end), abs=2e-4)
        assert len(found) == pytest.approx((end - begin) * 16000, abs=4)


def test_lost_samples_are_silent():
    heard = HeardSound(16000, 5.0)
    heard.push(START, np.ones((1600, 1), np.float32), 16000)
    heard.push(START + SECOND // 10, np.zeros((1600, 1), np.float32), 16000, np.ones(1600, bool))
    samples, mask = heard.segment(START, 3200)
    assert mask[:1600].all()
    assert not mask[1600:].any()
    assert not samples[1600:].any()


def test_what_is_too_old_or_still_to_come_is_not_heard():
    heard = HeardSound(16000, 1.0)
    assert heard.until_ns is None
    assert not heard.segment(START, 10)[1].any()
    push_all(heard, np.ones((48000, 1), np.float32), 16000)
    assert not heard.segment(START, 16000)[1].any()
    assert heard.segment(START + 5 * SECOND // 2, 16000)[1].sum() == 8000


def test_a_rate_change_and_a_step_back_in_time_begin_anew():
    heard = HeardSound(16000, 5.0)
    push_all(heard, np.ones((16000, 1), np.float32), 16000)
    push_all(heard, np.ones((48000, 2), np.float32), 48000, start_ns=START + SECOND)
    assert heard.segment(START, 30000)[1].mean() > 0.99
    assert heard.push(START - 100 * SECOND, np.ones((441, 1), np.float32), 16000) == 0
    assert [(begin, len(samples)) for begin, samples in heard.stretches(0)] == [(0, 441)]
    push_all(heard, np.ones((16000, 1), np.float32), 16000, start_ns=START - 100 * SECOND)
    assert heard.segment(START - 100 * SECOND, 16000)[1].all()
    assert not heard.segment(START, 16000)[1].any()
