import numpy as np
import pytest
import yaml

from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.sound.onsets import find_onsets

RATE = 16_000
WHINE_BIN = round(2500 / RATE * 512)


def fan(seconds, rng):
    """Hum and its hiss."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    hum = sum(np.sin(2 * np.pi * 120 * k * time_s + rng.uniform(0, 6)) / k for k in range(1, 6))
    return (0.003 * hum + 0.002 * rng.normal(size=time_s.size)).astype(np.float32)


def motor(speed_mps, rng):
    """A whine and a hiss whose amplitude goes with the speed (L,)."""
    time_s = np.arange(speed_mps.size) / RATE
    whine = np.sin(2 * np.pi * 2500 * time_s + rng.uniform(0, 6)) + 0.5 * rng.normal(size=time_s.size)
    return (0.1 * speed_mps * whine).astype(np.float32)


def tap(length, at, rng):
    since = (np.arange(length) - at) / RATE
    decay = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.03), 0.0)
    return (decay * 0.3 * rng.normal(size=length)).astype(np.float32)


def robot(speed_mps, rng):
    """Sound of a robot that moves at (L,) speeds."""
    return fan(speed_mps.size / RATE, rng) + motor(speed_mps, rng)


def pieces(speeds, rng, each=12, length_s=0.25):
    return [(robot(np.full(round(length_s * RATE), v), rng), v) for v in speeds for _ in range(each)]


@pytest.fixture(scope="module")
def learned():
    return EgoNoise.learn(pieces((0.0, 0.03, 0.1, 0.2, 0.4, 0.8), np.random.default_rng(0)), "a test")


def level_db(wave):
    return 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-20)


def ramp(start, end, seconds=0.9):
    """A hand that changes its speed, from 0.4 s to 0.5 s."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    return np.interp(time_s, [0.4, 0.5], [start, end])


def test_a_motor_is_as_loud_as_the_hand_is_fast(learned):
    slow, fast, beyond = learned.power(np.array([0.4, 0.8, 3.0]))
    assert fast[WHINE_BIN] / slow[WHINE_BIN] == pytest.approx(4.0, rel=0.1)
    assert np.array_equal(beyond, fast)
    assert "3.0 s at 0.4 m/s" in str(learned)
    assert "a test" in str(learned)


def test_a_robot_that_starts_to_move_is_as_loud_as_before_and_no_onset_is_heard(learned):
    rng = np.random.default_rng(1)
    speed = ramp(0.02, 0.6)
    sound = robot(speed, rng)
    assert level_db(sound[9000:]) > level_db(sound[:5000]) + 12.0
    assert len(find_onsets(sound)) == 1
    even = learned.evened(sound, speed[::160], at_s=0.3)
    assert even.shape == sound.shape
    assert level_db(even[9000:]) == pytest.approx(level_db(even[:5000]), abs=2.0)
    assert find_onsets(even) == []


@pytest.mark.parametrize("speeds", [(0.6, 0.02), (0.02, 0.6)], ids=["stops", "starts"])
def test_a_touch_stays_as_loud_as_it_is(learned, speeds):
    rng = np.random.default_rng(2)
    speed = ramp(*speeds)
    touch = tap(speed.size, round(0.3 * RATE), rng)
    even = learned.evened(robot(speed, rng) + touch, speed[::160], at_s=0.3)
    struck = slice(round(0.3 * RATE), round(0.34 * RATE))
    assert level_db(even[struck]) == pytest.approx(level_db(touch[struck]), abs=1.0)


def test_a_robot_that_moves_evenly_is_left_as_it_is(learned):
    sound = robot(np.full(14_400, 0.4), np.random.default_rng(3))
    assert learned.evened(sound, np.full(90, 0.4), 0.3) == pytest.approx(sound, abs=1e-6)
    assert np.array_equal(learned.evened(sound, np.full(90, np.nan), 0.3), sound)


def test_silence_of_a_dead_microphone_stays_silence(learned):
    sound = robot(np.full(14_400, 0.4), np.random.default_rng(3))
    sound[6000:] = 0.0
    assert not learned.evened(sound, ramp(0.0, 1.0)[::160], 0.3)[6000:].any()


