import math

import numpy as np
import pytest
import yaml

from hearing_hands_ros.compare.scoring.anomaly_model import NORMAL, AnomalyModel

NAMES = ("loud", "late")


def drawn(count, seed=0, gain=1.0):
    """Touches that are normal, too loud or too late; slides are twice as scattered."""
    rng = np.random.default_rng(seed)
    touches, kinds, labels = [], [], []
    for _ in range(count):
        kind = ("tap", "slide")[int(rng.integers(2))]
        label = (NORMAL, "louder", "later")[int(rng.integers(3))]
        scale = gain * (2.0 if kind == "slide" else 1.0)
        values = rng.normal(0.0, scale, 2) + scale * np.array([4.0 * (label == "louder"), 4.0 * (label == "later")])
        touches.append(dict(zip(NAMES, map(float, values), strict=True)))
        kinds.append(kind)
        labels.append(label)
    return touches, kinds, labels


@pytest.fixture(scope="module")
def model():
    return AnomalyModel.fit(NAMES, *drawn(600))


def found(model, touches, kinds, labels):
    """Share of anomalies over the 5 % oddest normal touches."""
    scores = np.array([model.score(t, k) for t, k in zip(touches, kinds, strict=True)])
    normal = np.array(labels) == NORMAL
    return float((scores[~normal] > np.quantile(scores[normal], 0.95)).mean())


def test_anomalies_of_either_sort_are_found_and_named(model):
    touches, kinds, labels = drawn(400, seed=1)
    assert found(model, touches, kinds, labels) > 0.9
    odd = [(model.log_odds(t, k), label) for t, k, label in zip(touches, kinds, labels, strict=True) if label != NORMAL]
    assert np.mean([max(odds, key=odds.get) == label for odds, label in odd]) > 0.9


def test_normal_touches_of_another_robot_replace_what_scores_are_measured_by(model):
    """There every score is ten times as large; unmeasured, all touches but few would be odd."""
    known, kinds, labels = drawn(300, seed=2, gain=10.0)
    normal = [i for i, label in enumerate(labels) if label == NORMAL]
    moved = model.measured_by([known[i] for i in normal], [kinds[i] for i in normal])
    new = drawn(400, seed=3, gain=10.0)
    assert found(moved, *new) > 0.9
    medians = [np.median([m.score(t, k) for t, k in zip(known, kinds, strict=True)]) for m in (model, moved)]
    assert medians[0] > medians[1] + 1.0
    assert moved.weights == model.weights


def test_one_score_that_is_missing_counts_as_normal_and_without_any_there_is_none(model):
    whole, part = {"loud": 8.0, "late": 0.0}, {"loud": 8.0, "late": math.nan}
    assert model.score(part, "tap") == pytest.approx(model.score(whole, "tap"), abs=0.5)
    assert math.isnan(model.score({"loud": math.nan}, "tap"))


def test_a_score_far_off_the_scale_does_not_grow_for_ever(model):
    assert model.score({"loud": 1e9, "late": 0.0}, "tap") == model.score({"loud": 1e6, "late": 0.0}, "tap")


def test_what_is_written_is_read_again(model):
    again = AnomalyModel.read(yaml.safe_load(yaml.safe_dump(model.document())))
    for touch, kind in zip(*drawn(20, seed=4)[:2], strict=True):
        assert again.score(touch, kind) == pytest.approx(model.score(touch, kind), abs=0.02)


def test_too_few_normal_touches_of_a_kind_are_refused():
    touches, _, labels = drawn(60)
    with pytest.raises(ValueError, match="wanted 10 normal touches or more"):
        AnomalyModel.fit(NAMES, touches, ["tap"] * 60, labels)
