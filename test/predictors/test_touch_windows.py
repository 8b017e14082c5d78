"""Which window is predicted of a touch: a tap's as it began, a slide's as it slowed down, others' as they ended."""

from dataclasses import replace

import numpy as np
import pytest

from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction
from hearing_hands_ros.predictors.touch_windows import GOES_ON_S, PRESS_S, READY_S, TAP_S, TouchWindows

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


def slide(until_s, *contacts, slow=(2.6, 9.0)):
    """A right hand that moves along x at 0.3 m/s, and at 0.1 m/s in an interval; what is known of it at a time."""
    frames = round(30 * until_s) + 1
    time_s = np.arange(frames) / 30
    way = 0.3 * time_s - 0.2 * (np.clip(time_s, *slow) - slow[0])
    keypoints = np.zeros((frames, 2, 21, 3), np.float32)
    keypoints[..., 0] = way[:, None, None]
    return HandMotion(0, 30.0, keypoints, np.ones((frames, 2), bool), contacts)


def told_of(windows, *until_s):
    """Tell of a slide that goes on, at times; candidates that came of each."""
    return [windows.begun(slide(at, contact(at, "slide")), [False]) for at in until_s]


def predicted(candidate):
    """A prediction whose frames are numbered."""
    frames = int(candidate.duration_s * 16000 / 256)
    mel = np.tile(np.arange(frames, dtype=np.float32), (80, 1))
    wave = np.repeat(mel[0], 256)
    return Prediction(candidate.start_ns, 16000, wave, mel, 0 * mel, candidate.contacts, "made", "made@0", 0.0)


def test_a_slide_is_predicted_when_it_slows_down(windows):
    tap, fast, slow = told_of(windows, 2.1, 2.5, 2.7)
    assert ([made.contacts[-1].kind for made in tap], fast) == (["tap"], [])
    assert slow[0].contacts[-1].end_ns == round((2.7 + GOES_ON_S["slide"]) * NS)
    (over,) = windows.of(slide(3.0, contact(2.95, "slide")), [True])
    assert over.candidate is slow[0]
    assert over.contacts == (contact(2.95, "slide"),)
    assert np.flatnonzero(over.candidate.valid.any(axis=1))[-1] / 30 + over.candidate.start_ns / NS < 2.72


def test_what_the_slide_would_have_sounded_like_after_its_end_is_left_out(windows):
    told_of(windows, 2.1, 2.7)
    (over,) = windows.of(slide(3.0, contact(2.95, "slide")), [True])
    whole = predicted(over.candidate)
    told = over.told(whole)
    assert told.contacts == over.contacts
    jump = np.flatnonzero(np.diff(told.log_mel[0]) > 1)
    assert told.start_ns / NS + (jump[0] + 1) * 0.016 == pytest.approx(2.95, abs=0.009)
    left_out_s = (2.7 + GOES_ON_S["slide"]) - 2.95
    assert np.diff(told.log_mel[0])[jump[0]] - 1 == round(left_out_s / 0.016)
    assert (told.start_ns / NS + len(told.audio) / 16000) == pytest.approx(2.95 + 1.2, abs=0.05)


@pytest.mark.parametrize(
    ("end_s", "kind", "slow"),
    [
        (2.7 + GOES_ON_S["slide"] + 0.1, "slide", (2.6, 9.0)),
        (2.95, "tap", (2.6, 9.0)),
        (2.95, "slide", (2.6, 2.71)),
    ],
    ids=["it went on for longer", "it did not slide far enough", "the hand was fast again"],
)
def test_a_slide_that_went_on_otherwise_is_predicted_of_all_that_is_known(windows, end_s, kind, slow):
    told_of(windows, 2.1, 2.7)
    end = contact(end_s, kind)
    (over,) = windows.of(slide(end_s + 0.05, end, slow=slow), [True])
    assert over.candidate.contacts == (end,)
    whole = predicted(over.candidate)
    np.testing.assert_array_equal(over.told(whole).log_mel, whole.log_mel)


def test_the_newest_candidate_counts_that_can_be_predicted_before_the_end(windows):
    _, _, [second], _ = told_of(windows, 2.1, 2.7, 2.75, 3.0)
    (over,) = windows.of(slide(3.01 + READY_S - 0.2, contact(3.0, "slide")), [True])
    assert over.candidate is second


def test_where_none_can_be_the_oldest_counts(windows):
    _, [first], _ = told_of(windows, 2.1, 2.9, 3.0)
    (over,) = windows.of(slide(2.9 + READY_S - 0.05, contact(3.0, "slide")), [True])
    assert over.candidate is first


def test_a_hand_that_rests_is_predicted_while_it_does(windows):
    press = replace(contact(2.5), slide_speed_mps=0.0)
    windows.begun(slide(2.04, replace(press, end_ns=round(2.04 * NS))), [False])
    (resting,) = windows.begun(slide(2.5, press), [False])
    assert resting.contacts[-1].end_ns == round((2.5 + GOES_ON_S["tap"]) * NS)
    end = replace(press, end_ns=round(2.8 * NS))
    (over,) = windows.of(slide(2.84, end), [True])
    assert over.candidate is resting
    told = over.told(predicted(resting))
    np.testing.assert_array_equal(told.log_mel[0], np.arange(told.log_mel.shape[1]))
    assert (told.start_ns / NS + len(told.audio) / 16000) == pytest.approx(2.8 + 1.2, abs=0.05)
