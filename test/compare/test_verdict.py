import math
from dataclasses import replace

import pytest

from hearing_hands_ros.compare.calibration import Calibration
from hearing_hands_ros.compare.scores import TouchScores
from hearing_hands_ros.compare.verdict import Verdict, decide
from hearing_hands_ros.predictors.protocol import Contact

TAP = Contact(0, 10**7, 1, "wood", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.5, 0.0, "tap")
CALIBRATION = Calibration("a test", {"material": tuple(map(float, range(39))), "log_mel": tuple(map(float, range(39)))})


def scores(**values):
    return TouchScores(values, 0.001, 0.301, nearest_material="metal")


def test_numbers_are_those_of_the_message():
    assert [v.name for v in sorted(Verdict)] == ["UNKNOWN", "NORMAL", "UNEXPECTED", "MISSING", "DIFFERENT"]
    assert [int(v) for v in sorted(Verdict)] == [0, 1, 2, 3, 4]


def test_touch_as_expected_is_normal():
    d = decide(TAP, True, scores(material=10.0), CALIBRATION)
    assert (d.verdict, d.score) == (Verdict.NORMAL, "material")
    assert d.p_value == pytest.approx(30 / 40)


def test_odd_touch_is_different_and_says_what_it_is_like():
    d = decide(TAP, True, scores(material=50.0), CALIBRATION)
    assert d.verdict == Verdict.DIFFERENT
    assert "metal" in d.reason
    assert "wood" in d.reason


def test_p_value_of_exactly_alpha_is_different():
    assert decide(TAP, True, scores(material=38.0), CALIBRATION, alpha=0.05).p_value == 0.05
    assert decide(TAP, True, scores(material=38.0), CALIBRATION, alpha=0.05).verdict == Verdict.DIFFERENT
    assert decide(TAP, True, scores(material=37.0), CALIBRATION, alpha=0.05).verdict == Verdict.NORMAL


def test_touch_without_sound_is_missing_and_sound_without_touch_unexpected():
    assert decide(TAP, False).verdict == Verdict.MISSING
    assert decide(None, True).verdict == Verdict.UNEXPECTED


def test_without_a_bank_the_mel_decides():
    assert decide(TAP, True, scores(log_mel=50.0, envelope=1.0), CALIBRATION).score == "log_mel"


@pytest.mark.parametrize(
    ("contact", "heard", "given", "calibration", "lost_s", "what"),
    [
        (TAP, True, scores(material=1.0), CALIBRATION, 0.002, "all but 2.0 ms"),
        (TAP, False, None, CALIBRATION, 0.5, "lost"),
        (None, True, None, CALIBRATION, 0.5, "lost"),
        (TAP, True, scores(material=1.0), CALIBRATION, math.nan, "lost"),
        (TAP, True, None, CALIBRATION, 0.0, "no prediction"),
        (TAP, True, scores(material=1.0), None, 0.0, "calibration"),
        (TAP, True, scores(material=math.nan), CALIBRATION, 0.0, "no material score"),
        (TAP, True, scores(), CALIBRATION, 0.0, "no log_mel score"),
        (TAP, True, scores(material=1.0), Calibration("few", {"material": (1.0, 2.0)}), 0.0, "wanted 19"),
        (TAP, True, scores(material=1.0), Calibration("other", {"log_mel": (1.0,) * 50}), 0.0, "wanted 19"),
        (replace(TAP, material=""), True, scores(material=1.0), CALIBRATION, 0.0, "does not say"),
    ],
)
def test_lack_of_data_is_unknown_and_never_normal(contact, heard, given, calibration, lost_s, what):
    d = decide(contact, heard, given, calibration, lost_s=lost_s)
    assert d.verdict == Verdict.UNKNOWN
    assert what in d.reason


def test_nothing_to_judge_and_impossible_alpha_are_refused():
    with pytest.raises(ValueError, match="neither"):
        decide(None, False)
    with pytest.raises(ValueError, match="alpha"):
        decide(TAP, True, alpha=1.0)
