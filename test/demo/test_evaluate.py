"""Verdicts beside the truth."""

import math

import pytest

from hearing_hands_ros.demo.evaluate import TrueEvent, evaluate
from hearing_hands_ros.demo.recording import Verdict

MS = 1_000_000


def said(at_ms, verdict, contact=1):
    return Verdict(at_ms * MS, verdict, "", contact, 1)


def was(at_ms, anomaly="none"):
    return TrueEvent(at_ms * MS, anomaly, "wood")


def test_recall_and_precision_count_anomalies_only():
    truth = [was(0), was(1000, "wrong_material"), was(2000, "missing_sound"), was(3000, "extra_sound"), was(4000)]
    verdicts = [said(5, "NORMAL"), said(1010, "DIFFERENT"), said(2000, "NORMAL"), said(3020, "UNEXPECTED", 0)]
    verdicts += [said(4000, "MISSING")]
    result = evaluate(verdicts, truth)
    assert [outcome.kind for outcome in result.outcomes] == ["normal", "found", "missed", "found", "false-alarm"]
    assert result.recall == pytest.approx(2 / 3)
    assert result.precision == pytest.approx(2 / 3)
    assert result.right_kind == 2


def test_a_verdict_on_nothing_is_a_false_alarm_and_silence_about_an_anomaly_a_miss():
    result = evaluate([said(500, "UNEXPECTED", 0)], [was(2000, "missing_sound"), was(3000)])
    assert [outcome.kind for outcome in result.outcomes] == ["false-alarm", "missed", "unknown"]
    assert result.recall == 0.0
    assert result.precision == 0.0


def test_the_wrong_kind_of_anomaly_is_found_but_not_right():
    result = evaluate([said(0, "MISSING")], [was(0, "wrong_material")])
    assert result.recall == 1.0
    assert result.right_kind == 0


def test_unknown_is_neither_found_nor_false():
    result = evaluate([said(0, "UNKNOWN"), said(1000, "UNKNOWN")], [was(0), was(1000, "wrong_material")])
    assert [outcome.kind for outcome in result.outcomes] == ["unknown", "missed"]
    assert math.isnan(result.precision)


def test_each_event_is_matched_once_and_nearest_first():
    result = evaluate([said(0, "NORMAL"), said(100, "DIFFERENT")], [was(90, "wrong_material")])
    assert [outcome.kind for outcome in result.outcomes] == ["normal", "found"]
