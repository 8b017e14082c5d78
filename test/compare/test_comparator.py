"""The comparator without ROS: pieces in any order, one verdict a touch."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from armed import bank_calibration, scorer

from hearing_hands_ros.compare.collection import CalibrationCollection
from hearing_hands_ros.compare.comparator import Comparator
from hearing_hands_ros.compare.judge import Judgement, TouchJudge
from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank
from hearing_hands_ros.train.anomalies.bank_touches import one_touch

DEMO = Path(__file__).parents[2] / "demo"
NS = 1_000_000_000
START = 1_700_000_000 * NS
RATE = 16000


@pytest.fixture(scope="module")
def bank():
    return ExampleBank.load(DEMO / "bank")


@pytest.fixture(scope="module")
def heard_ones():
    return ExampleBank.load(DEMO / "held_out").exemplars


@pytest.fixture(scope="module")
def judge():
    return TouchJudge(scorer(), bank_calibration(), 0.05)


def room(seconds, sounds=(), seed=0):
    """Room noise with recorded taps at given times."""
    wave = np.random.default_rng(seed).normal(0, 3e-4, round(seconds * RATE)).astype(np.float32)
    for at, exemplar in sounds:
        first = round((at - LEAD_S) * RATE)
        piece = 0.1 * exemplar.wave[: len(wave) - first]
        wave[first : first + len(piece)] += piece
    return wave


def tap_of(exemplars, material, index=1):
    return [e for e in exemplars if e.material == material and e.kind == "tap"][index]


def compare(judge, bank, wave, touches=(), block=320, order="hands first", rate=RATE, lag_s=0.0):
    """Run the comparator over `wave`; touches are (time, material). Returns its verdicts by time."""
    comparator = Comparator(judge, ComparatorSettings(microphone_lag_s=lag_s))
    predictor = ExamplePredictor(bank)
    results = []
    told = 0
    for first in range(0, len(wave), block):
        now = START + first * NS // rate
        comparator.hear(now, wave[first : first + block, None], rate)
        while told < len(touches) and touches[told][0] + 0.15 < first / rate:
            motion = one_touch(touches[told][1], "tap", START + round((touches[told][0] - 0.3) * NS))
            prediction = predictor.predict([motion])[0]
            steps = [lambda m=motion: comparator.see(m), lambda p=prediction, n=told: comparator.expect(p, n + 1)]
            for step in steps if order == "hands first" else steps[::-1]:
                step()
            told += 1
        if first // block % 25 == 0 and first:
            comparator.see(standing(now))
        results += comparator.poll(now + block * NS // rate)
    return results


def standing(end_ns):
    """A second of a hand that touches nothing."""
    return replace(one_touch("stone", "tap", end_ns - NS), contacts=())


@pytest.mark.parametrize("order", ["hands first", "prediction first"])
@pytest.mark.parametrize("block", [320, 1000])
def test_each_touch_gets_one_verdict_whatever_comes_first(judge, bank, heard_ones, order, block):
    wave = room(6.0, [(1.0, tap_of(heard_ones, "stone")), (2.5, tap_of(heard_ones, "snow", 0))])
    results = compare(judge, bank, wave, [(1.0, "stone"), (2.5, "stone"), (4.0, "metal")], block, order)
    assert [r.judgement.verdict for r in results] == [Verdict.NORMAL, Verdict.DIFFERENT, Verdict.MISSING]
    assert [r.prediction_id for r in results] == [1, 2, 3]


def test_a_sound_alone_is_reported_once(judge, bank, heard_ones):
    results = compare(judge, bank, room(4.0, [(1.5, tap_of(heard_ones, "metal"))]))
    assert [r.judgement.verdict for r in results] == [Verdict.UNEXPECTED]
    assert (results[0].stamp_ns - START) / NS == pytest.approx(1.5, abs=0.02)
    assert results[0].contact is None


def test_room_noise_alone_is_nothing(judge, bank):
    assert compare(judge, bank, room(10.0)) == []


def test_the_microphones_lag_is_taken_out(judge, bank, heard_ones):
    wave = room(4.0, [(1.2, tap_of(heard_ones, "stone"))])
    on_time = compare(judge, bank, wave, [(1.0, "stone")], lag_s=0.2)
    assert [r.judgement.verdict for r in on_time] == [Verdict.NORMAL]
    assert on_time[0].judgement.lag_s == pytest.approx(0.0, abs=0.012)
    late = compare(judge, bank, wave, [(1.0, "stone")])[0].judgement
    assert late.verdict in (Verdict.MISSING, Verdict.DIFFERENT)
    assert not late.heard_onset


def test_a_touch_hidden_by_the_one_before_it_is_not_called_missing(judge, bank, heard_ones):
    # Steps on gravel crunch for half a second: a second one cannot be told while the first goes on.
    wave = room(4.0, [(1.0, tap_of(heard_ones, "gravel", 0))])
    comparator = Comparator(judge, ComparatorSettings())
    first = one_touch("gravel", "tap", START + round(0.7 * NS))
    second = one_touch("gravel", "tap", START + round(0.9 * NS)).contacts[0]
    second = replace(second, contact_id=2)
    motion = replace(first, contacts=(replace(first.contacts[0], contact_id=1), second))
    prediction = ExamplePredictor(bank).predict([motion])[0]
    comparator.hear(START, wave[:, None], RATE)
    comparator.see(motion)
    comparator.see(standing(START + 2 * NS))
    comparator.expect(prediction, 7)
    results = [r for r in comparator.poll(START + 3 * NS) if r.prediction_id == 7]
    assert results[0].judgement.verdict in (Verdict.UNKNOWN, Verdict.NORMAL, Verdict.DIFFERENT)
    assert results[0].judgement.verdict != Verdict.MISSING


def test_no_prediction_no_sound_no_hands_are_all_unknown(judge, bank, heard_ones):
    comparator = Comparator(judge, ComparatorSettings())
    motion = one_touch("stone", "tap", START)
    comparator.see(motion)
    assert comparator.poll(START + NS) == []
    unknown = comparator.poll(START + 5 * NS)
    assert [r.judgement.verdict for r in unknown] == [Verdict.UNKNOWN]
    assert "no prediction" in unknown[0].judgement.reason
    assert comparator.poll(START + 6 * NS) == []

    comparator = Comparator(judge, ComparatorSettings())
    comparator.expect(ExamplePredictor(bank).predict([motion])[0], 1)
    unknown = comparator.poll(START + 5 * NS)
    assert "nothing was heard" in unknown[0].judgement.reason

    comparator = Comparator(judge, ComparatorSettings())
    comparator.hear(START, room(3.0, [(1.0, tap_of(heard_ones, "metal"))])[:, None], RATE)
    unknown = comparator.poll(START + 5 * NS)
    assert [r.judgement.verdict for r in unknown] == [Verdict.UNKNOWN]
    assert "no hand was followed" in unknown[0].judgement.reason


def test_it_forgets_what_is_old_and_judges_no_touch_again(judge):
    comparator = Comparator(judge, ComparatorSettings())
    motions, judged = [], []
    for second in range(0, 300, 2):
        motions.append(one_touch("stone", "tap", START + second * NS))
        contacts = tuple(motion.contacts[0] for motion in motions[-20:])  # windows of 40 s
        comparator.see(replace(motions[-1], contacts=contacts))
        judged += [result.stamp_ns for result in comparator.poll(START + (second + 2) * NS)]
    assert judged == [motion.contacts[0].start_ns for motion in motions]
    assert len(comparator._touches) < 15
    assert len(comparator._hands) <= 2000


def test_touches_from_before_the_start_are_not_judged_but_known(judge, heard_ones):
    comparator = Comparator(judge, ComparatorSettings())
    comparator.clear(START + NS // 2)
    old, new = one_touch("stone", "tap", START), one_touch("metal", "tap", START + 2 * NS)
    wave = room(4.0, [(0.75, tap_of(heard_ones, "stone"))])  # rings on after the start
    comparator.hear(START + NS // 2, wave[RATE // 2 :, None], RATE)
    comparator.see(replace(standing(START + 4 * NS), contacts=(*old.contacts, *new.contacts)))
    results = comparator.poll(START + 9 * NS)
    assert [result.contact for result in results] == list(new.contacts)


def test_a_touch_waits_until_it_is_known_whether_another_begins_in_its_sound(judge, bank, heard_ones):
    wave = room(3.0, [(1.0, tap_of(heard_ones, "stone")), (1.28, tap_of(heard_ones, "metal"))])
    first, second = (one_touch(m, "tap", START + round(t * NS)) for m, t in (("stone", 0.7), ("metal", 0.98)))
    predictor = ExamplePredictor(bank)

    def told_of_the_first():
        comparator = Comparator(judge, ComparatorSettings())
        comparator.hear(START, wave[:, None], RATE)
        comparator.see(replace(standing(START + round(1.2 * NS)), contacts=first.contacts))
        comparator.expect(predictor.predict([first])[0], 1)
        assert comparator.poll(START + round(1.37 * NS)) == []
        return comparator

    comparator = told_of_the_first()
    comparator.see(standing(START + 2 * NS), going_on=second.contacts)
    assert [r.judgement.verdict for r in comparator.poll(START + 2 * NS)] == [Verdict.NORMAL]
    comparator = told_of_the_first()  # and nothing of the hands any more
    assert [r.prediction_id for r in comparator.poll(START + round(3.2 * NS)) if r.contact] == [1]


def test_hands_from_before_a_clock_jump_do_not_stay(judge, heard_ones):
    comparator = Comparator(judge, ComparatorSettings())
    comparator.see(standing(START + 50 * NS))
    comparator.hear(START, room(3.0, [(1.0, tap_of(heard_ones, "metal"))])[:, None], RATE)
    comparator.see(standing(START + round(1.8 * NS)))
    assert [r.judgement.verdict for r in comparator.poll(START + 3 * NS)] == [Verdict.UNEXPECTED]
    assert comparator.hands_until_ns < START + 2 * NS


def hear_with(judge, bank, heard_ones, lose):
    """Verdicts on touches of wood at 1.2 and 2.6 s; `lose` spoils sound (L, 1) and lost (L,)."""
    wave = room(4.0, [(t, tap_of(heard_ones, "stone")) for t in (1.2, 2.6)])[:, None]
    lost = np.zeros(len(wave), bool)
    lose(wave, lost)
    comparator = Comparator(judge, ComparatorSettings())
    for first in range(0, len(wave), 320):
        comparator.hear(START + first * NS // RATE, wave[first : first + 320], RATE, lost[first : first + 320])
    for number, at in enumerate((1.2, 2.6)):
        motion = one_touch("stone", "tap", START + round((at - 0.3) * NS))
        comparator.see(motion)
        comparator.expect(ExamplePredictor(bank).predict([motion])[0], number + 1)
    comparator.see(standing(START + 4 * NS))
    return comparator.poll(START + 4 * NS)


def test_a_few_lost_samples_spoil_the_touch_they_belong_to_and_no_other(judge, bank, heard_ones):
    def lose(wave, lost):
        at = slice(round(1.25 * RATE), round(1.255 * RATE))
        wave[at], lost[at] = 0.0, True

    spoiled, whole = (r.judgement for r in hear_with(judge, bank, heard_ones, lose) if r.contact)
    assert (spoiled.verdict, whole.verdict) == (Verdict.UNKNOWN, Verdict.NORMAL)
    assert "all but 5.0 ms: audio was lost" in spoiled.reason
    assert spoiled.touch is None  # nor does a calibration count it


def test_a_microphone_that_gives_exact_zeros_makes_no_touch_missing(judge, bank, heard_ones):
    def mute(wave, lost):
        wave[round(2.2 * RATE) :] = 0.0

    heard, muted = (r.judgement for r in hear_with(judge, bank, heard_ones, mute))
    assert (heard.verdict, muted.verdict) == (Verdict.NORMAL, Verdict.UNKNOWN)
    assert "exactly zero" in muted.reason


@pytest.mark.parametrize("marked", [True, False])
def test_room_noise_that_comes_back_after_a_gap_is_no_sound(judge, marked):
    comparator = Comparator(judge, ComparatorSettings())
    wave = room(6.0)[:, None]
    for first in range(0, len(wave), 320):
        gone = 2.0 <= first / RATE < 4.0
        block = np.zeros((320, 1), np.float32) if gone else wave[first : first + 320]
        if marked or not gone:
            comparator.hear(START + first * NS // RATE, block, RATE, np.full(320, gone))
    comparator.see(standing(START + 6 * NS))
    assert comparator.poll(START + 9 * NS) == []


def test_a_touch_longer_than_the_sound_that_is_kept_is_unknown(judge, bank):
    comparator = Comparator(judge, ComparatorSettings())
    motion = one_touch("stone", "tap", START)
    endless = replace(motion.contacts[0], start_ns=0, end_ns=START)
    comparator.hear(START, room(1.0)[:, None], RATE)
    comparator.expect(replace(ExamplePredictor(bank).predict([motion])[0], contacts=(endless,)), 1)
    comparator.see(standing(START + NS))
    (result,) = comparator.poll(START + NS)
    assert result.judgement.verdict == Verdict.UNKNOWN
    assert "at most 20 s" in result.judgement.reason


def test_a_collection_takes_only_touches_that_were_scored(judge, bank, heard_ones):
    wave = room(4.0, [(1.0, tap_of(heard_ones, "stone"))])
    (heard,) = (result.judgement for result in compare(judge, bank, wave, [(1.0, "stone")]))
    collection = CalibrationCollection(2, 0.4, "")
    for nothing in (Judgement.unknown("audio was lost"), replace(heard, touch=None)):
        assert not collection.add(nothing)
    assert collection.add(heard)
    assert str(collection) == "calibrating 1 of 2"
    assert not collection.is_complete
    assert collection.add(heard)
    assert collection.is_complete
    collection.add_quiet([0.0, 1.5], [0.0])
    calibration = collection.calibration(scorer(), "", 0.3)
    assert collection.save(calibration, Path("/nowhere")) == "calibrated on 2 touches and 2 quiet seconds"
    assert calibration.count("alone") == 2


def test_a_collection_wants_enough_touches_for_alpha_and_a_plain_name():
    CalibrationCollection(19, 0.05, "desk")
    for wanted in (0, 18):
        with pytest.raises(ValueError, match=f"touches wants 19 or more for alpha 0.05, got {wanted}"):
            CalibrationCollection(wanted, 0.05, "desk")
    for name in ("../x", "a/b", ".", "a.yaml", "x" * 80):
        with pytest.raises(ValueError, match="letters, digits"):
            CalibrationCollection(19, 0.05, name)


def test_a_collection_that_cannot_be_saved_says_so(judge, bank, heard_ones, tmp_path):
    wave = room(4.0, [(1.0, tap_of(heard_ones, "stone"))])
    (heard,) = (result.judgement for result in compare(judge, bank, wave, [(1.0, "stone")]))
    (tmp_path / "file").write_text("")
    collection = CalibrationCollection(1, 0.5, "desk", [heard.touch])
    with pytest.raises(OSError, match="file"):
        collection.save(bank_calibration(), tmp_path / "file")


def test_quiet_is_counted_where_a_hand_is_followed_and_touches_nothing(judge, bank, heard_ones):
    comparator = Comparator(judge, ComparatorSettings())
    wave = room(12.0, [(2.0, tap_of(heard_ones, "stone")), (6.3, tap_of(heard_ones, "metal"))])
    touch = one_touch("stone", "tap", START + round(1.7 * NS))
    for first in range(0, len(wave), 320):
        now = START + first * NS // RATE
        comparator.hear(now, wave[first : first + 320, None], RATE)
        if first % 8000 == 0 and first:
            comparator.see(touch if first == 40_000 else standing(now))
        comparator.poll(now)
    quiet = comparator.take_quiet()
    assert 6 <= len(quiet) <= 9  # seconds 1 to 3 are the touch's
    assert sum(rise > 3.0 for rise in quiet) == 1  # the metal
    assert comparator.take_quiet() == []


def test_sounds_that_this_room_makes_when_quiet_are_nothing_unexpected(heard_ones, bank):
    wave = room(4.0, [(1.5, tap_of(heard_ones, "metal"))])
    known = bank_calibration()
    (alone,) = compare(TouchJudge(scorer(), known, 0.05), bank, wave)
    assert alone.judgement.verdict == Verdict.UNEXPECTED
    for clicks, reported in ((alone.judgement.scores["alone"] + 1.0, 0), (alone.judgement.scores["alone"] - 1.0, 1)):
        often = replace(known, scores={**known.scores, "alone": {(): (clicks,) * 150}})
        assert len(compare(TouchJudge(scorer(), often, 0.05), bank, wave)) == reported


def test_what_begins_while_a_touch_may_still_ring_is_compared_with_normal_touches(heard_ones, bank):
    wave = room(5.0, [(1.0, tap_of(heard_ones, "stone")), (1.45, tap_of(heard_ones, "metal"))])
    known = bank_calibration()
    normal, beside = compare(TouchJudge(scorer(), known, 0.05), bank, wave, [(1.0, "stone")])
    assert (normal.judgement.verdict, beside.judgement.verdict) == (Verdict.NORMAL, Verdict.UNEXPECTED)
    assert beside.stamp_ns == pytest.approx(START + 1.45 * NS, abs=0.02 * NS)
    assert beside.contact is None
    assert "a sound began after a touch" in beside.judgement.reason
    rise = beside.judgement.scores["after"]
    for rises, verdicts in (((rise + 1.0,) * 150, 1), ((rise - 1.0,) * 150, 2), ((0.0,) * 18, 1)):
        often = replace(known, scores={**known.scores, "after": {(): rises}})
        assert len(compare(TouchJudge(scorer(), often, 0.05), bank, wave, [(1.0, "stone")])) == verdicts


def test_what_begins_after_touches_is_counted_once_for_each(judge, bank, heard_ones):
    comparator, predictor = Comparator(judge, ComparatorSettings()), ExamplePredictor(bank)
    sounds = [(1.0, "stone"), (1.45, "metal"), (3.0, "stone")]
    wave, after = room(5.0, [(at, tap_of(heard_ones, material)) for at, material in sounds]), []
    touches = {at: one_touch("stone", "tap", START + round((at - 0.3) * NS)) for at in (1.0, 3.0)}
    for number, first in enumerate(range(0, len(wave), 320)):
        now = START + first * NS // RATE
        comparator.hear(now, wave[first : first + 320, None], RATE)
        for at, touch in list(touches.items()):
            if first > (at + 0.1) * RATE:
                comparator.see(touch)
                comparator.expect(predictor.predict([touches.pop(at)])[0], number)
        if number % 5 == 0:
            comparator.see(standing(now))
        comparator.poll(now)
        after += comparator.take_after()
    assert [rise > 3.0 for rise in after] == [True, False]


def test_a_stamp_from_long_ago_keeps_nobody_busy(judge):
    comparator = Comparator(judge, ComparatorSettings())
    comparator.hear(0, room(0.1)[:, None], RATE)
    comparator.see(standing(START))
    begun = time.process_time()
    comparator.poll(START)
    comparator.poll(START + 10**6 * NS)
    assert time.process_time() - begun < 1.0
