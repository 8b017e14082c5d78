"""Touches that may be over soon, and the windows that say so."""

from dataclasses import replace

import numpy as np
import pytest
from planes import Table

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.motion.settling import PRESS_S, SLOW, has_settled, is_slow, speeds_along
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackerSettings
from hearing_hands_ros.predictors.protocol import Contact, HandMotion

NS = 1_000_000_000
AT_S = 1.02


def braking(seconds, length_m=0.15):
    """A way that begins and ends at rest, of the least jerk."""

    def along(t):
        part = np.clip((t - AT_S) / seconds, 0.0, 1.0)
        return length_m * part**3 * (10 - 15 * part + 6 * part**2)

    return along


def follow(along, dwell_s, noise_m=0.0):
    """When windows are due while a touch lasts, and when it is seen to be over, s since it began."""
    tracker = SceneHandTracker(Table(), TrackerSettings(stride_s=30.0), ContactSettings())
    rng = np.random.default_rng(1)
    hand = end_effector_keypoints(0.15, 0.0) * [1, 1, -1]
    hand[:, 2] += 0.15
    told, ended = [], None
    for frame in range(int((AT_S + dwell_s + 0.3) * 30)):
        t = frame / 30
        keypoints = np.zeros((2, 21, 3))
        height = 0.3 * (max(AT_S - t, 0.0) + max(t - AT_S - dwell_s, 0.0))
        keypoints[1] = hand + [along(t), 0, height] + rng.normal(0, noise_m, (21, 3))
        tracked = tracker.push(frame, keypoints, np.array([False, True]))
        if tracked.touches and tracked.touches[-1].ended:
            ended = t - AT_S
        elif tracked.window and not tracked.touches and frame:
            told.append(t - AT_S)
    assert ended is not None
    return told, ended


@pytest.mark.parametrize("seconds", [0.6, 0.9, 1.3])
@pytest.mark.parametrize("noise_m", [0.0, 0.001])
def test_a_window_is_due_when_a_slide_slows_down(seconds, noise_m):
    told, ended = follow(braking(seconds), seconds, noise_m)
    assert len(told) == 1
    assert 0.2 * seconds < ended - told[0] < 0.3 * seconds + 0.1


def test_no_window_is_due_in_a_slide_that_does_not_slow_down():
    told, _ = follow(lambda t: 0.2 * max(t - AT_S, 0.0), 1.0, noise_m=0.0005)
    assert told == []


def test_a_window_is_due_when_a_hand_rests_and_none_in_a_tap():
    told, _ = follow(lambda t: 0.0, 0.45)
    assert len(told) == 1
    assert told[0] == pytest.approx(PRESS_S, abs=0.05)
    assert follow(lambda t: 0.0, 0.1)[0] == []


def test_speed_is_that_along_the_surface():
    frames = 30
    keypoints = np.zeros((frames, 2, 21, 3), np.float32)
    keypoints[:, 1] += (np.arange(frames)[:, None] * [0.01, 0.0, 0.02])[:, None]
    valid = np.ones((frames, 2), bool)
    touch = Contact(NS // 3, NS * 2 // 3, 1, "", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.3, 0.3, "slide")
    motion = HandMotion(0, 30.0, keypoints, valid, (touch,))
    np.testing.assert_allclose(speeds_along(motion, touch), np.full(9, 0.3), rtol=1e-5)
    valid[15] = False
    assert np.flatnonzero(np.isnan(speeds_along(motion, touch))).tolist() == [3, 5]


def test_what_is_not_known_is_not_slow():
    fast, slow = np.array([0.1, 0.3, 0.3]), np.array([SLOW * 0.29])
    assert is_slow(slow, fast)
    assert not is_slow(fast[-1:], fast)
    assert not is_slow(np.array([np.nan]), fast)
    assert not is_slow(fast[:0], fast[:0])
    unseen = HandMotion(0, 30.0, np.full((30, 2, 21, 3), np.nan, np.float32), np.zeros((30, 2), bool))
    touch = Contact(NS // 3, NS * 2 // 3, 1, "", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.3, 0.02, "slide")
    assert not has_settled(unseen, touch, slides=True)
    assert has_settled(unseen, touch, slides=False)
    assert not has_settled(unseen, replace(touch, slide_speed_mps=0.05), slides=False)  # it may slide yet
