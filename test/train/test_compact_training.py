"""What the compact network is shown of an item."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from burst_dataset import DIM, NS, SEQUENCE, SPLITS, contact, made_item
from safetensors.torch import load_file
from small_runs import SMALL, fit

from hearing_hands_ros.data.dataset import Dataset, DatasetInfo
from hearing_hands_ros.data.dataset_writer import write_info, write_scene
from hearing_hands_ros.model.compact.conditions import TOUCH_CHANNELS, conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import CompactGenerator
from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.train.compact_config import CompactData
from hearing_hands_ros.train.compact_data import CompactBatches
from hearing_hands_ros.train.config import load_config
from hearing_hands_ros.train.sampler import Pick, generator_of
from hearing_hands_ros.train.task import make_task

TOKEN_S = PATCH * SEQUENCE.hop_s
COMMON = 25  # tokens that last as long as 24 hand frames


def one_item(folder, item):
    """A dataset that holds one item."""
    info = DatasetInfo("one", SEQUENCE, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, SPLITS)
    write_info(folder, info)
    for scene in SPLITS:
        write_scene(folder, info, scene, [item])
    return Dataset.open(folder)


def shifted(motion, start_s, seconds):
    """The window of a motion as the tracker would have given it: what is over before it is not known."""
    first, frames = round(start_s * 30), round(seconds * 30)
    start, end = round(start_s * NS), round((start_s + seconds) * NS)
    inside = tuple(c for c in motion.contacts if c.end_ns > start and c.start_ns < end)
    part = slice(first, first + frames)
    return HandMotion(start, 30.0, motion.keypoints[part], motion.valid[part], inside)


@pytest.mark.parametrize("turn", range(3))
def test_a_crop_is_what_a_window_at_that_place_would_have_been(tmp_path, turn):
    touches = [
        contact(0.2, 0.3, 1),
        contact(0.5, 1.1, 0),
        contact(0.65, 0.7, 1),
        contact(1.9, 2.0, 0),
        contact(2.9, 3.0),
    ]
    item = made_item("kitchen", 1, seconds=3.2, contacts=touches)
    dataset = one_item(tmp_path / str(turn), item)
    batches = CompactBatches(dataset, "train", CompactData(shortest_s=1.6, longest_s=1.6, hand_in_view=0.0), crop=True)
    loaded = dataset.load(dataset.items("train")[0])
    mel = log_mel(loaded.audio, SEQUENCE)
    # Hand frames and tokens meet every 0.8 s: look for a crop that begins at such a place.
    for seed in range(500):
        batch = batches[Pick(np.array([0]), seed)]
        sound = batch["mel"][0].float().numpy().T
        begins = [t for t in range(0, mel.shape[1] - sound.shape[1] + 1, PATCH)
                  if np.allclose(mel[:, t : t + sound.shape[1]], sound, atol=2e-3)]  # fmt: skip
        assert len(begins) == 1
        token = begins[0] // PATCH
        if token == turn * COMMON:
            break
    else:
        pytest.fail("no crop at that place")
    window = shifted(loaded.motion, token * TOKEN_S, 1.6)
    kept = [loaded.motion.contacts.index(c) for c in window.contacts]
    wanted = conditions_of(window, loaded.contact_local[kept].astype(np.float32), loaded.scene_views, SEQUENCE)
    inner = slice(2, -2)  # at its ends a window does not know how fast the hands were
    np.testing.assert_allclose(batch["hands"][0, inner].numpy(), wanted.hands[inner], atol=5e-3)
    np.testing.assert_allclose(batch["touches"][0].numpy(), wanted.touches, atol=2e-3)
    np.testing.assert_array_equal(batch["touched"][0].numpy(), wanted.touched)
    np.testing.assert_allclose(batch["looks"][0].numpy(), wanted.looks, atol=1e-3)
    np.testing.assert_allclose(batch["scene"][0].numpy(), wanted.scene, atol=1e-2)


def test_views_with_the_hand_are_taken_where_there_are_some(tmp_path):
    item = made_item("kitchen", 1, contacts=[contact(0.3, 0.4), contact(0.8, 0.9), contact(1.2, 1.3)])
    dataset = one_item(tmp_path, item)
    chosen = []
    for share in (0.0, 0.5, 1.0):
        data = CompactData(shortest_s=2.0, longest_s=2.0, hand_in_view=share)
        looks = CompactBatches(dataset, "train", data, crop=True)[Pick(np.zeros(64, np.int64), 5)]["looks"].numpy()
        assert np.isfinite(looks).all()
        np.testing.assert_array_equal(looks[:, 1], np.tile(item.contact_local[1], (64, 1)))  # none was rendered
        chosen.append((looks[:, [0, 2]] == item.contact_local_hand[[0, 2]]).all(axis=2).mean())
    assert chosen[0] == 0.0
    assert 0.3 < chosen[1] < 0.7
    assert chosen[2] == 1.0


def test_items_of_other_lengths_and_without_touches_come_in_one_batch(tmp_path):
    info = DatasetInfo("mixed", SEQUENCE, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, SPLITS)
    write_info(tmp_path, info)
    for scene in SPLITS:
        items = [made_item(scene, 0, 2.0), made_item(scene, 1, 1.5, contacts=[]), made_item(scene, 2, 3.0)]
        write_scene(tmp_path, info, scene, items)
    batches = CompactBatches(Dataset.open(tmp_path), "train", CompactData(), crop=True)
    batch = batches[Pick(np.arange(6), 0)]
    assert batch["mel"].shape[1] == 2 * int(batch["tokens"][0]) <= 1.5 * SEQUENCE.mel_rate_hz
    assert not batch["looks"][1].any()
    assert not batch["touched"][1].any()
    assert not batch["touches"][1].reshape(-1, 2, TOUCH_CHANNELS).any()
    alone = batches[Pick(np.array([1]), 0)]
    assert alone["looks"].shape == (1, 0, DIM)


def test_a_dataset_without_validation_trains_and_one_without_training_is_refused(tmp_path):
    for name, split in (("one", "train"), ("two", "test")):
        info = DatasetInfo(name, SEQUENCE, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, {"shed": split})
        write_info(tmp_path / name, info)
        write_scene(tmp_path / name, info, "shed", [made_item("shed", 0)])
    words = [*SMALL, "run.steps=2", "run.validate_every=1"]
    fit(load_config("compact", [*words, f"data.folder={tmp_path / 'one'}", f"run.out={tmp_path / 'out'}"]))
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["last"]
    with pytest.raises(ValueError, match=r"Dataset\('two'\): wanted items in its split 'train', got none"):
        fit(load_config("compact", [*words, f"data.folder={tmp_path / 'two'}", f"run.out={tmp_path / 'none'}"]))


def test_the_same_seed_shows_the_same_and_another_another(dataset):
    batches = CompactBatches(Dataset.open(dataset), "train", CompactData(), crop=True)
    one, two, other = (batches[Pick(np.arange(4), seed)] for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["mel"].shape != other["mel"].shape or not torch.equal(one["mel"], other["mel"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network.feature_dim=9"], "features of 'tiny' wanted network.feature_dim 9, got 6"),
        (["network.bins=40"], "network.bins wanted 80"),
        (["sequence.hop=128"], "sequence.hop wanted 128, got 256"),
        (["data.folder=/nowhere"], "wanted dataset.yaml, got nothing"),
        (["data.folder="], "data.folder wanted the folder of a dataset"),
    ],
)
def test_a_dataset_that_does_not_fit_the_network_is_refused(dataset, words, message):
    config = load_config("compact", [f"data.folder={dataset}", f"network.feature_dim={DIM}", "run.out=x", *words])
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        make_task(config)
    assert message in str(caught.value)


def test_a_dataset_of_another_rate_is_refused(tmp_path):
    slow = SequenceConfig(hand_rate_hz=15.0)
    write_info(tmp_path, DatasetInfo("slow", slow, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, {}))
    (tmp_path / "scenes").mkdir()
    words = [f"data.folder={tmp_path}", f"network.feature_dim={DIM}", "run.out=x"]
    with pytest.raises(ValueError, match=r"Dataset\('slow'\): sequence.hand_rate_hz wanted 30.0, got 15.0"):
        make_task(load_config("compact", words))


def test_conditions_are_left_out_as_often_as_asked(dataset):
    words = [f"data.folder={dataset}", f"network.feature_dim={DIM}", "network.dim=16", "network.heads=2", "run.out=x"]
    task = make_task(load_config("compact", words))
    model, batch = task.build(), task.data("train")[Pick(np.arange(600) % 6, 0)]
    seen = {}
    honest = model.network.context

    def context(conditions, see, feel):
        seen.update(see=see, feel=feel)
        return honest(conditions, see, feel)

    model.network.context = context
    null = model.network.null_context
    model.network.null_context = lambda like: seen.update(contexts=like) or null(like)
    with torch.no_grad():
        task.loss(model, batch, generator_of(0))
    assert float((~seen["see"]).float().mean()) == pytest.approx(0.1, abs=0.04)
    assert float((~seen["feel"]).float().mean()) == pytest.approx(0.05, abs=0.03)
    assert not (~seen["see"] & ~seen["feel"]).any()


def test_looks_are_roughened_about_their_mean_and_half_of_the_scenes_left_out(dataset):
    words = [f"data.folder={dataset}", *SMALL, "run.out=x", "objective.look_dropout=0.25", "objective.look_noise=0.5"]
    task = make_task(load_config("compact", words))
    model, batch = task.build(), task.data("train")[Pick(np.arange(600) % 6, 0)]
    seen = {}
    honest = model.network.context
    model.network.context = lambda conditions, see, feel: seen.update(it=conditions) or honest(conditions, see, feel)
    with torch.no_grad():
        task.loss(model, batch, generator_of(0))
    named = batch["materials"] >= 0
    layer = model.network.looks[0]
    was, now = (layer(x)[named] for x in (batch["looks"].float(), seen["it"].looks))
    assert (now - was).mean().abs() < 0.02
    # The variance of dropping a quarter of numbers of unit variance, and of the noise.
    assert float((now - was).std()) == pytest.approx((0.25 / 0.75 + 0.5**2) ** 0.5, rel=0.15)
    scene = model.network.scene[0](seen["it"].scene)
    around = scene.square().mean(dim=1)
    assert float((around < 0.5).float().mean()) == pytest.approx(0.5, abs=0.1)


def test_materials_are_learnt_where_they_are_named_and_are_no_part_of_the_checkpoint(tmp_path):
    info = DatasetInfo("two", SEQUENCE, "tiny", DIM, "recorded", {"sound": "CC0-1.0"}, SPLITS)
    write_info(tmp_path / "data", info)
    for scene in SPLITS:
        items = []
        for number in range(4):
            item = made_item(scene, number)
            names = ["glass" if index % 2 else "wood" for index in range(len(item.contact_local))]
            contacts = tuple(replace(c, material=m) for c, m in zip(item.motion.contacts, names, strict=True))
            shine = np.array([[2.0 if name == "glass" else -2.0] for name in names], np.float16)
            motion = replace(item.motion, contacts=contacts)
            items.append(replace(item, motion=motion, contact_local=item.contact_local + shine))
        write_scene(tmp_path / "data", info, scene, items)
    words = [f"data.folder={tmp_path / 'data'}", *SMALL, "data.hand_in_view=0", "optimizer.learning_rate=1e-2",
             "run.steps=60", "objective.material=1", f"run.out={tmp_path / 'out'}"]  # fmt: skip
    trainer = fit(load_config("compact", words)).trainer
    exam = trainer.task.data("val")[Pick(np.arange(4), 0)]
    told = trainer.task.validate(trainer.network, exam, generator_of(0))
    assert float(told["material_told"]) > 0.8
    assert not [name for name in load_file(tmp_path / "out" / "last" / "model.safetensors") if "material" in name]
    assert make_task(load_config("compact", [*words, "objective.material=0"])).build().materials is None


def test_what_was_trained_is_loaded_and_heard(tmp_path, train, dataset):
    train(tmp_path, "run.steps=2")
    generator = CompactGenerator.load(tmp_path / "last", "cpu")
    item = Dataset.open(dataset).load(Dataset.open(dataset).items("test")[0])
    looks = item.contact_local.astype(np.float32)
    conditions = conditions_of(item.motion, looks, item.scene_views.astype(np.float32), SEQUENCE)
    noise = np.random.default_rng(0).standard_normal((80, PATCH * len(conditions.hands))).astype(np.float32)
    (drawn,) = generator.generate([conditions], [noise])
    assert drawn.shape == noise.shape
    assert np.isfinite(drawn).all()
