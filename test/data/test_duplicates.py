import numpy as np
import pytest
import soxr
from scipy.signal import lfilter

from hearing_hands_ros.data.duplicates import PLAIN_LEAST, WHITE_LEAST, groups, matches, speed_matches


def sound(seed, length=6000):
    generator = np.random.default_rng(seed)
    return (generator.normal(0, 0.3, length) * np.exp(-np.arange(length) / 900)).astype(np.float32)


def test_copy_is_found_with_other_gain_sign_delay_and_filter():
    original = sound(0)
    later = np.concatenate([np.zeros(700, np.float32), -0.1 * original])
    darker = lfilter([0.5], [1, -0.5], original).astype(np.float32)
    plain, white = matches([original, later, darker, sound(1)])
    assert plain[0, 1] > 0.999
    assert white[0, 2] > WHITE_LEAST
    assert plain[0, 3] < PLAIN_LEAST
    assert white[:3, 3].max() < WHITE_LEAST


def test_copy_at_another_speed_is_found():
    original = np.concatenate([np.zeros(800, np.float32), sound(0)])
    faster = soxr.resample(original, 16000, 16000 * 0.94)
    found = speed_matches(
        [original, faster, np.concatenate([np.zeros(800, np.float32), sound(1)])], [0.05, 0.047, 0.05]
    )
    assert found[0, 1] > WHITE_LEAST + 0.1
    assert max(found[0, 2], found[1, 2]) < WHITE_LEAST


def test_same_resonance_is_not_the_same_recording():
    t = np.arange(6000) / 16000
    ring = (np.exp(-t / 0.05) * np.sin(2 * np.pi * 180 * t)).astype(np.float32)
    _, white = matches([ring + 0.3 * sound(0), ring + 0.3 * sound(1)])
    assert white[0, 1] < WHITE_LEAST


def test_silent_wave_is_refused():
    with pytest.raises(ValueError, match="wave 1"):
        matches([sound(0), np.zeros(100, np.float32)])


def test_links_are_followed():
    linked = np.zeros((5, 5), dtype=bool)
    linked[0, 3] = linked[3, 0] = linked[3, 4] = linked[4, 3] = True
    assert groups(linked) == [0, 1, 2, 0, 0]
