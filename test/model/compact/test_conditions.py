"""What the compact network is told of a motion."""

from dataclasses import replace

import numpy as np
import pytest

from hearing_hands_ros.model.compact.conditions import HAND_CHANNELS, TOUCH_CHANNELS, conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

SEQUENCE = SequenceConfig()
NS = 1_000_000_000
DIM = 6


def contact(start_s, end_s, hand=1, **changes):
    made = Contact(
        round(start_s * NS), round(end_s * NS), hand, "wood", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.3, 0.0, "tap"
    )
    return replace(made, **changes)


def motion(*contacts, seconds=2.0, start_s=0.0):
    frames = round(30 * seconds)
    rng = np.random.default_rng(0)
    keypoints = rng.normal(0.0, 0.05, (1, 2, 21, 3)) + 0.3 * np.arange(frames)[:, None, None, None] / 30 * [1, 0, 0]
    valid = np.tile([False, True], (frames, 1))
    keypoints[~valid] = np.nan
    return HandMotion(round(start_s * NS), 30.0, keypoints.astype(np.float32), valid, contacts)


def looks(count):
    return np.random.default_rng(1).normal(size=(count, DIM)).astype(np.float32)


def made(moved, scene=None):
    return conditions_of(moved, looks(len(moved.contacts)), np.ones(DIM) if scene is None else scene, SEQUENCE)


def begins(conditions, hand=1):
    """By mel frame, that a touch begins."""
    channels = conditions.touches.reshape(-1, 2, TOUCH_CHANNELS)[:, hand, :PATCH]
    return channels.reshape(-1)


def test_a_touch_lies_at_its_time_between_mel_frames_too():
    for start_s in (0.5, 0.5037, 1.2001):
        begin = begins(made(motion(contact(start_s, start_s + 0.1))))
        frame_s = (np.arange(len(begin)) + 0.5) * SEQUENCE.hop_s
        assert begin.sum() == pytest.approx(1.0, abs=1e-5)
        assert (begin * frame_s).sum() == pytest.approx(start_s, abs=1e-4)


def test_conditions_of_a_longer_window_go_on_where_those_of_a_shorter_one_end():
    short, long = (motion(contact(0.4, 0.5), contact(0.9, 1.0), seconds=seconds) for seconds in (1.5, 3.0))
    one, two = made(short), made(long)
    inside = len(one.hands) - 2
    np.testing.assert_allclose(one.touches[:inside], two.touches[:inside], atol=1e-6)
    np.testing.assert_allclose(one.hands[:inside], two.hands[:inside], atol=1e-5)
    np.testing.assert_array_equal(one.touched[:inside], two.touched[:inside])


def test_tokens_may_begin_within_the_motion():
    token_ns = round(PATCH * SEQUENCE.hop_s * NS)
    moved = motion(contact(0.4, 0.5), contact(1.3, 1.4), start_s=7.0)
    whole = made(moved)
    tail = conditions_of(moved, looks(2), np.ones(DIM), SEQUENCE, moved.start_ns + 20 * token_ns)
    for name in ("hands", "touches", "touched"):
        np.testing.assert_allclose(getattr(tail, name), getattr(whole.part(20, len(whole.hands)), name), atol=1e-5)


def test_time_of_the_clock_does_not_matter():
    one = made(motion(contact(0.4, 0.5)))
    two = made(motion(contact(1e9 + 0.4, 1e9 + 0.5), start_s=1e9))
    np.testing.assert_allclose(one.touches, two.touches, atol=1e-5)


def test_each_hand_has_its_own_touches_and_remembers_the_last_place():
    conditions = made(motion(contact(0.4, 0.5, hand=0), contact(1.0, 1.1, hand=1), contact(1.5, 1.6, hand=0)))
    assert begins(conditions, 0).sum() == pytest.approx(2.0)
    assert begins(conditions, 1).sum() == pytest.approx(1.0)
    token_s = (np.arange(len(conditions.touched)) + 0.5) * PATCH * SEQUENCE.hop_s
    for time_s, wanted in ((0.2, (0, 0)), (0.7, (1, 0)), (1.2, (1, 2)), (1.9, (3, 2))):
        assert tuple(conditions.touched[np.abs(token_s - time_s).argmin()]) == wanted


def test_invalid_hands_are_zero_and_the_hands_place_in_the_room_does_not_matter():
    moved = motion()
    conditions = made(moved)
    left, right = np.split(conditions.hands, 2, axis=1)
    assert not left.any()
    assert (right[2:-2, -1] == 1.0).all()
    shifted = replace(moved, keypoints=moved.keypoints + np.float32([3.0, -2.0, 1.0]))
    np.testing.assert_allclose(made(shifted).hands, conditions.hands, atol=2e-4)
    assert right.shape[1] == HAND_CHANNELS


def test_the_material_is_no_condition():
    one, two = (made(motion(contact(0.4, 0.5, material=material))) for material in ("wood", "metal"))
    for name in ("hands", "touches", "touched", "looks", "scene"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_stronger_a_longer_and_a_sliding_touch_are_told_apart():
    base = contact(0.4, 0.5)
    reference = made(motion(base)).touches
    for changes in ({"approach_speed_mps": 0.9}, {"end_ns": NS}, {"slide_speed_mps": 0.2}, {"kind": "slide"}):
        assert np.abs(made(motion(replace(base, **changes))).touches - reference).max() > 0.1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="looks wanted one for each of 1 contacts, got 0"):
        conditions_of(motion(contact(0.4, 0.5)), looks(0), np.ones(DIM), SEQUENCE)
    with pytest.raises(ValueError, match="scene wanted finite"):
        made(motion(), np.full(DIM, np.nan))
    with pytest.raises(ValueError, match="one mel frame or more"):
        conditions_of(motion(seconds=1 / 30), looks(0), np.ones(DIM), replace(SEQUENCE, hop=1024))
