"""Every score sees what it is for: recordings that the bank never heard, predicted by the bank, spoilt one way each."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.compare.scoring.baselines import EnergyChange, Shuffled
from hearing_hands_ros.compare.scoring.embedding import Mahalanobis, Neighbours, NormalTouches, PredictedEmbedding
from hearing_hands_ros.compare.scoring.level import LevelBySpeed
from hearing_hands_ros.compare.scoring.listener import MaterialListener
from hearing_hands_ros.compare.scoring.material import MaterialOdds, PredictedMaterial
from hearing_hands_ros.compare.scoring.onsets import MissingOnset, Timing, UnexpectedOnset
from hearing_hands_ros.compare.scoring.protocol import score_all
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.shape import EnvelopeDistance, LogMelResidual
from hearing_hands_ros.compare.scoring.stft import StftDistance
from hearing_hands_ros.compare.scoring.surprise import Amplitude, Deficit, Excess
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sound.embedding.mel_statistics import MelStatistics
from hearing_hands_ros.train.anomalies.bank_touches import in_room, one_touch

ROOT = Path(__file__).parents[2]
RATE = 16_000
SNR_DB = 25.0
GAIN_DB = -6.0  # brings a recording to the level that the bank predicts for one_touch's speed
HEARD = ("metal", "wood", "stone")


@pytest.fixture(scope="module")
def predictor():
    return ExamplePredictor(ExampleBank.load(ROOT / "demo" / "bank"))


@pytest.fixture(scope="module")
def recordings():
    held = ExampleBank.load(ROOT / "demo" / "held_out").exemplars
    return [e for material in HEARD for e in [e for e in held if e.material == material and e.kind == "tap"][:6]]


@pytest.fixture(scope="module")
def scorer():
    return Scorer.load(ROOT / "models" / "listener", ROOT / "config" / "anomalies.yaml")


def touch_of(samples, material, predictor, number=0):
    prediction = predictor.predict([one_touch(material, "tap", 10**9 * number)])[0]
    return HeardTouch(samples[: round(0.9 * RATE)].astype(np.float32), prediction, prediction.contacts[0])


@pytest.fixture(scope="module")
def normal(predictor, recordings):
    """Each recording where it is expected."""
    return [
        touch_of(in_room(e, 0.3, SNR_DB, np.random.default_rng(i), GAIN_DB), e.material, predictor, i)
        for i, e in enumerate(recordings)
    ]


def spoilt(normal, change):
    return [replace(touch, samples=change(touch.samples).astype(np.float32)) for touch in normal]


def noise_like(samples, seed=0):
    return np.random.default_rng(seed).normal(0.0, samples[:4000].std(), samples.size)


def silent(samples):
    return noise_like(samples)


def weak(samples):
    return 10 ** (-12 / 20) * samples + np.sqrt(1 - 10**-1.2) * noise_like(samples)


def late(samples):
    return np.concatenate([samples[:1600], samples[:-1600]])


def doubled(samples):
    """The touch again, 0.25 s later."""
    again = np.zeros(samples.size)
    again[8800:] = samples[4800 : samples.size - 4000]
    return samples + again


def too_early(samples):
    again = np.zeros(samples.size)
    again[1600 : samples.size - 3200] = samples[4800:]
    return samples + again * (np.arange(samples.size) < 4000)


def rattling(samples):
    time_s = np.arange(samples.size) / RATE
    whine = sum(np.sin(2 * np.pi * 90 * k * time_s) for k in range(1, 30)) * (np.sin(2 * np.pi * 15 * time_s) > 0)
    return samples + 0.5 * np.abs(samples).max() / 30 * whine * (time_s > 0.32)


def share_told(score, normal, odd):
    """Chance that a spoilt touch scores higher than a normal one."""
    a, b = (np.array([score.score(touch) for touch in touches]) for touches in (normal, odd))
    return float((b[:, None] > a[None]).mean() + 0.5 * (b[:, None] == a[None]).mean())


@pytest.mark.parametrize(
    ("score", "change"),
    [
        (Amplitude(), silent),
        (Deficit(), silent),
        (MissingOnset(), silent),
        (MissingOnset(), late),
        (Amplitude(), weak),
        (Timing(), late),
        (EnvelopeDistance(), late),
        (Excess("after"), doubled),
        (UnexpectedOnset("after"), doubled),
        (Excess("before"), too_early),
        (UnexpectedOnset("before"), too_early),
        (Excess("whole"), rattling),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", "")),
)
def test_a_score_sees_what_it_is_for(score, change, normal):
    assert share_told(score, normal, spoilt(normal, change)) > 0.85


@pytest.mark.parametrize("score", [LogMelResidual(), EnvelopeDistance(), StftDistance()], ids=lambda s: s.name)
def test_shapes_do_not_change_with_the_microphones_gain(score, normal):
    for touch in normal[::4]:
        louder = replace(touch, samples=2.0 * touch.samples)
        assert score.score(louder) == pytest.approx(score.score(touch), rel=0.05, abs=0.05)


def test_level_by_speed_knows_how_loud_a_touch_should_be(normal):
    """Learnt from taps, and from the same taken for slides; another microphone's gain is taken out by its touches."""
    slides = [
        replace(touch, contact=replace(touch.contact, kind="slide", slide_speed_mps=0.3, end_ns=touch.contact.end_ns))
        for touch in normal
    ]
    level = LevelBySpeed.fit([*normal[::2], *slides])
    assert share_told(level, normal[1::2], spoilt(normal[1::2], weak)) > 0.95
    louder = spoilt(normal, lambda samples: 4.0 * samples)
    assert np.median([level.score(touch) for touch in louder]) < -9.0
    assert np.median([level.centred(louder).score(touch) for touch in louder]) == pytest.approx(0.0, abs=0.01)


