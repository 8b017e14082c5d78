"""Training of the published network, made small."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from small_runs import fit

from hearing_hands_ros.data.published_dataset import PublishedDataset
from hearing_hands_ros.model.checkpoint import load_checkpoint, save_checkpoint
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.bigvgan import BigVGAN
from hearing_hands_ros.model.published.config import AutoencoderConfig, ConditionerConfig, VocoderConfig
from hearing_hands_ros.model.published.generator import PublishedGenerator
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.train.config import load_config
from hearing_hands_ros.train.published_config import PublishedData
from hearing_hands_ros.train.published_data import PublishedBatches
from hearing_hands_ros.train.sampler import Pick, generator_of
from hearing_hands_ros.train.task import make_task

ITEMS = {
    "train": [["attic", f"video_A00{n}_1_C1_1_with_audio_fps_4_truncate_{n}_{n + 8}"] for n in range(4)],
    "val": [["attic", "video_A009_1_C1_1_with_audio_fps_4_truncate_0_8"]],
    "test": [["barn", "video_B001_1_C1_1_with_audio_fps_4_truncate_0_8"]],
}
WIDTHS = ConditionerConfig(global_dim=5, local_dim=7, width=24)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Items whose every number says which item it is of, and a small autoencoder with random weights."""
    folder = tmp_path_factory.mktemp("published")
    for number, (scene, name) in enumerate(pair for pairs in ITEMS.values() for pair in pairs):
        video = "_".join(name.split("_")[:5])
        parts = {
            f"mel/{name}": (80, 500),
            f"hamer_hand_keypoints/{video}/{name}": (240, 2, 21, 3),
            f"clip_features/{name}": (32, 5),
            f"clip_features_local/{name}": (32, 7),
        }
        for part, shape in parts.items():
            path = folder / scene / f"{part}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.full(shape, 0.5 * number - 2.0, np.float32))
    (folder / "splits.json").write_text(json.dumps(ITEMS))
    torch.manual_seed(0)
    sizes = AutoencoderConfig(latent=4, width=32, multiples=(1, 1), encoder_blocks=1)
    tensors = {f"autoencoder.{name}": tensor for name, tensor in Autoencoder(sizes).state_dict().items()}
    rates, kernels = [4, 4, 4, 4], [8, 8, 8, 8]
    vocoder = VocoderConfig(width=32, rates=(4, 4, 4, 4), kernels=(8, 8, 8, 8))
    tensors |= {f"vocoder.{name}": tensor for name, tensor in BigVGAN(vocoder).state_dict().items()}
    network = {
        "autoencoder": {**asdict(sizes), "multiples": [1, 1]},
        "velocity": {"latent": 4},
        "vocoder": {"width": 32, "rates": rates, "kernels": kernels},
    }
    config = {"network": network, "sequence": asdict(SequenceConfig()), "training": "none", "licence": "CC0-1.0"}
    config["encoders"] = {"global": "open_clip:ViT-B-32", "local": "open_clip:ViT-B-32"}
    save_checkpoint(folder / "given", "published", config, tensors)
    return folder


def words(folder, out="x"):
    data = {"folder": folder, "splits": folder / "splits.json", "autoencoder": folder / "given"}
    sizes = {"global_dim": 5, "local_dim": 7, "width": 24}
    inside = {"latent": 4, "context": 24, "width": 64, "heads": 2, "blocks": 1, "growth": 1, "kernel": 3}
    run = {"out": out, "batch": 4, "steps": 12, "log_every": 1, "validate_every": 12, "samples": 1, "ema_decay": 0.5}
    sections = {"data": data, "conditioner": sizes, "velocity": inside, "run": run}
    given = [f"{section}.{name}={value}" for section, values in sections.items() for name, value in values.items()]
    return [*given, "optimizer.learning_rate=3e-3", "optimizer.warmup_steps=1", "objective.sample_steps=2"]


def test_half_of_the_samples_are_joined_of_two_items_everywhere_at_one_time(published):
    dataset = PublishedDataset.open(published, published / "splits.json")
    batches = PublishedBatches(dataset, "train", WIDTHS, PublishedData(), splice=True)
    batch = {name: values.float().numpy() for name, values in batches[Pick(np.arange(4).repeat(100), 0)].items()}
    first = np.arange(4).repeat(100) * 0.5 - 2.0
    cuts = {}
    for name, values in batch.items():
        flat = values.reshape(len(values), values.shape[1], -1)
        assert (flat == flat[:, :, :1]).all()
        assert (flat[:, 0, 0] == first).all()
        changes = flat[:, 1:, 0] != flat[:, :-1, 0]
        assert changes.sum(axis=1).max() == 1
        cuts[name] = np.where(changes.any(axis=1), 8.0 * (changes.argmax(axis=1) + 1) / flat.shape[1], np.nan)
    joined = np.isfinite(cuts["mel"])
    assert joined.mean() == pytest.approx(0.5 * 3 / 4, abs=0.08)  # one in four is joined with itself
    for name, rate_hz in (("hands", 30), ("views", 4), ("local_views", 4)):
        assert np.abs(cuts[name] - cuts["mel"])[joined].max() <= 0.5 / rate_hz + 0.5 / 62.5
    assert 1.99 <= cuts["mel"][joined].min() < 2.5
    assert 5.5 < cuts["mel"][joined].max() <= 6.01
    whole = PublishedBatches(dataset, "train", WIDTHS, PublishedData(), splice=False)[Pick(np.arange(4), 0)]
    assert (whole["mel"].float().numpy() == first.reshape(4, 100)[:, :1, None]).all()


