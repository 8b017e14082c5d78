"""The benchmark of anomalies, on items made of real recordings."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.compare.scoring.anomaly_model import NORMAL as MODEL_NORMAL
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import LEAD_S as EXEMPLAR_LEAD_S
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.train.anomalies import kinds, measure
from hearing_hands_ros.train.anomalies.cases import cases
from hearing_hands_ros.train.anomalies.learn import learn_scorer
from hearing_hands_ros.train.anomalies.listener import teach
from hearing_hands_ros.train.anomalies.predictions import ByExample, StoredLooks
from hearing_hands_ros.train.anomalies.takes import takes_of

DEMO = Path(__file__).parents[2] / "demo"
NS = 1_000_000_000
MATERIALS = ("metal", "wood", "stone")
DIM = 4
SECONDS = 2.4


@cache
def bank():
    return ExampleBank.load(DEMO / "bank")


def made_item(number):
    """A tap on one material and a slide of noise on another, both alone."""
    rng = np.random.default_rng(number)
    sound = 1e-4 * rng.normal(size=round(SECONDS * RATE_HZ))
    contacts = []
    for turn, start_s in enumerate((0.45, 1.55)):
        material = MATERIALS[(number + turn) % 3]
        slide = turn == 1
        choice = bank().of(material, "tap")
        wave = choice[int(rng.integers(len(choice)))].wave[: round(0.6 * RATE_HZ)]
        if slide:
            wave = np.sqrt(np.mean(wave**2)) * rng.normal(size=round(0.3 * RATE_HZ))
        first = round((start_s - EXEMPLAR_LEAD_S) * RATE_HZ)
        sound[first : first + wave.size] += 0.05 * wave
        end_s = start_s + (0.3 if slide else 0.05)
        contacts.append(
            Contact(
                round(start_s * NS),
                round(end_s * NS),
                1,
                material,
                (0.0, 0.0, 0.0),
                (0.0, 0.0, 1.0),
                0.5,
                0.3 if slide else 0.0,
                "slide" if slide else "tap",
            )
        )
    frames = round(30 * SECONDS)
    motion = HandMotion(0, 30.0, np.zeros((frames, 2, 21, 3), np.float32), np.ones((frames, 2), bool), tuple(contacts))
    looks = rng.normal(size=(2, DIM)).astype(np.float16)
    audio = np.clip(sound, -1.0, 1.0).astype(np.float32)
    return Item(f"scene_{number // 2}", f"item_{number}", "tap", motion, audio, looks, looks, looks)


@pytest.fixture(scope="module")
def items():
    return [made_item(number) for number in range(20)]


@pytest.fixture(scope="module")
def takes(items):
    return [take for number, item in enumerate(items) for take in takes_of(number, item)]


@pytest.fixture(scope="module")
def predictions(items):
    return list(ByExample(ExamplePredictor(bank())).predict(items))


@pytest.fixture(scope="module")
def found(takes, predictions):
    return list(cases(takes, predictions, 20.0))


def of(found, anomaly):
    return [case for case in found if case.anomaly == anomaly]


def power(samples, first_s, last_s):
    return float(np.mean(np.square(samples[round(first_s * RATE_HZ) : round(last_s * RATE_HZ)], dtype=np.float64)))


def test_every_touch_that_is_alone_is_taken_with_what_came_before(items, takes):
    assert len(takes) == 2 * len(items)
    for take in takes:
        start = take.contact.start_ns / NS
        own = items[take.item].audio
        assert np.array_equal(take.samples, own[round((start - LEAD_S) * RATE_HZ) :][: take.samples.size])
        assert take.snr_db > 20.0


def test_each_touch_comes_once_as_it_is_and_once_with_each_anomaly(found, takes):
    assert [case.anomaly for case in found] == [kinds.NORMAL, *kinds.ANOMALIES] * len(takes)
    assert MODEL_NORMAL == kinds.NORMAL
    assert all(case.touch.contact in case.touch.prediction.contacts for case in found)


@pytest.mark.parametrize("snr_db", [20.0, 5.0])
def test_noise_is_as_far_under_the_touch_as_asked_for(takes, predictions, snr_db):
    """The noise is heard alone where the touch is missing; the microphone's gain moves all by about a dB."""
    missing = [case.touch.samples for case in cases(takes, predictions, snr_db, anomalies=(kinds.MISSING,))][1::2]
    got = [10 * np.log10(take.power / power(noise, 0.0, 0.9)) for take, noise in zip(takes, missing, strict=True)]
    assert np.mean(got) == pytest.approx(snr_db, abs=0.6)
    assert np.abs(np.array(got) - snr_db).max() < 4.0


def test_a_touch_that_is_not_so_far_over_its_own_room_is_left_out(takes, predictions):
    assert not list(cases(takes, predictions, 70.0))


