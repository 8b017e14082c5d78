"""Verdicts on single touches, and the calibration that they are given by."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from armed import BANK, bank_calibration, scorer

from hearing_hands_ros.compare.calibrated import calibrated
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.judge import TouchJudge
from hearing_hands_ros.compare.verdict import Verdict, verdict_of
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.train.anomalies.bank_touches import touches_of_bank

ALPHA = 0.05


@pytest.fixture(scope="module")
def taps():
    """All taps of the bank, in random order."""
    found = touches_of_bank(ExampleBank.load(Path(BANK)), snr_db=50.0, seed=1)
    return [touch for touch in found if touch.contact.kind == "tap"]


def judged(judge, touch, samples=None):
    """The verdict on a touch, or on other samples in its place."""
    samples = touch.samples if samples is None else samples
    return judge.judge(samples, np.ones(len(samples), bool), touch.prediction)


def clear(taps, material):
    """The tap of a material that is least odd."""
    return min((t for t in taps if t.contact.material == material), key=scorer().score)


def silence(touch):
    """Noise like that before the touch, all along."""
    return (
        np.random.default_rng(0).normal(0.0, float(touch.samples[:4000].std()), touch.samples.size).astype(np.float32)
    )


def test_each_verdict_comes_with_its_evidence(taps):
    judge = TouchJudge(scorer(), bank_calibration(), ALPHA)
    stone = clear(taps, "stone")
    normal = judged(judge, stone)
    assert normal.verdict == Verdict.NORMAL, normal.reason
    assert normal.heard_onset
    assert abs(normal.lag_s) < 0.02
    assert any(abs(onset) < 0.02 for onset in normal.onsets_s)
    assert normal.company == "tap 0.3.. m/s"
    assert normal.nearest_material == normal.expected_material == "stone"
    missing = judged(judge, stone, silence(stone))
    assert (missing.verdict, missing.heard_onset) == (Verdict.MISSING, False)
    assert missing.p_value <= ALPHA
    snow = clear(taps, "snow")
    different = judged(judge, stone, snow.samples)
    assert different.verdict == Verdict.DIFFERENT
    assert different.nearest_material == "snow"
    assert "sounds like snow" in different.reason
    assert different.difference is not None
    assert str(different.difference) in different.reason
    metal = clear(taps, "metal")
    extra = metal.samples.copy()
    extra[8000:] += clear(taps, "stone").samples[4700:][: extra.size - 8000]
    beside = judged(judge, metal, extra)
    assert beside.verdict in (Verdict.UNEXPECTED, Verdict.DIFFERENT), beside.reason
    assert any(abs(onset - 0.2) < 0.03 for onset in beside.onsets_s)


def test_what_is_most_likely_wrong_names_the_verdict():
    assert verdict_of("extra", heard_onset=True) == Verdict.UNEXPECTED
    assert verdict_of("missing", heard_onset=False) == Verdict.MISSING
    assert verdict_of("weaker", heard_onset=True) == Verdict.DIFFERENT
    assert verdict_of("wrong material", heard_onset=False) == Verdict.DIFFERENT


def test_nothing_is_normal_without_a_calibration_that_fits(taps):
    touch = clear(taps, "stone")
    few = calibrated(taps[:19], [], scorer(), ALPHA, "few")
    for calibration, alpha, said in (
        (None, ALPHA, "not calibrated"),
        (replace(bank_calibration(), made_with={"scorer": "0123", "model": "x"}), ALPHA, "got 0123"),
        (replace(bank_calibration(), made_with={**bank_calibration().made_with, "model": "other"}), ALPHA, "of other"),
        (few, 0.01, "got 19: 80 are missing"),
    ):
        judgement = judged(TouchJudge(scorer(), calibration, alpha), touch)
        assert judgement.verdict == Verdict.UNKNOWN
        assert said in judgement.reason
        assert judgement.is_scored  # so that it can be calibrated with


def test_a_slide_is_not_compared_with_taps(taps):
    touch = clear(taps, "stone")
    slide = replace(touch.contact, kind="slide", slide_speed_mps=0.3)
    prediction = replace(touch.prediction, contacts=(slide,))
    judge = TouchJudge(scorer(), bank_calibration(), ALPHA)
    judgement = judge.judge(touch.samples, np.ones(touch.samples.size, bool), prediction)
    assert judgement.verdict == Verdict.UNKNOWN
    assert "slide 0.2.. m/s: wanted 19 normal touches" in judgement.reason


def test_false_alarms_come_at_the_rate_that_was_asked_for(taps):
    order = np.random.default_rng(3).permutation(len(taps))
    rates = []
    for known, others in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        calibration = calibrated([taps[i] for i in known], [], scorer(), 0.1, "half")
        judge = TouchJudge(scorer(), calibration, 0.1)
        p = np.array([judged(judge, taps[i]).p_value for i in others])
        rates.append(np.mean(p <= 0.1))
    assert 0.02 < np.mean(rates) < 0.2


def test_another_microphone_is_adapted_to(taps):
    """One that is 25 dB less sensitive: uncalibrated all touches are weaker; calibrated, only the weaker ones are."""
    faint = [replace(t, samples=(t.samples * 10 ** (-25 / 20)).astype(np.float32)) for t in taps]
    adapted = calibrated(faint[:120], [], scorer(), ALPHA, "faint")
    judge, other = TouchJudge(scorer(), adapted, ALPHA), TouchJudge(scorer(), bank_calibration(), ALPHA)
    assert np.mean([judged(judge, t).verdict == Verdict.NORMAL for t in faint[120:]]) > 0.75
    levels = {
        name: np.median([judged(j, t).scores["level"] for t in faint[120:]])
        for name, j in (("adapted", judge), ("not", other))
    }
    assert abs(levels["adapted"]) < 5.0
    assert levels["not"] > 15.0


def test_change_and_drift_are_told_apart_from_single_verdicts(taps):
    calibration = calibrated(taps[:100], [], scorer(), ALPHA, "first")
    judge = TouchJudge(scorer(), calibration, ALPHA, run_length=1000.0)
    for touch in taps[100:]:
        judged(judge, touch)
    assert judge.watch.alarm.alarms == 0
    assert judge.watch.drift.report() == []
    wrong = [replace(b, samples=a.samples) for a, b in pairwise(taps)]
    changed = [judged(judge, touch).watched for touch in wrong[:40]]
    assert any(one.changed for one in changed)
    assert changed[0].change < 1.0
    judge.forget()
    for touch in taps[:30]:
        judged(judge, replace(touch, samples=(touch.samples * 0.25).astype(np.float32)))
    assert any("microphone gain" in text for text in judge.watch.drift.report())


def test_baselines_are_asked_beside_it(taps):
    judge = TouchJudge(scorer(), bank_calibration(), ALPHA)
    watched = [judged(judge, touch).watched for touch in taps[:40]]
    assert set(watched[-1].baselines) == {"energy", "novelty", "anomaly_shuffled"}
    assert math.isnan(watched[0].baselines["energy"])
    assert all(0.0 < p <= 1.0 for p in watched[-1].baselines.values())
    normal = [judged(judge, touch).p_value for touch in taps[:40]]
    assert np.mean(np.array(normal) <= ALPHA) < 0.2


def test_a_touch_that_the_next_one_cuts_off_at_once_is_not_judged(taps):
    judge, touch = TouchJudge(scorer(), bank_calibration(), ALPHA), clear(taps, "stone")
    heard = np.ones(touch.samples.size, bool)
    soon, later = (judge.judge(touch.samples, heard, touch.prediction, at) for at in (0.45, 0.55))
    assert soon.verdict == Verdict.UNKNOWN
    assert "wanted 0.2 s of its sound before the next touch, got 0.15 s" in soon.reason
    assert later.verdict == Verdict.NORMAL


def test_taps_that_are_not_heard_make_no_calibration_beside_slides_that_are(taps):
    slides = [replace(t, contact=replace(t.contact, kind="slide")) for t in taps[:60]]
    deaf = [replace(t, onset_s=None) for t in taps[60:70]]
    with pytest.raises(ValueError, match="got 10 of 10 taps without an onset"):
        calibrated([*slides, *deaf], [], scorer(), ALPHA, "deaf")


def test_a_calibration_is_the_same_after_it_was_saved(tmp_path):
    bank_calibration().save(tmp_path / "c.yaml")
    loaded = ConformalCalibration.load(tmp_path / "c.yaml")
    assert loaded == bank_calibration()


def test_a_calibration_of_two_models_is_refused(taps):
    other = replace(taps[0], prediction=replace(taps[0].prediction, model="other"))
    with pytest.raises(ValueError, match="wanted predictions of one model, got those of impact-sounds-bank@.*, other"):
        calibrated([*taps[:40], other], [], scorer(), ALPHA, "mixed")
