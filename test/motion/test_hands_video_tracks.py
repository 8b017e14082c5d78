"""Hands over time: which is which, and how smooth."""

import numpy as np
import pytest

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.smoothing import smoothed
from hearing_hands_ros.hands_from_video.tracks import Sighting, named, tracks_of

NS = 1_000_000_000
SHAPE = hand.keypoints(np.zeros((1, 4, 3)))[0]


def sighting(index, place, right, rate_hz=30):
    return Sighting(index * NS // rate_hz, right, SHAPE + place)


def two_hands(frames=90):
    """They pass each other at 20 cm; every image names the left one at -x, the right one at +x at first."""
    for index in range(frames):
        x = 0.3 * np.cos(np.pi * index / frames)
        yield index, np.array([-x, 0.0, 0.0]), np.array([x, 0.2, 0.0])


def test_names_that_are_swapped_for_a_while_are_repaired():
    seen = []
    for index, left, right in two_hands():
        swapped = 30 <= index < 55
        seen.append([sighting(index, left, 0.9 if swapped else 0.1), sighting(index, right, 0.1 if swapped else 0.9)])
    left, right = named(tracks_of(seen))
    assert [len(track.sightings) for track in (*left, *right)] == [90, 90]
    for (_, left_place, right_place), a, b in zip(two_hands(), left[0].sightings, right[0].sightings, strict=True):
        np.testing.assert_allclose(a.keypoints_m, SHAPE + left_place)
        np.testing.assert_allclose(b.keypoints_m, SHAPE + right_place)


def test_two_hands_of_one_name_become_a_left_and_a_right_one():
    seen = [[sighting(i, left, 0.7), sighting(i, right, 0.95)] for i, left, right in two_hands()]
    left, right = named(tracks_of(seen))
    assert (len(left), len(right)) == (1, 1)
    assert right[0].sightings[0].right == 0.95


def test_nobody_has_three_hands_and_one_hand_is_not_seen_twice():
    third = np.array([0.0, 0.9, 0.0])
    seen = [
        [
            sighting(i, left, 0.1),
            sighting(i, right, 0.9),
            sighting(i, right + 0.01, 0.3),
            sighting(i, third, 0.6),
        ]
        for i, left, right in two_hands()
    ]
    tracks = tracks_of(seen)
    assert len(tracks) == 3
    left, right = named(tracks)
    assert [track.sightings[0].right for track in (*left, *right)] == [0.1, 0.9]


@pytest.mark.parametrize(("missing", "stretches"), [(5, 1), (7, 2)])
def test_a_gap_over_a_fifth_of_a_second_parts_a_track(missing, stretches):
    seen = [[] if 20 <= index < 20 + missing else [sighting(index, left, 0.2)] for index, left, _ in two_hands()]
    left, right = named(tracks_of(seen))
    assert (len(left), len(right)) == (stretches, 0)


def test_a_hand_that_appears_elsewhere_at_once_is_another_stretch():
    seen = [[sighting(index, np.array([0.0 if index < 30 else 0.6, 0.0, 0.0]), 0.9)] for index in range(60)]
    left, right = named(tracks_of(seen))
    assert len(left) == 0
    assert [len(track.sightings) for track in right] == [30, 30]


def test_smoothing_takes_noise_away_and_lags_by_nothing():
    rng = np.random.default_rng(0)
    time_s = np.arange(300) / 30 + rng.uniform(0.0, 0.004, 300)
    truth = np.stack([0.05 * np.sin(2 * np.pi * 0.7 * time_s), 0.1 * time_s], axis=1)[:, None]
    noisy = truth + rng.normal(0.0, 0.006, (300, 21, 2))
    smooth = smoothed(time_s, noisy, 0.006, 5.0)
    before, after = (np.sqrt(np.mean((x - truth) ** 2)) for x in (noisy, smooth))
    assert after < 0.6 * before
    late = [
        np.sqrt(np.mean((smooth.mean(axis=1)[5:-5] - truth[5 + shift : 295 + shift, 0]) ** 2)) for shift in (-1, 0, 1)
    ]
    assert np.argmin(late) == 1


def test_a_tap_keeps_its_depth_and_its_time():
    time_s = np.arange(60) / 30
    height = 0.06 * np.clip(np.abs(time_s - 1.0) / 0.3, 0.0, 1.0)
    smooth = smoothed(time_s, height[:, None], 0.003, 20.0)[:, 0]
    assert time_s[np.argmin(smooth)] == pytest.approx(1.0, abs=1e-9)
    assert smooth.min() < 0.004