def test_anomalies_are_what_they_are_called(found, takes):
    normal = [case.touch.samples for case in of(found, kinds.NORMAL)]
    pairs = {a: list(zip(normal, [case.touch.samples for case in of(found, a)], strict=True)) for a in kinds.ANOMALIES}
    change = {
        a: np.median([10 * np.log10(power(odd, 0.3, 0.45) / power(own, 0.3, 0.45)) for own, odd in both])
        for a, both in pairs.items()
    }
    assert change[kinds.WEAKER] == pytest.approx(-12.0, abs=2.0)
    assert change[kinds.MISSING] < -15.0
    assert change[kinds.WRONG] == pytest.approx(0.0, abs=3.0)
    for case, take in zip(of(found, kinds.LATER), takes, strict=True):
        assert power(case.touch.samples, 0.3, 0.36) < 0.2 * take.power
    for anomaly in (kinds.EXTRA, kinds.RATTLE):
        assert np.median([power(odd, 0.0, 0.9) / power(own, 0.0, 0.9) for own, odd in pairs[anomaly]]) > 1.1


def test_the_same_seed_gives_the_same_and_another_one_others(takes, predictions, found):
    alone = (kinds.MISSING, kinds.WEAKER, kinds.LATER, kinds.RATTLE)  # the others draw from all touches
    again = list(cases(takes[:3], predictions, 20.0, anomalies=alone))
    wanted = [case for case in found if case.anomaly in (kinds.NORMAL, *alone)][: len(again)]
    assert len(again) == 15
    assert all(np.array_equal(a.touch.samples, b.touch.samples) for a, b in zip(again, wanted, strict=True))
    other = next(iter(cases(takes[:3], predictions, 20.0, seed=1)))
    assert not np.array_equal(other.touch.samples, found[0].touch.samples)


def test_a_wrong_material_needs_another_one(takes):
    metal = [take for take in takes if take.contact.material == "metal"]
    with pytest.raises(ValueError, match="not on metal, got none"):
        kinds.other_material(metal[0], metal, np.random.default_rng(0), 20.0)


def test_what_is_learnt_tells_anomalies_of_other_scenes(found, takes):
    """Listener, levels and weights from half of the scenes, judged on the rest."""
    scenes = sorted({case.scene for case in found})
    first = set(scenes[::2])
    listener, tensors = teach([take for take in takes if take.scene in first])
    assert listener.materials == tuple(sorted(MATERIALS))
    assert {name.split(".")[1] for name in tensors} == {"weight", "bias"}
    scorer = learn_scorer([case for case in found if case.scene in first], listener, "made")
    rest = [case for case in found if case.scene not in first]
    scores = np.array([scorer.score(case.touch) for case in rest])
    normal = np.array([case.anomaly == kinds.NORMAL for case in rest])
    assert measure.auc(scores[normal], scores[~normal]) > 0.8


def test_an_items_looks_are_those_stored_with_it(items):
    looks = StoredLooks(items[0])
    assert looks.scene == pytest.approx(items[0].scene_views.astype(np.float32).mean(axis=0))
    assert np.array_equal(looks.looks(items[0].motion), items[0].contact_local.astype(np.float32))


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    normal, odd = np.round(rng.normal(size=60), 1), np.round(rng.normal(1.0, 1.0, 50), 1)
    pairs = (odd[:, None] > normal[None]).mean() + 0.5 * (odd[:, None] == normal[None]).mean()
    assert measure.auc(normal, odd) == pytest.approx(pairs)
    assert measure.auc(normal, np.full(3, np.nan)) == 0.0


def test_partial_auc_looks_at_few_false_alarms_only():
    normal = np.arange(100.0)
    assert measure.partial_auc(normal, np.full(5, 200.0)) == 1.0
    assert measure.partial_auc(normal, np.full(5, 50.0)) == 0.0
    assert measure.partial_auc(normal, np.full(5, 94.5)) == pytest.approx(0.5)


def test_an_interval_over_scenes_is_wide_where_touches_of_a_scene_are_alike():
    rng = np.random.default_rng(1)
    scene = np.array([f"s{i % 12}" for i in range(240)])
    normal = rng.normal(size=240)

    def interval(odd):
        low, high = measure.interval_over_scenes(measure.auc, (normal, scene), (odd, scene), rng, draws=200)
        assert low < measure.auc(normal, odd) < high
        return high - low

    alike = rng.normal(1.0, 1.0, 12)[np.arange(240) % 12]
    assert interval(alike) > 1.5 * interval(rng.normal(1.0, 1.0, 240))


def test_false_alarms_of_a_calibration_that_fits_are_as_rare_as_asked_for():
    rng = np.random.default_rng(0)
    calibration, scores = np.arange(1000.0), np.linspace(-0.5, 999.5, 500)
    p = measure.p_values(calibration, scores, rng)
    for alpha in (0.01, 0.05, 0.1):
        assert measure.false_alarms(p, alpha).holds
    assert measure.uniformity(p)[0] < 0.01
    odder = measure.p_values(calibration, scores + 100.0, rng)
    assert not measure.false_alarms(odder, 0.05).holds
    assert measure.uniformity(odder)[0] == pytest.approx(0.1, abs=0.01)
    assert measure.false_alarms(np.array([0.01, 0.5, np.nan]), 0.05).touches == 2