def test_a_room_that_is_louder_than_it_was_is_not_made_uneven(learned):
    rng = np.random.default_rng(6)
    speed = ramp(0.6, 0.0)
    room = (0.1 * rng.normal(size=speed.size)).astype(np.float32)
    even = learned.evened(robot(speed, rng) + room, speed[::160], at_s=0.3)
    assert level_db(even[9000:]) == pytest.approx(level_db(even[:5000]), abs=1.0)


def test_a_door_that_slams_is_not_learned_for_the_robots(learned):
    rng = np.random.default_rng(0)
    heard = pieces((0.0, 0.03, 0.1, 0.2, 0.4, 0.8), rng)
    for number in (3, 20, 40):
        samples, speed = heard[number]
        heard[number] = samples + tap(samples.size, 400, rng), speed
    found = EgoNoise.learn(heard)
    assert found.powers.sum(axis=1) == pytest.approx(learned.powers.sum(axis=1), rel=0.1)


def test_speeds_of_which_there_is_little_are_left_out():
    rng = np.random.default_rng(4)
    found = EgoNoise.learn([*pieces((0.0,), rng, each=30), *pieces((0.8,), rng, each=2)])
    assert found.speeds_mps.tolist() == [0.0]


def test_too_short_a_stretch_and_broken_samples_are_refused(learned):
    with pytest.raises(ValueError, match=r"wanted 5 s without contact or more, got 3\.0 s"):
        EgoNoise.learn(pieces((0.0,), np.random.default_rng(5)))
    with pytest.raises(ValueError, match="wanted a finite speed, at least 0, with each piece, got nan"):
        EgoNoise.learn([(np.zeros(4000, np.float32), np.nan)])
    with pytest.raises(ValueError, match="samples wanted 512 finite values"):
        learned.evened(np.full(1000, np.nan, np.float32), np.zeros(6), 0.0)
    with pytest.raises(ValueError, match="at_s wanted a time in 0.5 s of sound, got 0.7 s"):
        learned.evened(np.zeros(8000, np.float32), np.zeros(50), 0.7)


def test_what_was_saved_is_read_again(learned, tmp_path):
    learned.save(tmp_path / "noise.yaml")
    found = EgoNoise.load(tmp_path / "noise.yaml")
    assert found.powers == pytest.approx(learned.powers, rel=1e-3)
    assert str(found) == str(learned)
    assert [path.name for path in tmp_path.iterdir()] == ["noise.yaml"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "a"}, r"EgoNoise\('noise.yaml'\): format wanted '.*ego_noise/1', got 'a'"),
        ({"rate_hz": 48_000}, r"EgoNoise\('noise.yaml'\): rate_hz wanted 16000, got 48000"),
        ({"window": 1024}, r"EgoNoise\('noise.yaml'\): window wanted 512, got 1024"),
        ({"powers": 7}, r"EgoNoise\('noise.yaml'\): powers wanted a list of lists, got 7"),
        ({"powers": [[1.0]]}, r"EgoNoise\('noise.yaml'\): powers\[0\]: wanted 257 numbers, got 1"),
        ({"powers": [[1.0] * 257]}, r"EgoNoise\('noise.yaml'\): powers wanted shape \(6, 257\), got \(1, 257\)"),
        ({"speeds_mps": [0.4, 0.2]}, r"EgoNoise\('noise.yaml'\): speeds_mps wanted ascending"),
        ({"more": 1}, r"EgoNoise\('noise.yaml'\): wanted the fields"),
    ],
)
def test_a_file_that_is_something_else_is_refused(learned, tmp_path, change, message):
    path = tmp_path / "noise.yaml"
    learned.save(path)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        EgoNoise.load(path)


def test_a_file_that_is_not_there_or_not_yaml_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="wanted a file, got nothing"):
        EgoNoise.load(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("{")
    with pytest.raises(ValueError, match="wanted YAML"):
        EgoNoise.load(tmp_path / "broken.yaml")
