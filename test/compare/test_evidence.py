"""Evidence of a verdict: where a touch differs, in words and as a picture."""

import numpy as np
import pytest

from hearing_hands_ros.compare.evidence import where_it_differs
from hearing_hands_ros.compare.scoring.picture import BANDS, TouchPicture, picture
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.predictors.protocol import Contact, Prediction
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.touch_picture import touch_picture

RATE = 16_000
CONFIG = SequenceConfig()
SECONDS = 0.9
LEAD = 0.3


def tap(rng, tone_hz=None, tone_s=(0.1, 0.2), gain=1.0):
    """Noise that dies away, in a quiet room, and with `tone_hz` a tone in it for a while."""
    time_s = np.arange(round(SECONDS * RATE)) / RATE - LEAD
    wave = 0.3 * rng.normal(size=time_s.size) * np.exp(-time_s / 0.05) * (time_s >= 0)
    if tone_hz:
        wave += 0.2 * np.sin(2 * np.pi * tone_hz * time_s) * ((time_s >= tone_s[0]) & (time_s < tone_s[1]))
    return (gain * wave + 1e-4 * rng.normal(size=time_s.size)).astype(np.float32)


def touch_of(heard, rng):
    mels = np.stack([log_mel(tap(rng), CONFIG) for _ in range(8)])
    at = round(LEAD * 1e9)
    contact = Contact(at, at + 20_000_000, 1, "wood", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.3, 0.0, "tap")
    expected = Prediction(0, RATE, tap(rng), mels.mean(0), mels.std(0), (contact,), "example", "made", 0.0)
    return HeardTouch(heard, expected, contact, onset_s=LEAD)


@pytest.mark.parametrize("gain", [1.0, 0.25])
def test_a_tone_that_nobody_predicted_is_found_where_it_is(gain):
    rng = np.random.default_rng(0)
    found = where_it_differs(picture(touch_of(tap(rng, 3000.0, gain=gain), rng)))
    assert found is not None
    assert found.low_hz < 3000.0 < found.high_hz
    assert found.high_hz - found.low_hz < 3000.0
    assert found.begin_s == pytest.approx(0.1, abs=0.05)
    assert found.end_s == pytest.approx(0.2, abs=0.06)
    assert found.by_db > 10.0
    assert "louder than expected at" in str(found)


def test_what_is_missing_is_quieter():
    rng = np.random.default_rng(1)
    wave = tap(rng)
    wave[round((LEAD + 0.03) * RATE) :] = 1e-4 * rng.normal(size=wave.size - round((LEAD + 0.03) * RATE))
    found = where_it_differs(picture(touch_of(wave, rng)))
    assert found is not None
    assert found.by_db < -10.0
    assert found.begin_s < 0.1 < found.end_s
    assert "quieter" in str(found)


def test_a_normal_touch_has_little_to_show():
    rng = np.random.default_rng(2)
    found = [where_it_differs(picture(touch_of(tap(rng, gain=gain), rng))) for gain in (0.3, 1.0, 1.0, 2.0)]
    for difference in found:
        assert difference is None or abs(difference.by_db) * (difference.end_s - difference.begin_s) < 1.0


def test_the_picture_shows_the_difference_in_its_place():
    rng = np.random.default_rng(3)
    seen = picture(touch_of(tap(rng, 3000.0), rng))
    found = where_it_differs(seen)
    with_frame = touch_picture(seen, "different", "DIFFERENT: wood", found)
    without = touch_picture(seen, "different", "DIFFERENT: wood")
    assert with_frame.dtype == np.uint8
    assert with_frame.shape == without.shape
    rows, columns = np.nonzero((with_frame != without).any(axis=2))
    share = (columns.mean() / with_frame.shape[1], rows.mean() / with_frame.shape[0])
    assert 0.4 < share[0] < 0.9
    # Red, louder, in the lowest panel there.
    panel = without[2 * without.shape[0] // 3 :].astype(int)
    assert (panel[..., 0] - panel[..., 2] > 80).sum() > 100


def test_a_difference_just_before_the_touch_can_be_drawn():
    time_s = np.array([-0.06, -0.044, -0.028, -0.012, 0.004, 0.02])
    expected = np.full((len(time_s), BANDS), 1e-2)
    heard = expected.copy()
    heard[3, 4:8] *= 1e4
    seen = TouchPicture(heard, expected, np.zeros_like(heard), np.full(BANDS, 1e-6), time_s)
    found = where_it_differs(seen)
    assert found is not None
    assert 0.0 <= found.begin_s <= found.end_s
    touch_picture(seen, "different", "DIFFERENT: wood", found)
