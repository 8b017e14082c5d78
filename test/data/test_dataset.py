from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from hearing_hands_ros.data.dataset import Dataset, DatasetInfo, ItemRef
from hearing_hands_ros.data.dataset_writer import scene_folder, write_info, write_scene
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

DIM, FRAMES = 6, 30
SPLITS = {"kitchen": "train", "garage": "test"}


def info(**changes: Any) -> DatasetInfo:
    values: dict[str, Any] = {
        "name": "made",
        "sequence": SequenceConfig(),
        "encoder": "tiny",
        "encoder_dim": DIM,
        "origin": "recorded",
        "licences": {"sounds": "mine"},
        "splits": SPLITS,
    }
    return DatasetInfo(**{**values, **changes})


def item(name: str = "one", touches: int = 2, **changes: Any) -> Item:
    rng = np.random.default_rng(len(name))
    valid = np.ones((FRAMES, 2), np.bool_)
    valid[5:8, 1] = False
    hands = rng.normal(size=(FRAMES, 2, 21, 3)).astype(np.float32)
    hands[~valid] = np.nan
    contacts = tuple(
        Contact(1000 * i, 5000 * i + 7, i % 2, "wood", (0.1, 0.2, float(i)), (0.0, 0.0, 1.0), 0.3, 0.0, "tap")
        for i in range(touches)
    )
    values: dict[str, Any] = {
        "scene": "kitchen",
        "name": name,
        "action": "double_tap",
        "motion": HandMotion(0, 30.0, hands, valid, contacts),
        "audio": np.round(rng.uniform(-0.9, 0.9, 16000) * 32768).astype(np.float32) / 32768,
        "contact_local": rng.normal(size=(touches, DIM)).astype(np.float16),
        "contact_local_hand": np.full((touches, DIM), np.nan, np.float16),
        "scene_views": rng.normal(size=(2, DIM)).astype(np.float16),
    }
    return Item(**{**values, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_info(tmp_path, info())
    write_scene(tmp_path, info(), "kitchen", [item("one"), item("three", touches=0)])
    write_scene(tmp_path, info(), "garage", [replace(item("two"), scene="garage")])
    return tmp_path


def test_an_item_comes_back_as_it_was_written(folder: Path) -> None:
    dataset = Dataset.open(folder)
    assert dataset.info == info()
    assert dataset.items("train") == (ItemRef("train", "kitchen", "one"), ItemRef("train", "kitchen", "three"))
    assert [ref.name for ref in dataset.items("test")] == ["two"] and dataset.items("val") == ()
    written, read = item("one"), dataset.load(dataset.items("train")[0])
    assert read.motion.contacts == written.motion.contacts and read.action == "double_tap"
    np.testing.assert_array_equal(read.motion.keypoints, written.motion.keypoints)
    np.testing.assert_array_equal(read.audio, written.audio)
    for name in ("contact_local", "contact_local_hand", "scene_views"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert dataset.load(dataset.items("train")[1]).motion.contacts == ()


def damaged(folder: Path, **changes: Any) -> None:
    path = scene_folder(folder, "kitchen") / "one.npz"
    arrays = {**item("one").arrays(), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hands": None}, "hands: wanted an array, got none"),
        ({"hands": np.zeros((30, 2, 20, 3), np.float32)}, r"hands: wanted float of shape \(any, 2, 21, 3,\), got"),
        ({"contact_local": np.zeros((1, DIM), np.float16)}, "contact_local: wanted 2 rows.*got 1"),
        ({"contact_local": np.full((2, DIM), np.inf)}, "contact_local: wanted finite values, got 12 that are not"),
        ({"scene": np.zeros((2, DIM + 1), np.float16)}, r"scene: wanted float of shape \(any, 6,\), got"),
        ({"rate_hz": np.float64(25.0)}, "rate_hz: wanted 30, got 25"),
        ({"start_ns": np.int64(5)}, "start_ns: wanted 0"),
        ({"contact_hand": np.array([0, 2])}, "hand wanted 0 .left. or 1 .right., got 2"),
        ({"contact_kind": np.array(["tap", "kick"])}, "kind wanted one of .*, got 'kick'"),
        ({"valid": np.ones((30, 2), np.bool_)}, "keypoints wanted finite where valid, got 3 hand frames"),
        ({"action": np.array({"a": 1}, dtype=object)}, "wanted arrays without pickles"),
    ],
)
def test_a_bad_item_is_refused_by_file_and_field(folder: Path, changes: dict[str, Any], said: str) -> None:
    damaged(folder, **changes)
    dataset = Dataset.open(folder)
    with pytest.raises(ValueError, match=rf"Dataset\('made'\): kitchen/one\.npz: .*{said}"):
        dataset.load(dataset.items("train")[0])
    assert dataset.load(dataset.items("train")[1]).name == "three"  # the others can be read all the same


@pytest.mark.parametrize(
    ("wave", "rate", "said"),
    [
        (np.zeros(15000, np.float32), 16000, "audio: wanted 16000 samples at 16000 Hz for 30 frames"),
        (np.full(16000, np.nan, np.float32), 16000, "wanted finite samples, got 16000 that are not"),
        (np.zeros(16000, np.float32), 44100, "wanted one channel at 16000 Hz, got 1 at 44100 Hz"),
        (np.zeros((16000, 2), np.float32), 16000, "wanted one channel at 16000 Hz, got 2 at 16000 Hz"),
    ],
)
def test_a_bad_sound_is_refused(folder: Path, wave: Any, rate: int, said: str) -> None:
    # What can hold NaN is no FLAC, but a reader goes by what is in the file.
    soundfile.write(scene_folder(folder, "kitchen") / "one.flac", wave, rate, format="WAV", subtype="FLOAT")
    dataset = Dataset.open(folder)
    with pytest.raises(ValueError, match=f"kitchen/one.*{said}"):
        dataset.load(dataset.items("train")[0])


def test_a_truncated_item_is_refused(folder: Path) -> None:
    path = scene_folder(folder, "kitchen") / "one.npz"
    path.write_bytes(path.read_bytes()[:400])
    dataset = Dataset.open(folder)
    with pytest.raises(ValueError, match=r"kitchen/one\.npz: wanted arrays without pickles, got a file that cannot"):
        dataset.load(dataset.items("train")[0])


def test_everything_that_is_missing_is_listed_at_once(folder: Path) -> None:
    (scene_folder(folder, "kitchen") / "one.flac").unlink()
    (scene_folder(folder, "garage") / "two.flac").unlink()
    with pytest.raises(FileNotFoundError, match=r"kitchen/one\.flac, scenes/garage/two\.flac"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("format", "other/1", "format wanted 'hearing_hands_ros/dataset/1', got 'other/1'"),
        ("splits", {"kitchen": "train", "garage": "trian"}, "splits: garage: wanted one of train, val, test, got"),
        ("splits", {"kitchen": "train"}, "wanted a split for every scene, got none for: garage"),
        ("splits", {**SPLITS, "../x": "val"}, "wanted a plain folder name for a scene, got '../x'"),
        ("origin", "dreamt", "origin: wanted one of simulated, recorded, got 'dreamt'"),
        ("encoder", {"name": "tiny", "dim": 0}, "encoder.dim: wanted an integer of at least 1, got 0"),
        ("sequence", {"hop": 256}, "sequence wanted the fields of SequenceConfig"),
        ("licences", None, "licences wanted a mapping, got None"),
    ],
)
def test_a_bad_manifest_is_refused_by_field(folder: Path, field: str, value: Any, said: str) -> None:
    document = {**info().document(), field: value}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ValueError, match=said):
        Dataset.open(folder)


def test_an_unknown_split_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="split wanted one of train, val, test, got 'training'"):
        Dataset.open(folder).items("training")


def test_a_bad_item_is_not_written_and_leaves_no_scene(tmp_path: Path) -> None:
    loud = item("loud", audio=np.full(16000, 1.5, np.float32))
    with pytest.raises(ValueError, match="kitchen/loud: audio: wanted finite samples of -1 to 1, got a peak of 1.5"):
        write_scene(tmp_path, info(), "kitchen", [item("one"), loud])
    assert not scene_folder(tmp_path, "kitchen").exists()
    assert write_scene(tmp_path, info(), "kitchen", [item("one")]) == 1  # what is left of the first try is no hindrance
    with pytest.raises(FileExistsError, match="which is there already"):
        write_scene(tmp_path, info(), "kitchen", [item("one")])
