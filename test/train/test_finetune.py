"""Fine-tuning: another microphone is learnt, what is drawn stays various, and one command makes a model of it."""

import json
import signal
from dataclasses import asdict

import numpy as np
import pytest
import torch
import yaml
from burst_dataset import DIM, SEQUENCE, SPLITS, contact, made_item
from small_runs import fit

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.compare.judge import TouchJudge
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.data.dataset import Dataset, DatasetInfo
from hearing_hands_ros.data.dataset_writer import write_info, write_scene
from hearing_hands_ros.model.checkpoint import load_checkpoint, save_checkpoint
from hearing_hands_ros.model.compact.config import CompactConfig
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.train.compact_task import CompactModel
from hearing_hands_ros.train.config import load_config
from hearing_hands_ros.train.finetune.config import settings_for
from hearing_hands_ros.train.finetune.energy import energy_score

QUIETER = 0.25


def start_of(folder, *, guidance=1.0, encoder="tiny"):
    """A checkpoint that draws noise as loud as the dataset's, each band of its own level."""
    torch.manual_seed(0)
    config = CompactConfig(feature_dim=DIM, dim=16, depth=2, heads=2)
    model = CompactModel(config, torch.linspace(-1.5, -3.0, 80), torch.full((80,), 0.4))
    document = {
        "network": asdict(config),
        "sequence": asdict(SEQUENCE),
        "encoder": encoder,
        "sampling": {"steps": 2, "guidance": guidance},
        "training": {"steps": 7},
        "licence": "CC-BY-SA-3.0",
        "vocoder": "griffin_lim",
    }
    save_checkpoint(folder, KIND, document, model.state_dict())
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return start_of(tmp_path_factory.mktemp("start") / "shipped")


@pytest.fixture
def words(dataset, start):
    return [
        f"data.folder={dataset}", f"start.folder={start}", "run.batch=4", "run.steps=4", "run.samples=0",
        "run.precision=32", "run.log_every=1", "optimizer.warmup_steps=1", "data.longest_s=1.5",
    ]  # fmt: skip


def test_the_score_is_least_for_draws_that_are_as_various_as_what_was_heard():
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape, spread):
        return spread * torch.randn(*shape, generator=generator)

    heard, weight = drawn(64, 80, 32, spread=1.0), torch.ones(64, 32)
    scores = {
        spread: float(energy_score(drawn(2, 64, 80, 32, spread=spread), heard, weight))
        for spread in (0.0, 0.5, 1.0, 2.0)
    }
    assert min(scores, key=scores.get) == 1.0
    off = float(energy_score(drawn(2, 64, 80, 32, spread=1.0) + 1.0, heard, weight))
    assert off > scores[1.0]


def test_in_frames_that_weigh_nothing_only_the_level_counts():
    heard, weight = torch.zeros(1, 80, 32), torch.ones(1, 32)
    weight[:, 16:] = 1e-9
    coloured, louder = torch.zeros(2, 1, 80, 32), torch.zeros(2, 1, 80, 32)
    coloured[:, :, ::2, 16:], coloured[:, :, 1::2, 16:] = 5.0, -5.0
    louder[..., 16:] = 5.0
    assert float(energy_score(coloured, heard, weight)) == pytest.approx(0.0, abs=1e-2)
    assert float(energy_score(louder, heard, weight)) > 1.0


def test_a_sound_that_begins_where_nothing_does_costs_more_than_as_much_noise():
    """Faint in each band, so that among their noise it is lost, but in all of them at once."""
    generator = torch.Generator().manual_seed(0)
    heard, weight = torch.randn(64, 80, 32, generator=generator), torch.ones(64, 32)
    draws = torch.randn(2, 64, 80, 32, generator=generator)
    burst, noise = torch.zeros(80, 32), torch.zeros(80, 32)
    burst[:, 20:24] = 0.5
    noise[::2, 20:24], noise[1::2, 20:24] = 0.5, -0.5
    best, begun, noisier = (float(energy_score(draws + off, heard, weight)) for off in (0.0, burst, noise))
    assert begun - best > 5.0 * abs(noisier - best)


@pytest.mark.parametrize(
    ("minutes", "name"), [(0.5, "finetune"), (10, "finetune"), (60, "finetune_1h"), (540, "finetune_9h")]
)
def test_settings_follow_the_amount_of_data_and_can_be_read(minutes, name):
    path = settings_for(minutes)
    assert path.stem == name
    config = load_config(path, ["run.out=x"])
    assert config.task == "finetune"
    if minutes > 60:
        assert config.run.steps > load_config(settings_for(10), ["run.out=x"]).run.steps