def test_it_learns_and_leaves_a_whole_checkpoint(published, tmp_path):
    done = fit(load_config("published", words(published, tmp_path)))
    assert "step 12  validation  loss" in done.said
    made, given = (load_checkpoint(folder, "published") for folder in (tmp_path / "last", published / "given"))
    assert all(torch.equal(made.tensors[name], given.tensors[name]) for name in given.tensors)
    kinds = {name.split(".")[0] for name in made.tensors}
    assert kinds == {"conditioner", "velocity", "autoencoder", "vocoder"}
    assert made.config["network"]["conditioner"]["global_dim"] == 5
    assert made.config["encoders"] == given.config["encoders"]
    generator = PublishedGenerator.load(tmp_path / "best", "cpu", fast=False)
    conditions = torch.randn(1, 30, 126), torch.randn(1, 4, 5), torch.randn(1, 4, 7)
    log_mel, wave = generator.generate(*conditions, torch.Generator().manual_seed(0), steps=2)
    assert log_mel.isfinite().all()
    assert wave.shape[1] == 256 * log_mel.shape[2]
    task = make_task(load_config("published", words(published)))
    torch.manual_seed(1)
    fresh = task.build()
    batch = task.data("val")[Pick(np.zeros(16, np.int64), 0)]
    losses = []
    for begun in (False, True):
        if begun:
            task.start(fresh, tmp_path / "last")
        with torch.no_grad():
            losses.append(float(task.validate(fresh, batch, generator_of(3))["loss"]))
    assert losses[1] < losses[0]


def test_without_conditions_the_context_is_that_of_zeros(published):
    config = load_config("published", [*words(published), "objective.drop=1"])
    task = make_task(config)
    model, pick = task.build(), Pick(np.arange(4), 0)
    batch = task.data("train")[pick]
    empty = {name: values if name == "mel" else torch.zeros_like(values) for name, values in batch.items()}
    torch.nn.init.normal_(model.velocity.blocks[0].proj_out.weight)
    with torch.no_grad():
        one, two = (float(task.loss(model, each, generator_of(0))[0]) for each in (batch, empty))
    assert one == two
    config = load_config("published", [*words(published), "objective.drop=0"])
    with torch.no_grad():
        assert float(make_task(config).loss(model, batch, generator_of(0))[0]) != one


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.autoencoder=", "data.autoencoder wanted a checkpoint folder with the autoencoder"),
        ("data.splits=", "data.splits wanted its split file"),
        ("velocity.latent=5", "velocity.latent wanted autoencoder.latent (4), got 5"),
        ("conditioner.width=8", "conditioner.width wanted velocity.context (24), got 8"),
        ("data.held_out=[cellar]", "held_out wanted scenes of splits.json, got also: cellar"),
    ],
)
def test_parts_that_do_not_fit_are_refused(published, word, message):
    with pytest.raises(ValueError) as caught:
        make_task(load_config("published", [*words(published), word]))
    assert message in str(caught.value)


def test_a_scene_that_is_held_out_is_neither_trained_nor_validated_on(published, tmp_path):
    splits = {**ITEMS, "train": [*ITEMS["train"], *ITEMS["test"]], "val": [*ITEMS["val"], *ITEMS["test"]]}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    for held_out, scenes in (("", {"attic", "barn"}), ("barn", {"attic"})):
        given = [*words(published), f"data.splits={tmp_path / 'splits.json'}", f"data.held_out=[{held_out}]"]
        task = make_task(load_config("published", given))
        for split in ("train", "val"):
            assert {name.split("/")[0] for name in task.data(split).names} == scenes


def test_nothing_left_to_train_on_is_said(published):
    task = make_task(load_config("published", [*words(published), "data.held_out=[attic]"]))
    with pytest.raises(ValueError, match="'train' wanted at least one item, got none; held out: attic"):
        task.data("train")


def test_features_of_another_width_are_refused_by_item(published):
    task = make_task(load_config("published", [*words(published), "conditioner.global_dim=6"]))
    with pytest.raises(ValueError, match=r"attic/video_A000.*: views wanted shape \(32, 6\), got \(32, 5\)"):
        task.data("train")
