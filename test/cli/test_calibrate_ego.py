"""`hearing-hands calibrate ego`, on a recording of a simulated hand whose motors are as loud as it is fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.demo import hand, world
from hearing_hands_ros.demo.bag import Recording, write_bag
from hearing_hands_ros.demo.build import camera_in_world
from hearing_hands_ros.demo.heard import RATE_HZ

SCENE = str(Path(__file__).parents[2] / "demo" / "scene")
START_NS = 1_748_770_200_000_000_000
LAG_S = 0.2
STILL_S, SECONDS = 8.0, 18.0
TAPS_S = (3.0, 13.0)
FAN, MOTOR = 0.002, 0.05  # root mean square, the latter at 1 m/s
WHINE_HZ = 2500.0


def height_m(time_s):
    """Of the fingertip over a block: still, then up and down; in between it comes down for two taps."""
    swing = np.where(time_s > STILL_S, 0.15 - 0.05 * np.cos(2 * np.pi * 1.2 * (time_s - STILL_S)), 0.1)
    for tap_s in TAPS_S:
        # From 1 m/s far above to the block in a straight line, and back.
        swing = np.minimum(swing, 0.5 * np.maximum(np.abs(time_s - tap_s) - 0.03, 0.0))
    return swing


def record(path, seconds=SECONDS):
    """Write a recording; its sound is `LAG_S` late, and taps are loud."""
    time_s = np.arange(round(seconds * 60)) / 60
    point, normal = world.BY_NAME["birch_block"].target(0.0, 0.0)
    tip = point + height_m(time_s)[:, None] * normal
    keypoints, turn = hand.pose(tip, time_s, seed=5)
    camera = camera_in_world()
    in_world = world.world_from_bench(keypoints.reshape(-1, 3))
    in_camera = camera[0].inv().apply(in_world - camera[1]).reshape(keypoints.shape)
    rng = np.random.default_rng(6)
    heard_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    speed = np.abs(np.gradient(height_m(heard_s - LAG_S), 1.0 / RATE_HZ))
    wave = FAN * rng.normal(size=heard_s.size) + MOTOR * speed * np.sqrt(2.0) * np.sin(2 * np.pi * WHINE_HZ * heard_s)
    for tap_s in TAPS_S:
        since = heard_s - LAG_S - tap_s
        wave += np.where(since > 0, np.exp(-np.maximum(since, 0.0) / 0.1), 0.0) * 0.2 * rng.normal(size=heard_s.size)
    rotations = camera[0].inv() * world.WORLD_FROM_BENCH[0] * turn
    write_bag(
        path, Recording(START_NS, world.WORLD_FRAME, camera, time_s, in_camera, rotations, wave.astype(np.float32))
    )
    return path


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A recording of a robot that stands still and moves."""
    return record(tmp_path_factory.mktemp("moved") / "moved.mcap")


def calibrate(bag, out, *words):
    return main(["calibrate", "ego", str(bag), "--scene", SCENE, "--out", str(out), *map(str, words)])


def test_fan_and_motor_are_learned_from_where_nothing_touches(moved, tmp_path, capsys):
    out = tmp_path / "robot.yaml"
    out.write_text(f"# My robot.\n\n/**/sound_comparator: {{ros__parameters: {{microphone_lag_s: {LAG_S}}}}}\n")
    assert calibrate(moved, out) == 0
    written = yaml.safe_load(out.read_text())["/**/sound_comparator"]["ros__parameters"]
    assert written == {"microphone_lag_s": LAG_S, "ego_noise": str(tmp_path / "robot_ego_noise.yaml")}
    noise = EgoNoise.load(written["ego_noise"])
    assert noise.seconds.sum() == pytest.approx(SECONDS - len(TAPS_S) * 1.4, abs=1.5)
    still, moving = noise.power(np.array([0.0, 0.3]))
    window = np.hanning(512)
    whine = round(WHINE_HZ / 16_000 * 512)
    assert np.median(still) == pytest.approx(FAN**2 * 16_000 / RATE_HZ * (window**2).sum(), rel=0.2)
    tone = 0.5 * (MOTOR * 0.3) ** 2 * window.sum() ** 2
    assert moving[whine] == pytest.approx(tone, rel=0.4)
    assert moving[whine] > 30.0 * still[whine]
    told = capsys.readouterr().out
    assert " s at 0 m/s, " in told
    assert "moved.mcap" in told
    assert out.read_text().splitlines()[1].startswith("# ego: learned from ")
    assert told.splitlines()[-1].startswith("ros2 launch hearing_hands_ros predict.launch.py ")


def test_too_little_without_a_touch_is_refused_and_nothing_is_written(tmp_path, capsys):
    short = record(tmp_path / "short.mcap", seconds=4.0)
    assert calibrate(short, tmp_path / "robot.yaml") == 2
    said = capsys.readouterr().err
    assert "EgoNoise: wanted 5 s without contact or more, got 2." in said
    assert "1 touches; a hand in" in said
    assert [path.name for path in tmp_path.iterdir()] == ["short.mcap"]
