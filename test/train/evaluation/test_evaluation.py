"""The table says of each system what a listener would."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_touches import DEMO, MATERIALS, RATE, SEQUENCE, bank, contact, made_item, made_items, make_dataset

from hearing_hands_ros.cli.main import build_parser
from hearing_hands_ros.sound.embedding.mel_statistics import MelStatistics
from hearing_hands_ros.train.evaluation import examples, report, systems
from hearing_hands_ros.train.evaluation.listener import Listener
from hearing_hands_ros.train.evaluation.measures import MEASURES
from hearing_hands_ros.train.evaluation.run import Evaluation
from hearing_hands_ros.train.evaluation.tally import Tally, function_cell, ratio_cell, resamples
from hearing_hands_ros.train.evaluation.touches import SEGMENT_S, heard, segment, window


@pytest.fixture(scope="module")
def train():
    return made_items("train", 24)


@pytest.fixture(scope="module")
def evaluation(train):
    listener = Listener.train(MelStatistics(), train, RATE)
    return Evaluation(made_items("test", 6), listener, SEQUENCE, np.random.default_rng(0))


@pytest.fixture(scope="module")
def touches(train):
    return examples.train_touches(train, RATE)


def example_system(train, touches, looks=None):
    settings = examples.level_fitted(touches)
    return examples.ExampleSystem("examples", examples.bank_of(touches, RATE), SEQUENCE, settings, looks)


def values(row):
    return {key: cell.value for key, cell in row.cells.items()}


def test_truth_is_at_one_end_of_every_scale_and_silence_at_the_other(evaluation):
    truth, silence = (values(evaluation.row(system)) for system in (systems.Truth(), systems.Silence()))
    assert set(truth) == {measure.key for measure in MEASURES}
    assert (truth["stft"], truth["envelope"], truth["level_db"], truth["centroid_octaves"]) == (0, 0, 0, 0)
    assert truth["onset_f1"] == 1.0
    assert truth["onset_f1_all"] > 0.9
    assert truth["material"] > 0.7
    assert truth["kind"] > 0.7
    assert truth["frechet"] == pytest.approx(0.0, abs=1e-6 * silence["frechet"])
    assert silence["stft"] == pytest.approx(1.0)
    assert silence["envelope"] == pytest.approx(1.0)
    assert silence["onset_f1"] == silence["onset_f1_all"] == 0.0
    assert silence["level_db"] > 20.0
    assert np.isnan(silence["centroid_octaves"]), "silence has no brightness"


def test_examples_of_the_right_touch_beat_those_of_another(evaluation, train, touches):
    system = example_system(train, touches)
    right, wrong = values(evaluation.row(system)), values(evaluation.row(systems.Shuffled(system)))
    for measure in MEASURES:
        if measure.key in ("kind", "action", "frechet"):  # the same set of sounds, and few of them
            continue
        better = right[measure.key] - wrong[measure.key]
        assert better > 0 if measure.higher else better < 0, measure.key
    assert right["onset_f1"] > 0.9
    assert right["stft"] < 1.0
    assert right["level_db"] < 6.0, "the level is fitted to the training scenes"


def test_seeing_the_material_is_as_good_as_being_told_it_and_seeing_another_is_not(evaluation, train, touches):
    looks = examples.material_by_look(train)
    told, seeing = (values(evaluation.row(example_system(train, touches, probe))) for probe in (None, looks))
    assert seeing == told
    swapped = examples.material_by_look([replace(item, contact_local=-item.contact_local) for item in train])
    mistaken = values(evaluation.row(example_system(train, touches, swapped)))
    assert mistaken["material"] < told["material"] - 0.3
    assert mistaken["onset_f1"] > 0.9


def test_a_bank_is_filled_up_with_what_it_lacks(touches):
    own = examples.bank_of(touches, RATE)
    assert set(own.materials) == set(MATERIALS)
    stone = replace(bank("bank"), exemplars=tuple(e for e in bank("bank").exemplars if e.material != "metal"))
    filled = examples.filled_up(stone, own)
    assert {e.material for e in filled.exemplars if e.tool == "hand"} == {"metal"}
    loudest = [np.sqrt(np.convolve(e.wave.astype(float) ** 2, np.ones(800) / 800).max()) for e in own.exemplars]
    assert np.allclose(loudest, 1.0, atol=1e-3)


def test_only_touches_that_can_be_told_apart_are_alone():
    contacts = [contact(0.05, 0.1), contact(0.3, 0.4), contact(0.7, 0.75), contact(1.7, 1.8), contact(2.35, 2.4)]
    item = made_item("cellar", 0, bank("bank").exemplars, contacts)
    found = heard(item, RATE)
    assert [(round(t.start_s, 2), t.alone) for t in found] == [(0.3, False), (0.7, False), (1.7, True)]
    assert [round(t.until_s, 2) for t in found] == [0.7, 1.7, 2.35]
    assert segment(item.audio, found[1], RATE).size == round(SEGMENT_S * RATE)
    quick = replace(found[0], until_s=0.33)
    assert segment(item.audio, quick, RATE) is None
    cut = window(item.audio, found[2], RATE)
    assert np.array_equal(cut, item.audio[round(1.65 * RATE) : round(1.65 * RATE) + cut.size])
    resting = made_item("cellar", 0, bank("bank").exemplars, [contact(0.3, 1.5), contact(1.6, 1.7)])
    rests = [t.alone for t in heard(resting, RATE)]
    assert rests == [True, False], "a hand that rests until just before is a neighbour of what follows"


def test_the_interval_is_over_scenes_not_items():
    """Scenes that differ give a wide interval however many items they have, scenes that agree none."""
    draws = resamples(10, np.random.default_rng(0))
    differ = [Tally(1000.0 * (i % 2), 1000.0) for i in range(10)]
    cell = ratio_cell(differ, draws)
    assert cell.value == 0.5
    assert cell.low <= 0.2 and cell.high >= 0.8
    agree = ratio_cell([Tally(3.0, 10.0)] * 10, draws)
    assert (agree.value, agree.low, agree.high) == pytest.approx((0.3, 0.3, 0.3))
    nothing = ratio_cell([Tally()] * 10, draws)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_bootstrap_intervals_hold_the_true_value_about_as_often_as_they_say():
    generator = np.random.default_rng(0)
    draws = resamples(20, generator, 300)
    inside = 0
    for _ in range(200):
        cell = ratio_cell([Tally(total, 1.0) for total in generator.normal(5.0, 1.0, 20)], draws)
        inside += cell.low <= 5.0 <= cell.high
    assert 0.86 < inside / 200 < 0.99


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(5.0, 1.0, 12)
    cell = function_cell(lambda scenes: float(values[scenes].mean()), len(values))
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert (cell.value, cell.high - cell.value) == pytest.approx((values.mean(), 1.96 * error))


class Wrong:
    name, note = "wrong", ""

    def __init__(self, waves):
        self.predict = lambda items: waves(items)


def test_a_system_that_gives_too_little_is_named(evaluation):
    with pytest.raises(ValueError, match="'wrong' wanted 18 sounds, got 1"):
        evaluation.row(Wrong(lambda items: [items[0].audio]))
    with pytest.raises(ValueError, match=r"'wrong' wanted \(38400,\) samples for cellar/item_000, got \(10,\)"):
        evaluation.row(Wrong(lambda items: [item.audio[:10] for item in items]))


def test_nothing_at_all_is_heard_in_items_without_touches(evaluation):
    exemplars = bank("bank").exemplars
    quiet = [made_item(scene, 0, exemplars, []) for scene in ("cellar", "shed")]
    row = Evaluation(quiet, evaluation.listener, SEQUENCE, np.random.default_rng(0)).row(systems.Truth())
    assert np.isnan(row.cells["stft"].value)
    assert np.isnan(row.cells["frechet"].value)
    assert "–" in report.markdown(report.Setting("made", "simulated", "test", 2, 2, 0, 0, "mel"), [row])
    with pytest.raises(ValueError, match="two scenes or more, got 1"):
        Evaluation(quiet[:1], evaluation.listener, SEQUENCE, np.random.default_rng(0))


def run(*words):
    parser, module = build_parser("evaluate")
    return module.run(parser.parse_args(["evaluate", *map(str, words)]))


def test_one_command_makes_the_table(tmp_path, capsys):
    folder = make_dataset(tmp_path / "made", count=2)
    assert (
        run(
            folder, "--embedding", "mel", "--vocoder", "griffin_lim", "--bank", DEMO / "bank", "--out", tmp_path / "out"
        )
        == 0
    )
    document = json.loads((tmp_path / "out" / "table.json").read_text())
    names = [system["name"] for system in document["systems"]]
    assert {"truth", "silence", "bank, told the material", "bank, seeing it", "truth, shuffled"} <= set(names)
    assert (document["scenes"], document["items"], document["split"]) == (3, 6, "test")
    table = (tmp_path / "out" / "table.md").read_text()
    assert all(f"| {name} |" in table for name in names)
    assert document["ceiling"]["material"] > 0.9 > document["ceiling"]["chance"]
    assert "real recordings (of 8 materials" in table
    assert "table.md" in capsys.readouterr().out
    silence = document["systems"][names.index("silence")]["values"]
    assert silence["stft"]["low"] == pytest.approx(1.0)
    assert silence["centroid_octaves"] is None
    with pytest.raises(ValueError, match="wanted items of split 'val'"):
        run(folder, "--split", "val", "--embedding", "mel")
