"""Recordings of a simulated hand that taps on the demo's bench, each tap with a recorded sound, made to order."""

import numpy as np
import soxr

from hearing_hands_ros.demo import hand, world
from hearing_hands_ros.demo.bag import Recording, write_bag
from hearing_hands_ros.demo.build import camera_in_world
from hearing_hands_ros.demo.heard import RATE_HZ
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank

DEMO = share_directory() / "demo"
SCENE = DEMO / "scene"
START_NS = 1_748_770_200_000_000_000
LAG_S = 0.3
SPEED_MPS, DWELL_S, EVERY_S = 0.7, 0.06, 1.2
PLATES = ("birch_block", "steel_plate")


def spots(taps, seed):
    """Places on two plates, taken in turns of three."""
    rng = np.random.default_rng(seed)
    plates = [PLATES[tap // 3 % 2] for tap in range(taps)]
    return [world.BY_NAME[plate].target(*rng.uniform(-0.4, 0.4, 2)) for plate in plates]


def fingertip(time_s, taps_s, seed, height_m):
    """Straight down onto each spot, and up again."""
    since = time_s[:, None] - np.asarray(taps_s)
    height = SPEED_MPS * np.maximum(-since, np.maximum(since - DWELL_S, 0.0)).min(axis=1)
    places = spots(len(taps_s), seed)
    points = np.array([place[0] for place in places])
    # From above one spot to above the next, at the height where nothing is touched.
    way = np.stack([np.interp(time_s, *_steps(taps_s, points[:, axis])) for axis in range(3)], axis=1)
    return way + np.minimum(height, 0.1)[:, None] * places[0][1] + [0.0, 0.0, height_m]


def _steps(taps_s, values):
    """Times and values: still around each tap, then on to the next."""
    taps_s = np.asarray(taps_s)
    return np.sort(np.concatenate([taps_s - 0.2, taps_s + 0.26])), np.repeat(values, 2)


def touched_bag(path, taps=12, seed=4, height_m=0.0, change=lambda wave: wave):
    """Write a bag; `change` is made to its sound. Returns the times of the taps since its begin."""
    taps_s = 1.5 + EVERY_S * np.arange(taps)
    seconds = taps_s[-1] + 3.0
    time_s = np.arange(round(seconds * 60)) / 60
    keypoints, turn = hand.pose(fingertip(time_s, taps_s, seed, height_m), time_s, seed=5)
    camera = camera_in_world()
    in_world = world.world_from_bench(keypoints.reshape(-1, 3))
    in_camera = camera[0].inv().apply(in_world - camera[1]).reshape(keypoints.shape)
    wave = np.random.default_rng(seed).normal(0.0, 3e-4, round(seconds * RATE_HZ))
    bank = ExampleBank.load(DEMO / "held_out").exemplars
    for tap, tap_s in enumerate(taps_s):
        material = "wood" if tap // 3 % 2 == 0 else "metal"
        sounds = [e for e in bank if (e.material, e.kind) == (material, "tap")]
        piece = 0.04 * soxr.resample(sounds[(tap + seed) % len(sounds)].wave, 16_000, RATE_HZ)
        first = round((tap_s + LAG_S - LEAD_S) * RATE_HZ)
        piece = piece[: len(wave) - first]
        wave[first : first + len(piece)] += piece
    rotations = camera[0].inv() * world.WORLD_FROM_BENCH[0] * turn
    wave = change(wave.astype(np.float32))
    write_bag(path, Recording(START_NS, world.WORLD_FRAME, camera, time_s, in_camera, rotations, wave))
    return taps_s