def test_before_any_step_the_level_of_every_band_is_that_of_the_microphone(words, tmp_path):
    done = fit(load_config("finetune", [*words, "run.steps=1", "optimizer.learning_rate=1e-9", f"run.out={tmp_path}"]))
    model, val = done.trainer.network, done.trainer.task.data("train")
    heard = val.by_token["mel"].astype(np.float32).reshape(-1, 80)
    assert float(np.abs(heard.mean(0) - model.mel_mean.numpy()).mean()) < 0.1
    # This start draws standard normal numbers, so mean and deviation of a band are those of what was heard.
    assert float(np.abs(heard.std(0) - model.mel_std.numpy()).mean()) < 0.1


def test_only_the_parts_that_may_change_do(words, tmp_path):
    run = load_config("finetune", [*words, "objective.parts=ends", f"run.out={tmp_path}"])
    trained = fit(run).trainer.network.state_dict()
    begun = load_checkpoint(run.options.start.folder, KIND).tensors
    changed = {
        name.split(".")[1]
        for name in trained
        if name.startswith("network.") and not torch.allclose(trained[name], begun[name].float())
    }
    assert changed
    assert changed <= {"remind", "join", "time", "modulation", "last", "leave"}


def test_what_is_kept_lies_part_of_the_way_from_what_it_began_with_to_what_was_trained(words, tmp_path):
    kept = {}
    for share in (0.0, 0.25, 1.0):
        asked = [f"objective.share={share}", "optimizer.learning_rate=0.005", f"run.out={tmp_path / str(share)}"]
        run = load_config("finetune", [*words, *asked])
        fit(run)
        kept[share] = load_checkpoint(tmp_path / str(share) / "last", KIND).tensors
    begun = load_checkpoint(run.options.start.folder, KIND).tensors
    moved = 0
    for name in (name for name in begun if name.startswith("network.")):
        first, trained = begun[name].float(), kept[1.0][name].float()
        assert torch.allclose(kept[0.0][name].float(), first, atol=1e-3), name
        assert torch.allclose(kept[0.25][name].float(), torch.lerp(first, trained, 0.25), atol=2e-3), name
        moved += not torch.allclose(first, trained, atol=0.01)
    assert moved
    assert torch.equal(kept[0.0]["mel_mean"], kept[1.0]["mel_mean"])  # the microphone is taken as it is
    assert not torch.allclose(kept[0.0]["mel_mean"].float(), begun["mel_mean"].float(), atol=0.1)


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(words, tmp_path):
    steady = [*words, "optimizer.schedule=constant"]
    whole = fit(load_config("finetune", [*steady, f"run.out={tmp_path / 'whole'}"]))
    fit(load_config("finetune", [*steady, f"run.out={tmp_path / 'parts'}", "run.steps=2"]))
    parts = fit(load_config("finetune", [*steady, f"run.out={tmp_path / 'parts'}"]))
    assert parts.trainer.progress.step == whole.trainer.progress.step == 4
    for name, tensor in whole.trainer.network.state_dict().items():
        assert torch.equal(tensor, parts.trainer.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("made", "message"), [({"guidance": 2.0}, "distil it first"), ({"encoder": "other"}, "encoder wanted 'tiny'")]
)
def test_a_start_that_does_not_fit_is_refused_by_name(words, tmp_path, made, message):
    folder = start_of(tmp_path / "start", **made)
    with pytest.raises(ValueError, match=message):
        fit(load_config("finetune", [*words, f"start.folder={folder}", f"run.out={tmp_path / 'run'}"]))


@pytest.fixture(scope="module")
def quiet_robot(tmp_path_factory):
    """A dataset whose microphone is 12 dB less sensitive than what the start knows."""
    folder = tmp_path_factory.mktemp("robot") / "robot"
    info = DatasetInfo("robot", SEQUENCE, "tiny", DIM, "simulated", {"sound": "CC0-1.0"}, SPLITS)
    write_info(folder, info)
    for scene in SPLITS:
        items = (made_item(scene, n) for n in range(3))
        write_scene(folder, info, scene, (_quieter(item) for item in items))
    return folder


def _quieter(item):
    item.audio[:] *= QUIETER
    return item


def test_one_command_makes_a_model_and_says_what_it_gained(quiet_robot, start, words, tmp_path, capsys):
    out = tmp_path / "mine"
    command = ["train", "finetune", str(quiet_robot), *words[1:], "--out", str(out)]
    assert main(command) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["measures"]["stft"]["verdict"] == "better"
    assert report["measures"]["stft"]["after"]["value"] < report["measures"]["stft"]["before"]["value"]
    assert report["judged"] == "test"
    assert report["origin"] == "simulated"
    said = capsys.readouterr().out
    assert "STFT distance" in said
    assert str(out) in said.replace("\n", "")
    card = (out / "README.md").read_text()
    digest = load_checkpoint(out, KIND).config["sha256"]["model.safetensors"]
    assert digest in card
    assert "CC-BY-SA-3.0" in card  # of what it began with
    assert CompactGenerator.load(out).sampling == CompactGenerator.load(start).sampling
    assert main(command) == 0  # nothing is left to train
    assert load_checkpoint(out, KIND).config["sha256"]["model.safetensors"] == digest


