"""Which window is predicted of a touch: a tap's as it began, others' as they ended."""

from dataclasses import replace

import numpy as np
import pytest

from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.predictors.touch_windows import PRESS_S, TAP_S, TouchWindows

NS = 1_000_000_000


def contact(end_s, kind="tap", number=7, start_s=2.0):
    place = (0.1, 0.2, 0.3), (0.0, 0.0, 1.0)
    return Contact(round(start_s * NS), round(end_s * NS), 1, "wood", *place, 0.4, 0.3, kind, number)


def motion(until_s, *contacts):
    frames = round(30 * until_s)
    keypoints = np.tile(np.arange(frames, dtype=np.float32)[:, None, None, None], (1, 2, 21, 3))
    return HandMotion(0, 30.0, keypoints, np.ones((frames, 2), bool), contacts)


@pytest.fixture
def windows():
    return TouchWindows(0.1, 1.2)


def test_a_tap_is_predicted_of_what_was_known_when_it_began(windows):
    (early,) = windows.begun(motion(2.04, contact(2.03)), [False])
    assert early.contacts[-1].end_ns == round((2.0 + TAP_S) * NS)
    assert windows.begun(motion(2.07, contact(2.06)), [False]) == []
    (over,) = windows.of(motion(2.3, contact(2.11)), [True])
    assert over.candidate is early
    assert over.contacts == (contact(2.11),)
    last_ns = early.start_ns + round(np.flatnonzero(early.valid.any(axis=1))[-1] / 30 * NS)
    assert last_ns <= 2.04 * NS
    assert windows.of(motion(2.4, contact(2.11)), [True]) == []


@pytest.mark.parametrize("ended", [contact(2.2, "slide"), contact(2.05 + PRESS_S)])
def test_slides_and_long_touches_are_predicted_of_all_that_is_known(windows, ended):
    (early,) = windows.begun(motion(2.04, contact(2.03)), [False])
    (over,) = windows.of(motion(2.5, ended), [True])
    assert over.candidate is not early
    assert over.candidate.contacts == over.contacts == (ended,)
    assert over.candidate.valid.sum() > early.valid.sum()


def test_it_does_not_matter_whether_anybody_asked_for_the_begin(windows):
    others = TouchWindows(0.1, 1.2)
    told = motion(2.04, contact(2.03)), motion(2.3, contact(2.11))
    windows.begun(told[0], [False])
    assert others.of(told[0], [False]) == []
    (one,), (other,) = (made.of(told[1], [True]) for made in (windows, others))
    np.testing.assert_array_equal(one.candidate.keypoints, other.candidate.keypoints)
    assert one.candidate.contacts == other.candidate.contacts


def test_a_touch_that_was_only_seen_when_it_was_over_is_predicted(windows):
    (over,) = windows.of(motion(2.3, contact(2.11)), [True])
    assert over.candidate.contacts == (contact(2.11),)


def test_touches_before_it_ring_into_it_as_they_were_in_the_end(windows):
    before = contact(1.9, number=6, start_s=1.85)
    windows.begun(motion(2.04, replace(before, end_ns=round(1.88 * NS)), contact(2.03)), [True, False])
    first, over = windows.of(motion(2.3, before, contact(2.11)), [True, True])
    assert first.contacts == (before,)
    assert over.contacts == (before, contact(2.11))
    assert [other.contact_id for other in over.candidate.contacts] == [6, 7]


def test_time_that_went_back_brings_touches_again(windows):
    assert windows.of(motion(2.3, contact(2.11)), [True])
    assert windows.of(motion(4.3, contact(2.11)), [True]) == []
    assert windows.of(motion(2.2, contact(2.11)), [True])
