import math

import numpy as np
import pytest

from hearing_hands_ros.compare.calibration import Calibration
from hearing_hands_ros.compare.scores import TouchScores


def of(values, name="material"):
    return Calibration.of("a test", [TouchScores({name: v}, 0.0, 0.3) for v in values])


def test_p_value_counts_touches_at_least_as_odd():
    c = of([1.0, 2.0, 2.0, 3.0])
    assert [c.p_value("material", v) for v in (0.0, 1.0, 2.0, 2.5, 3.0, 9.0)] == [1.0, 1.0, 0.8, 0.4, 0.4, 0.2]
    assert math.isnan(c.p_value("material", math.nan))


def test_false_alarms_keep_to_alpha_whatever_the_distribution():
    generator = np.random.default_rng(0)
    alarms = []
    for _ in range(400):
        scores = np.exp(generator.normal(0, 2, 59))
        c = of(scores[:39])
        alarms += [c.p_value("material", float(v)) <= 0.05 for v in scores[39:]]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.015)


def test_too_few_touches_are_refused():
    of(range(19)).check("material", 0.05)
    with pytest.raises(ValueError, match="wanted 19 normal touches or more for alpha 0.05, got 18"):
        of(range(18)).check("material", 0.05)
    with pytest.raises(ValueError, match="got 0"):
        of(range(19)).check("log_mel", 0.05)
    with pytest.raises(ValueError, match="alpha"):
        of(range(19)).check("material", 0.0)


def test_what_is_nan_is_left_out():
    assert of([1.0, math.nan, 2.0]).count("material") == 2


def test_saved_is_loaded_again(tmp_path):
    c = of([0.25, -1.5, 3.0])
    c.save(tmp_path / "c.yaml")
    assert Calibration.load(tmp_path / "c.yaml") == c


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "format"),
        ("format: other", "format"),
        ("format: hearing_hands_ros/calibration/1\nsource: a\nscores: {}", "scores"),
        ("format: hearing_hands_ros/calibration/1\nsource: 3\nscores: {a: [1]}", "source"),
        ("format: hearing_hands_ros/calibration/1\nsource: a\nscores: {a: [x]}", "scores.a"),
        ("format: hearing_hands_ros/calibration/1\nsource: a\nscores: {a: [.nan]}", "a wanted finite"),
        ("format: hearing_hands_ros/calibration/1\nsource: a\nscores: {a: [2, 1]}", "ascending"),
        ("a: [", "YAML"),
    ],
)
def test_file_that_is_no_calibration_is_refused(tmp_path, text, what):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=what):
        Calibration.load(tmp_path / "c.yaml")


def test_missing_file_and_score_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"c\.yaml"):
        Calibration.load(tmp_path / "c.yaml")
    with pytest.raises(KeyError, match="log_mel"):
        of([1.0]).p_value("log_mel", 1.0)