def test_time_that_is_up_makes_a_model_of_what_there_is(quiet_robot, words, tmp_path):
    out = tmp_path / "mine"
    more = [*words[1:], "run.steps=100000", "run.validate_every=100000"]
    assert main(["train", "finetune", str(quiet_robot), *more, "--out", str(out), "--minutes", "0.02"]) == 0
    steps = load_checkpoint(out, KIND).config["training"]["steps"]
    assert 0 < steps < 100000
    assert json.loads((out / "report.json").read_text())["steps"] == steps
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_a_dataset_or_a_place_for_the_model_it_says_what_is_wanted(capsys, tmp_path):
    assert main(["train", "finetune", "--out", str(tmp_path)]) == 2
    assert "wanted DATASET --out FOLDER" in capsys.readouterr().err


def test_nothing_held_out_is_said_to_be_so(start, words, tmp_path):
    folder = tmp_path / "robot"
    info = DatasetInfo("robot", SEQUENCE, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, {"kitchen": "train"})
    write_info(folder, info)
    write_scene(folder, info, "kitchen", (made_item("kitchen", n) for n in range(4)))
    assert len(Dataset.open(folder).items("train")) == 4
    out = tmp_path / "mine"
    assert main(["train", "finetune", str(folder), *words[1:], "--out", str(out)]) == 0
    assert "Nothing was held out" in (out / "report.md").read_text()


def test_the_touches_that_were_learnt_from_become_a_bank_that_predicts(dataset, tmp_path, capsys):
    out = tmp_path / "bank"
    assert main(["dataset", "bank", str(dataset), "--out", str(out)]) == 0
    bank = ExampleBank.load(out)
    assert bank.materials == ("wood",)
    assert "CC0-1.0" in (out / "LICENSE.md").read_text()
    assert f"model:={out}" in capsys.readouterr().out.replace("\n", "")
    motion = made_item("kitchen", 0).motion
    [prediction] = load_predictor(out).predict([motion])
    touch_s = motion.contacts[0].start_ns / 1e9
    at = round(touch_s * prediction.sample_rate_hz)
    level = np.abs(prediction.audio)
    assert level[at : at + 800].max() > 10.0 * level[: at - 400].max()
    assert main(["dataset", "bank", str(dataset), "--out", str(out)]) == 2  # what is there is not written over
    assert "already" in capsys.readouterr().err


def test_held_out_touches_become_the_calibration_of_a_model(start, tmp_path, capsys):
    folder = tmp_path / "robot"
    info = DatasetInfo("robot", SEQUENCE, "tiny", DIM, "simulated", {"sound": "CC0-1.0"}, {"office": "val"})
    write_info(folder, info)
    touches = [contact(at, at + 0.08) for at in (0.6, 1.7, 2.8)]
    items = [made_item("office", number, seconds=4.0, contacts=touches) for number in range(8)]
    write_scene(folder, info, "office", items)
    out = tmp_path / "robot.yaml"
    out.write_text("/**/hand_tracker:\n  ros__parameters: {right_end_effector_frame: tool0}\n")
    command = ["dataset", "calibration", str(folder), "--model", str(start), "--out", str(out), "--alpha", "0.1"]
    assert main(command) == 0
    parameters = yaml.safe_load(out.read_text())
    assert parameters["/**/hand_tracker"]["ros__parameters"]["right_end_effector_frame"] == "tool0"
    named = parameters["/**/sound_comparator"]["ros__parameters"]
    calibration = ConformalCalibration.load(named["calibration"])
    digest = load_checkpoint(start, KIND).config["sha256"]["model.safetensors"][:8]
    assert calibration.made_with["model"] == f"{start.name}@{digest}"
    judge = TouchJudge(load_scorer(), calibration, named["alpha"])
    assert judge.unarmed == ""
    assert "24 touches" in capsys.readouterr().out


def test_a_robot_whose_noise_is_evened_out_is_sent_to_calibrate_normal(dataset, start, tmp_path, capsys):
    out = tmp_path / "robot.yaml"
    before = "/**/sound_comparator:\n  ros__parameters: {ego_noise: robot_ego_noise.yaml}\n"
    out.write_text(before)
    assert main(["dataset", "calibration", str(dataset), "--model", str(start), "--out", str(out)]) == 2
    assert "wanted no ego_noise" in (said := capsys.readouterr().err)
    assert "use hearing-hands calibrate normal" in said
    assert out.read_text() == before


def test_too_few_touches_make_no_calibration(dataset, start, tmp_path, capsys):
    out = tmp_path / "robot.yaml"
    assert main(["dataset", "calibration", str(dataset), "--model", str(start), "--out", str(out)]) == 2
    assert "normal touches or more for alpha 0.05" in capsys.readouterr().err
    assert not out.exists()
