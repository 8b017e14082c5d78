import numpy as np
import pytest

from hearing_hands_ros.compare.hand_speed import HandSpeed
from hearing_hands_ros.predictors.protocol import HandMotion

SECOND = 1_000_000_000


def window(start_s, end_s, speed_mps, valid=(False, True)):
    """Hands that move along x since time 0, at speeds (left, right)."""
    time_s = np.arange(round(start_s * 30), round(end_s * 30)) / 30
    keypoints = np.zeros((time_s.size, 2, 21, 3), np.float32)
    keypoints[..., 0] = (time_s[:, None] * np.asarray(speed_mps))[..., None]
    keypoints[..., 1] = np.linspace(0.0, 0.2, 21)
    return HandMotion(round(start_s * SECOND), 30.0, keypoints, np.tile(valid, (time_s.size, 1)))


def test_windows_that_overlap_are_one_motion():
    speed = HandSpeed()
    speed.see(window(0.0, 2.0, (0.0, 0.5)))
    speed.see(window(1.0, 3.0, (0.0, 0.5)))
    assert speed.between(SECOND // 2, 5 * SECOND // 2) == pytest.approx(np.full(201, 0.5), abs=1e-4)


def test_two_hands_are_as_loud_as_both():
    speed = HandSpeed()
    speed.see(window(0.0, 2.0, (0.3, 0.4), valid=(True, True)))
    assert speed.between(SECOND // 2, SECOND) == pytest.approx(np.full(51, 0.5), abs=1e-4)


def test_where_no_hand_is_followed_the_speed_is_not_known():
    speed = HandSpeed()
    assert np.isnan(speed.between(0, SECOND)).all()
    speed.see(window(0.0, 1.0, (0.0, 0.5)))
    speed.see(window(1.0, 2.0, (0.0, 0.5), valid=(False, False)))
    known = np.isfinite(speed.between(0, 2 * SECOND))
    assert known[:90].all()
    assert not known[105:].any()


def test_after_time_jumped_back_only_the_new_counts():
    speed = HandSpeed()
    speed.see(window(10.0, 12.0, (0.0, 0.5)))
    speed.see(window(0.0, 2.0, (0.0, 0.2)))
    assert speed.between(SECOND // 2, SECOND) == pytest.approx(np.full(51, 0.2), abs=1e-4)
