"""Touches of a flat table, from frames at 30 Hz."""

import numpy as np
import pytest
from planes import Table

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackerSettings
from hearing_hands_ros.motion.window import HandWindow, frame_stamp_ns, last_frame_before

RIGHT = 1


def run(height_of_t, x_of_t=lambda t: 0.1, duration_s=3.0, noise_m=0.0, valid_of_t=lambda t: True, first_id=1):
    """Move a probe over the table; return all changed touches, all windows and the tracker."""
    tracker = SceneHandTracker(Table(), TrackerSettings(), ContactSettings(), first_id)
    rng = np.random.default_rng(3)
    hand = end_effector_keypoints(0.15, 0.0) * [1, 1, -1]
    hand[:, 2] += 0.15  # fingertips in z = 0 when the height is 0
    touches, windows = [], []
    for frame in range(int(duration_s * 30)):
        t = frame / 30
        keypoints = np.zeros((2, 21, 3))
        keypoints[RIGHT] = hand + [x_of_t(t), 0, height_of_t(t)] + rng.normal(0, noise_m, (21, 3))
        tracked = tracker.push(frame, keypoints, np.array([False, valid_of_t(t)]))
        touches += tracked.touches
        windows += [tracked.window] if tracked.window else []
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
    assert touches == []  # it stands on the table, but did not come down on it
    assert np.flatnonzero(~windows[-1].hands.valid[:, RIGHT]).tolist() == [30]


def test_a_hand_that_jumped_is_not_reported_as_valid():
    tracker = SceneHandTracker(Table(), TrackerSettings(), ContactSettings())
    keypoints = np.full((2, 21, 3), 0.5)
    both = np.array([True, True])
    assert tracker.push(0, keypoints, both).valid.tolist() == [True, True]
    keypoints[RIGHT] += 1.0
    assert tracker.push(1, keypoints, both).valid.tolist() == [True, False]
    keypoints[0, 3] = np.nan
    assert tracker.push(2, keypoints, both).valid.tolist() == [False, True]
    assert both.all()


@pytest.mark.parametrize("height_m", [0.001, 0.007])
def test_a_hand_that_reappears_at_rest_touches_only_after_it_has_left(height_m):
    def height_of_t(t):
        return height_m if t < 2.5 else tap(t, 0.4, at=3.5)

    def seen(t):
        return not 1.0 < t < 1.5

    assert run(height_of_t, valid_of_t=seen, duration_s=2.5)[0] == []
    touches, _, _ = run(height_of_t, valid_of_t=seen, duration_s=4.0)
    assert [touch.ended for touch in touches] == [False, True]
    assert touches[0].start_ns * 1e-9 == pytest.approx(3.5, abs=0.012)


def test_ids_count_up_from_the_first_one_also_after_time_jumped():
    touches, _, tracker = run(lambda t: min(tap(t, 0.4, at=1.0), tap(t, 0.4, at=2.0)), first_id=7000)
    assert [touch.id for touch in touches] == [7000, 7000, 7001, 7001]
    tracker.finish()
    hand = np.zeros((2, 21, 3))
    for frame, height in enumerate((0.02, 0.001), start=1000):
        hand[RIGHT, :, 2] = height
        touches = tracker.push(frame, hand, np.array([False, True])).touches
    assert [touch.id for touch in touches] == [7002]


def test_what_goes_on_when_time_jumps_is_ended_and_shown_once():
    touches, _, tracker = run(lambda t: tap(t, 0.4, dwell=9.0), duration_s=2.0)
    ended, window = tracker.finish()
    assert [(touch.id, touch.ended) for touch in ended] == [(touches[0].id, True)]
    assert window.touches == tuple(ended)
    assert window.hands.end_ns == ended[0].end_ns
    assert tracker.finish() == ([], None)
    assert tracker.window() is None


def test_a_resting_hand_is_one_touch_and_a_long_slide_goes_on():
    touches, _, _ = run(lambda t: tap(t, 0.4, dwell=9.0), duration_s=9.0)
    assert len([touch for touch in touches if touch.ended]) == 1
    touches, _, _ = run(lambda t: tap(t, 0.4, dwell=9.0), lambda t: 0.1 + 0.1 * t, duration_s=9.0)
    ended = [touch for touch in touches if touch.ended]
    assert len(ended) == 2
    assert ended[1].start_ns - ended[0].end_ns == 0


def test_a_window_is_due_every_stride_and_when_a_touch_begins_or_ends():
    touches, windows, _ = run(lambda t: tap(t, 0.4, at=1.1), duration_s=2.0)
    assert [touch.ended for touch in touches] == [False, True]
    assert len(windows) == 6  # four strides, one begin and one end
    shown = [(window.hands.end_ns, window.touches[-1].ended) for window in windows if window.touches]
    assert [ended for _, ended in shown] == [False, True, True]
    assert (shown[0][0] - touches[0].start_ns) * 1e-9 < 0.05


def test_no_frame_of_a_window_stands_before_time_zero():
    _, windows, _ = run(lambda t: 0.5, duration_s=6.0)
    starts = [window.hands.start_ns for window in windows]
    assert starts[:8] == [0] * 8
    assert starts[-1] > 0
    lengths = [len(window.hands.valid) for window in windows]
    assert lengths[:3] == [1, 16, 31]
    assert lengths[-1] == 120
    assert all(window.hands.valid[:, RIGHT].all() for window in windows)


def test_frames_nobody_gave_are_invalid_and_time_never_goes_back():
    window = HandWindow(4, 30)
    assert window.frames() is None
    good = np.ones((2, 21, 3)), np.array([True, True])
    window.push(10, *good)
    window.push(12, *good)
    frames = window.frames()
    assert frames.first_frame == 9
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
