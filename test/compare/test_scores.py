import math
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.compare.calibration import Calibration, one_touch
from hearing_hands_ros.compare.materials import MaterialModel, in_room, odds_against
from hearing_hands_ros.compare.scores import score_touch
from hearing_hands_ros.compare.timbre import timbre
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank

DEMO = Path(__file__).parents[2] / "demo"
ALPHA = 0.05


@pytest.fixture(scope="module")
def predictor():
    return ExamplePredictor(ExampleBank.load(DEMO / "bank"))


@pytest.fixture(scope="module")
def model(predictor):
    return MaterialModel.fit(predictor.bank)


@pytest.fixture(scope="module")
def heard():
    """Every held-out recording in a room, its onset 0.3 s in."""
    held = ExampleBank.load(DEMO / "held_out")
    waves = []
    for i, exemplar in enumerate(held.exemplars):
        generator = np.random.default_rng(i)
        waves.append((exemplar, in_room(exemplar, 0.3, 30.0, generator, generator.uniform(-6, 6))))
    return waves


def expected(predictor, material, kind="tap", start_ns=0):
    prediction = predictor.predict([one_touch(material, kind, start_ns)])[0]
    return prediction, prediction.contacts[0]


def test_shipped_calibration_keeps_its_promise_on_recordings_the_bank_never_heard(model, heard):
    calibration = Calibration.load(DEMO / "bank" / "calibration.yaml")
    calibration.check("material", ALPHA)
    false_alarms, found = [], []
    for exemplar, wave in heard:
        distances = model.distances(timbre(wave, 0.3), exemplar.kind)
        for material in distances:
            different = calibration.p_value("material", odds_against(distances, material)) <= ALPHA
            (false_alarms if material == exemplar.material else found).append(different)
    # 80 touches at 5 % give more than 8 false alarms once in fifty times
    assert sum(false_alarms) <= 8
    assert np.mean(found) >= 0.9


def test_scores_with_a_bank(predictor, model, heard):
    exemplar, wave = next((e, w) for e, w in heard if e.material == "metal" and e.tool == "shield")
    right = score_touch(wave, *expected(predictor, "metal"), lead_s=0.3, materials=model)
    wrong = score_touch(wave, *expected(predictor, "wood"), lead_s=0.3, materials=model)
    assert right.nearest_material == wrong.nearest_material == exemplar.material
    assert right.values["material"] < 0 < wrong.values["material"]
    assert abs(right.lag_s) < 0.01
    assert right.values["onset_lag"] == abs(right.lag_s)


def test_without_a_bank_wrong_materials_are_odder_on_the_whole(predictor, heard):
    right, wrong = [], []
    for i, (exemplar, wave) in enumerate(heard[::2]):
        for material in ("wood", "snow", exemplar.material):
            scores = score_touch(wave, *expected(predictor, material, exemplar.kind, i * 10**9), lead_s=0.3)
            assert "material" not in scores.values
            (right if material == exemplar.material else wrong).append(scores.values["log_mel"])
    assert np.nanmedian(wrong) > 1.3 * np.nanmedian(right)


def test_gain_and_a_late_start_change_nothing_but_the_lag(predictor, model, heard):
    wave = heard[30][1]
    base = score_touch(wave, *expected(predictor, "wood"), lead_s=0.3, materials=model)
    loud = score_touch(4 * wave, *expected(predictor, "wood"), lead_s=0.3, materials=model)
    late = score_touch(wave, *expected(predictor, "wood"), lead_s=0.28, materials=model)
    assert loud.values["log_mel"] == pytest.approx(base.values["log_mel"], rel=0.05)
    assert loud.values["material"] == pytest.approx(base.values["material"], abs=0.05)
    assert late.values["material"] == pytest.approx(base.values["material"], abs=0.05)
    assert late.lag_s == pytest.approx(base.lag_s + 0.02, abs=1e-6)


def test_own_audio_is_less_odd_than_another_material(predictor):
    noise = np.random.default_rng(0).normal(0, 1e-4, 16000).astype(np.float32)
    prediction, contact = expected(predictor, "metal")
    wave = prediction.audio + noise[: prediction.audio.size]
    other, other_contact = expected(predictor, "grass")
    same = score_touch(wave, prediction, contact, lead_s=0.3)
    assert same.values["log_mel"] < 1.2
    assert same.values["log_mel"] < score_touch(wave, other, other_contact, lead_s=0.3).values["log_mel"]


def test_no_onset_gives_nan_and_says_so(predictor, model):
    noise = np.random.default_rng(0).normal(0, 1e-3, 12000).astype(np.float32)
    scores = score_touch(noise, *expected(predictor, "wood"), lead_s=0.3, materials=model)
    assert scores.heard_onset_s is None
    assert math.isnan(scores.lag_s)
    assert all(math.isnan(v) for v in scores.values.values())
    assert "no onset" in scores.reason


def test_material_the_bank_lacks_gives_nan_and_says_so(predictor, model, heard):
    scores = score_touch(heard[30][1], *expected(predictor, "jelly"), lead_s=0.3, materials=model)
    assert math.isnan(scores.values["material"])
    assert "jelly" in scores.reason


def test_next_touch_does_not_spoil_this_one(predictor, model, heard):
    wave = next(w for e, w in heard if e.tool == "hammer" and e.material == "wood").copy()
    other = next(w for e, w in heard if e.material == "metal")
    at = round(0.45 * 16000)
    spoiled = wave.copy()
    spoiled[at:] += other[4800 : 4800 + spoiled.size - at]
    scores = score_touch(spoiled, *expected(predictor, "wood"), lead_s=0.3, materials=model, until_s=0.45)
    assert scores.nearest_material == "wood"


def test_bad_input_is_refused(predictor, heard):
    prediction, contact = expected(predictor, "wood")
    with pytest.raises(ValueError, match="heard wanted shape"):
        score_touch(np.zeros(100, np.float32), prediction, contact, lead_s=0.3)
    with pytest.raises(ValueError, match="finite"):
        score_touch(np.full(16000, np.nan, np.float32), prediction, contact, lead_s=0.3)


def test_odds_need_the_expected_and_another_material():
    assert odds_against({"a": 3.0, "b": 1.0, "c": 2.0}, "a") == 2.0
    assert odds_against({"a": 3.0, "b": 1.0, "c": 2.0}, "b") == -1.0
    assert math.isnan(odds_against({"a": 3.0}, "a"))
    assert math.isnan(odds_against({"a": 3.0, "b": 1.0}, "z"))
