"""Touches of a flat table, from frames at 30 Hz."""

from dataclasses import dataclass

import numpy as np
import pytest

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackerSettings
from hearing_hands_ros.motion.window import HandWindow, frame_stamp_ns, last_frame_before

RIGHT = 1


@dataclass
class Answer:
    distance_m: np.ndarray
    normal: np.ndarray
    point_m: np.ndarray
    material: np.ndarray
    material_share: np.ndarray


class Table:
    """The plane z = 0: material 0 where x < 0, material 1 elsewhere."""

    def query(self, points_m):
        count = len(points_m)
        foot = points_m.copy()
        foot[:, 2] = 0.0
        normal = np.tile([0.0, 0.0, 1.0], (count, 1))
        return Answer(points_m[:, 2].copy(), normal, foot, (points_m[:, 0] >= 0).astype(int), np.ones(count))


def run(height_of_t, x_of_t=lambda t: 0.1, duration_s=3.0, noise_m=0.0, valid_of_t=lambda t: True, **settings):
    """Move a probe over the table; return all changed touches and the tracker."""
    tracker = SceneHandTracker(Table(), TrackerSettings(), ContactSettings(**settings))
    rng = np.random.default_rng(3)
    hand = end_effector_keypoints(0.15, 0.0) * [1, 1, -1]
    hand[:, 2] += 0.15  # fingertips in z = 0 when the height is 0
    touches, windows = [], []
    for frame in range(int(duration_s * 30)):
        t = frame / 30
        keypoints = np.zeros((2, 21, 3))
        keypoints[RIGHT] = hand + [x_of_t(t), 0, height_of_t(t)] + rng.normal(0, noise_m, (21, 3))
        changed, window = tracker.push(frame, keypoints, np.array([False, valid_of_t(t)]))
        touches += changed
        windows += [window] if window else []
    return touches, windows, tracker


def tap(t, speed, at=1.0, dwell=0.08):
    """Height of a fingertip that comes down at `speed`, meets the table at `at`, stays `dwell` seconds, and goes."""
    return max(speed * (at - t), 0.0) + max(speed * (t - at - dwell), 0.0)


@pytest.mark.parametrize("speed", [0.15, 0.4, 0.7])
@pytest.mark.parametrize("phase", [0.0, 0.011, 0.023])
def test_tap_is_found_with_time_speed_and_place(speed, phase):
    touches, _, _ = run(lambda t: tap(t, speed, at=1.0 + phase), noise_m=0.0003)
    begun = [touch for touch in touches if not touch.ended]
    ended = [touch for touch in touches if touch.ended]
    assert len(begun) == len(ended) == 1
    touch = ended[0]
    assert touch.start_ns == begun[0].start_ns
    assert touch.start_ns * 1e-9 == pytest.approx(1.0 + phase, abs=0.012)
    assert touch.end_ns * 1e-9 == pytest.approx(1.08 + phase, abs=0.04)
    assert touch.approach_speed_mps == pytest.approx(speed, rel=0.15)
    assert touch.material == 1
    assert not touch.slides
    assert touch.hand == RIGHT
    np.testing.assert_allclose(touch.position_m[:2], [0.1, 0.0], atol=0.003)


def test_a_slide_is_told_from_a_tap_by_its_way():
    def x_of_t(t):
        return -0.2 + 0.15 * np.clip(t - 1.0, 0.0, 1.0)

    touches, _, _ = run(lambda t: tap(t, 0.3, dwell=1.0), x_of_t, noise_m=0.0005)
    touch = [touch for touch in touches if touch.ended][0]
    assert touch.slides
    assert touch.slide_speed_mps == pytest.approx(0.15, rel=0.2)
    assert touch.material == 0


def test_noise_of_a_resting_hand_is_no_slide():
    touches, _, _ = run(lambda t: tap(t, 0.3, dwell=1.5), noise_m=0.0005)
    assert [touch.slides for touch in touches if touch.ended] == [False]


def test_near_miss_and_missing_hand_touch_nothing():
    assert run(lambda t: 0.015 + tap(t, 0.4), noise_m=0.0005)[0] == []
    assert run(lambda t: tap(t, 0.4), valid_of_t=lambda t: t < 0.9 or t > 1.2)[0] == []


def test_a_hand_lost_while_touching_ends_its_touch():
    touches, _, _ = run(lambda t: tap(t, 0.4, dwell=5.0), valid_of_t=lambda t: t < 1.5)
    assert [touch.ended for touch in touches] == [False, True]
    assert touches[1].end_ns * 1e-9 < 1.6


def test_a_jump_is_an_invalid_frame_and_no_touch():
    touches, windows, tracker = run(lambda t: 0.5 if t < 1.0 else 0.001, duration_s=2.0)
    assert tracker.jumps == 1
    assert touches[0].approach_speed_mps == 0.0  # it stands on the table, but did not come down on it
    window = windows[-1].hands
    assert window.valid[:, RIGHT].sum() == window.first_frame + len(window.valid) - 1


def test_a_resting_hand_is_one_touch_and_a_long_slide_goes_on():
    touches, _, _ = run(lambda t: tap(t, 0.4, dwell=9.0), duration_s=9.0)
    assert len([touch for touch in touches if touch.ended]) == 1
    touches, _, _ = run(lambda t: tap(t, 0.4, dwell=9.0), lambda t: 0.1 + 0.1 * t, duration_s=9.0)
    ended = [touch for touch in touches if touch.ended]
    assert len(ended) == 2
    assert ended[1].start_ns - ended[0].end_ns == 0


def test_a_window_is_due_every_stride_and_when_a_touch_ends():
    _, windows, _ = run(lambda t: tap(t, 0.4, at=1.1), duration_s=2.0)
    ends = [window.hands.end_ns for window in windows]
    assert len(ends) == 5  # four strides and one touch
    assert any(window.touches and window.touches[-1].ended for window in windows)


def test_frames_nobody_gave_are_invalid_and_time_never_goes_back():
    window = HandWindow(4, 30)
    assert window.frames() is None
    good = np.ones((2, 21, 3)), np.array([True, True])
    window.push(10, *good)
    window.push(12, *good)
    frames = window.frames()
    assert frames.valid[:, 0].tolist() == [False, True, False, True]
    assert np.isnan(frames.keypoints[2]).all()
    with pytest.raises(ValueError, match="wants a number over 12, got 12"):
        window.push(12, *good)


def test_the_grid_is_the_same_from_both_sides():
    for frame in (0, 1, 29, 30, 53_000_000_001):
        assert last_frame_before(frame_stamp_ns(frame, 30), 30) == frame
        assert last_frame_before(frame_stamp_ns(frame, 30) - 1, 30) == frame - 1


def test_settings_and_gripper_say_what_is_wrong():
    with pytest.raises(ValueError, match="touch_m 0.01, release_m 0.005"):
        ContactSettings(touch_m=0.01, release_m=0.005)
    with pytest.raises(ValueError, match="length_m"):
        end_effector_keypoints(float("nan"), 0.1)
    with pytest.raises(ValueError, match="opening_m"):
        end_effector_keypoints(0.1, -0.1)
    gripper = end_effector_keypoints(0.1, 0.08)
    assert gripper[4].tolist() == [-0.04, 0.0, 0.1]
    assert gripper[8].tolist() == [0.04, 0.0, 0.1]