def test_materials_are_told_by_label_and_by_the_predicted_sound(scorer, normal, recordings, predictor):
    wrong = [
        touch_of(touch.samples, HEARD[(HEARD.index(e.material) + 1) % 3], predictor, i)
        for i, (touch, e) in enumerate(zip(normal, recordings, strict=True))
    ]
    assert share_told(MaterialOdds(scorer.listener), normal, wrong) > 0.85
    assert share_told(PredictedMaterial(scorer.listener), normal, wrong) > 0.85
    unlabelled = replace(normal[0], contact=replace(normal[0].contact, material=""))
    assert math.isnan(MaterialOdds(scorer.listener).score(unlabelled))


def test_all_scores_together_find_every_anomaly_and_name_it(scorer, normal):
    changes = {"missing": silent, "weaker": weak, "later": late, "motor rattle": rattling}
    for anomaly, change in changes.items():
        odd = spoilt(normal, change)
        assert share_told(scorer, normal, odd) > 0.85, anomaly
        named = [scorer.likeliest(scorer.scores(touch), "tap") for touch in odd]
        assert named.count(anomaly) > len(named) / 2, anomaly


def test_without_a_label_the_rest_still_tells(scorer, normal):
    nameless = [replace(touch, contact=replace(touch.contact, material="")) for touch in normal]
    assert share_told(scorer, nameless, spoilt(nameless, silent)) > 0.95
    assert math.isnan(scorer.scores(nameless[0])["material"])


def test_a_touch_that_is_cut_off_has_no_scores_and_does_not_break(scorer, normal):
    cut = replace(normal[0], samples=normal[0].samples[: round(0.302 * RATE)])
    scores = scorer.scores(cut)
    assert math.isnan(scores["log_mel"])
    touches = [replace(normal[0], samples=normal[0].samples[: round(s * RATE)]) for s in (0.301, 0.35, 0.5)]
    assert all(len(scorer.scores(touch)) == len(scores) for touch in touches)


def test_embeddings_know_normal_touches_and_the_predicted_sound(normal):
    known = NormalTouches.of(MelStatistics(), normal[::2])
    rattle = spoilt(normal[1::2], rattling)
    for score in (Neighbours(known), Neighbours(known, every_kind=True), Mahalanobis(known), PredictedEmbedding(known)):
        assert share_told(score, normal[1::2], rattle) > 0.7, score.name
    slide = replace(normal[0], contact=replace(normal[0].contact, kind="slide"))
    assert math.isnan(Neighbours(known).score(slide))
    assert math.isfinite(Neighbours(known, every_kind=True).score(slide))


def test_baselines_need_no_prediction_or_get_the_one_before(scorer, normal):
    energy = EnergyChange()
    assert math.isnan(energy.score(normal[0]))
    energy.learn(normal[::2])
    assert share_told(energy, normal[1::2], spoilt(normal[1::2], silent)) > 0.95
    shuffled = Shuffled(MaterialOdds(scorer.listener))
    values = [shuffled.score(touch) for touch in normal]
    assert math.isnan(values[0])
    # Recordings are in order of materials: where they change, the label before this one is wrong.
    assert values[6] > values[5]
    assert values[12] > values[11]


def test_what_was_learnt_is_written_and_read_again(scorer, normal, tmp_path):
    scorer.save(tmp_path / "anomalies.yaml")
    again = Scorer.load(ROOT / "models" / "listener", tmp_path / "anomalies.yaml")
    assert again.score(normal[0]) == pytest.approx(scorer.score(normal[0]), abs=0.01)
    assert ANOMALY in again.scores(normal[0])
    (tmp_path / "other.yaml").write_text("format: something\n")
    with pytest.raises(ValueError, match="format wanted"):
        Scorer.load(ROOT / "models" / "listener", tmp_path / "other.yaml")


def test_a_damaged_listener_is_refused(scorer, tmp_path):
    for name in ("config.yaml", "model.safetensors"):
        (tmp_path / name).write_bytes((ROOT / "models" / "listener" / name).read_bytes())
    assert MaterialListener.load(tmp_path).materials == scorer.listener.materials
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match="damaged or was exchanged"):
        MaterialListener.load(tmp_path)


def test_a_heard_touch_says_what_is_wrong_with_it(normal):
    touch = normal[0]
    for samples, message in (
        (touch.samples[:4000], "the lead"),
        (np.where(np.arange(touch.samples.size) == 7, np.nan, touch.samples), "got 1 that are not"),
        (touch.samples[None], "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(touch, samples=samples)
    with pytest.raises(ValueError, match="48000 Hz"):
        replace(touch, prediction=replace(touch.prediction, sample_rate_hz=48_000))
    assert replace(touch, until_s=0.5).end_s == 0.5


def test_scores_that_cannot_look_are_nan():
    class Blind:
        name = "blind"

        def score(self, touch):
            raise ValueError("no")

    assert math.isnan(score_all([Blind()], None)["blind"])
