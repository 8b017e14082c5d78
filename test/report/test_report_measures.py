"""Figures of a replay are those that a person would work out by hand."""

import dataclasses

import numpy as np
import pytest
from made_results import made_run, made_touches

from hearing_hands_ros.replay.result import LIVE, MissedLabel, TouchResult
from hearing_hands_ros.report.measures import OWN, Rate, measures

HOUR_NS = 3600 * 10**9


def touch(number, verdict="NORMAL", p=0.5, label="normal", **more):
    return TouchResult(
        number, number * 10**9, number * 10**9 + 10**8, verdict, "", kind="tap", p_value=p, label=label, **more
    )


def measured(touches, **run):
    return measures(made_run(touches, **run), touches, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("events", "hours", "low", "high"),
    [(0, 1.0, 0.0, 3.689), (2, 1.0, 0.242, 7.225), (10, 2.0, 4.795 / 2, 18.390 / 2)],  # tables of the Poisson count
)
def test_alarms_each_hour_have_the_exact_interval(events, hours, low, high):
    rate = Rate.of(events, hours)
    assert rate.each_hour == events / hours
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=2e-3)


def test_only_alarms_on_what_is_normal_are_false():
    touches = [touch(1, "DIFFERENT", 0.01), touch(2, "MISSING", 0.01, "missing_sound"), touch(3), touch(4, "UNKNOWN")]
    found = measured(touches, replayed_s=1800.0)
    assert (found.false_alarms.events, found.false_alarms.each_hour) == (1, 2.0)
    assert found.labelled
    unlabelled = measured([dataclasses.replace(one, label="") for one in touches], replayed_s=1800.0)
    assert unlabelled.false_alarms.events == 2
    assert not unlabelled.labelled


def test_an_event_that_nobody_noticed_was_not_found():
    touches = [touch(1, "UNEXPECTED", 0.01, "extra_sound"), touch(2)]
    found = measured(touches, missed=(MissedLabel(5 * 10**9, "extra_sound"),))
    assert [(one.label, one.found, one.of) for one in found.found] == [("extra_sound", 1, 2)]


def test_odd_touches_with_smaller_p_values_are_told_from_normal_ones():
    normal = [touch(n, p=p) for n, p in enumerate((0.2, 0.5, 0.9, 0.04))]
    odd = [touch(n + 10, "DIFFERENT", p, "wrong_material") for n, p in enumerate((0.01, 0.1))]
    own = measured([*normal, *odd]).separations[0]
    assert own.name == OWN
    assert own.auc == pytest.approx(7 / 8)  # one of eight pairs is the wrong way round
    assert own.low <= own.auc <= own.high
    assert own.false_rate.tolist() == [0.0, 0.0, 0.25, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert own.found_rate.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_what_the_prediction_helps_is_measured_against_every_baseline():
    normal = [touch(n, p=0.5, baselines={"energy": 0.5, "novelty": np.nan}) for n in range(3)]
    odd = [touch(n + 5, "DIFFERENT", 0.01, "wrong_material", baselines={"energy": 0.5}) for n in range(2)]
    found = measured([*normal, *odd]).separations
    assert [(one.name, one.auc) for one in found] == [(OWN, 1.0), ("energy", 0.5)]  # nobody has a novelty


def test_without_a_calibration_the_anomaly_score_is_judged_by():
    touches = [
        touch(n, "UNKNOWN", np.nan, label, scores={"anomaly": score})
        for n, (label, score) in enumerate((("normal", 1.0), ("normal", 3.0), ("weaker", 2.0), ("weaker", 4.0)))
    ]
    found = measured(touches)
    assert found.separations[0].auc == 0.75
    assert found.uniformity is None


def test_p_values_of_odd_touches_do_not_count_as_calibration():
    normal = [touch(n, p=p) for n, p in enumerate((0.25, 0.5, 0.75))]
    found = measured([*normal, touch(9, "DIFFERENT", 0.001, "wrong_material")]).uniformity
    assert found.p_values.tolist() == [0.25, 0.5, 0.75]
    assert found.distance == pytest.approx(0.25)


def test_verdicts_that_come_too_late_miss_the_deadline():
    touches = [touch(n, latency_s=latency, compute_s=0.1) for n, latency in enumerate((0.3, 0.4, 0.5, 1.7))]
    live = measured(touches, mode=LIVE, settings={"comparator": {"prediction_wait_s": 1.0}})
    assert live.latency.missed == 0.25
    assert live.latency.p50_s == pytest.approx(0.45)
    assert live.compute.missed == 0.0
    assert live.delay is None  # no alarm
    assert measured(touches).latency is None  # offline nobody waits


def test_an_alarm_is_late_from_the_begin_of_its_touch():
    found = measured([touch(1, "DIFFERENT", 0.01, latency_s=0.4)], mode=LIVE)
    assert found.delay.p50_s == pytest.approx(0.5)  # the touch lasts 0.1 s


def test_the_made_demo_comes_out_as_it_was_made():
    found = measured(made_touches())
    assert (found.touches, found.alone) == (41, 3)
    assert found.verdicts["UNKNOWN"] == 2
    assert sum(found.verdicts.values()) == 44
    assert found.false_alarms.events == 1
