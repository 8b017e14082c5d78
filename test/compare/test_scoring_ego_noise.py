import numpy as np
import pytest

from hearing_hands_ros.compare.ego_noise import EgoNoise

RATE = 16_000


def fan(seconds, rng):
    """Hum and its hiss."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * 120 * k * time_s + rng.uniform(0, 6)) / k for k in range(1, 6))
    return (0.01 * hum + 0.002 * rng.normal(size=time_s.size)).astype(np.float32)


def motor(seconds, speed_mps, rng):
    """A whine whose amplitude goes with speed."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    return (0.02 * speed_mps * np.sin(2 * np.pi * 2500 * time_s + rng.uniform(0, 6))).astype(np.float32)


def tap(length, at, rng):
    since = (np.arange(length) - at) / RATE
    return np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.03), 0.0) * 0.3 * rng.normal(size=length)


def level_db(wave):
    return 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-20)


def test_a_learned_fan_is_taken_out_and_a_touch_stays():
    rng = np.random.default_rng(0)
    noise = EgoNoise.learn([(fan(3.0, rng), 0.0)])
    room = fan(1.0, rng)
    touch = tap(room.size, 8000, rng)
    cleaned = noise.removed((room + touch).astype(np.float32))
    assert cleaned.shape == room.shape
    assert level_db(cleaned[2000:7000]) < level_db(room[2000:7000]) - 15.0
    assert level_db(cleaned[8000:8800]) == pytest.approx(level_db(touch[8000:8800]), abs=1.0)


def test_a_motor_is_as_loud_as_the_hand_is_fast():
    rng = np.random.default_rng(1)
    speeds = (0.0, 0.2, 0.5, 1.0)
    noise = EgoNoise.learn([(fan(1.0, rng) + motor(1.0, v, rng), v) for v in speeds])
    whine = round(2500 / RATE * 512)
    slow, fast = noise.power(np.array([0.4, 0.8]))
    assert fast[whine] / slow[whine] == pytest.approx(4.0, rel=0.1)
    fast_room = fan(1.0, rng) + motor(1.0, 0.8, rng)
    assert level_db(noise.removed(fast_room, 0.8)) < level_db(noise.removed(fast_room, 0.0)) - 6.0


def test_too_short_a_stretch_and_broken_samples_are_refused():
    with pytest.raises(ValueError, match=r"wanted 1 s without contact or more, got 0\.50 s"):
        EgoNoise.learn([(np.zeros(8000, np.float32), 0.0)])
    noise = EgoNoise.learn([(fan(1.0, np.random.default_rng(2)), 0.0)])
    with pytest.raises(ValueError, match="finite"):
        noise.removed(np.full(1000, np.nan, np.float32))
