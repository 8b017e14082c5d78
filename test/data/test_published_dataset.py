from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.data.published_dataset import PublishedDataset, PublishedRef

REAL = "video_A001_02141504_C361_1_with_audio_fps_4_truncate_40_48"
DATED = "video_2024-05-01_A2_x_y_2_with_audio_fps_4_truncate_0_8"
SPLITS = {
    "train": [["kitchen", REAL], ["porch", REAL]],
    "val": [["porch", DATED]],
    "test": [["kitchen", DATED]],
}


def write(folder: Path, scene: str, name: str, mel_frames: int = 500, hand_frames: int = 240) -> None:
    rng = np.random.default_rng(len(scene + name))
    for path, shape in zip(
        PublishedRef(scene, name).paths(folder).values(),
        ((80, mel_frames), (hand_frames, 2, 21, 3), (32, 512), (32, 1024)),
        strict=True,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=shape).astype(np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for pairs in SPLITS.values():
        for scene, name in pairs:
            write(tmp_path, scene, name)
    (tmp_path / "split.json").write_text(json.dumps(SPLITS))
    return tmp_path


def test_an_item_has_the_published_shapes_and_files(folder: Path) -> None:
    dataset = PublishedDataset.open(folder, folder / "split.json")
    ref = dataset.items("train")[0]
    item = dataset.load(ref)
    assert (item.mel.shape, item.hands.shape) == ((80, 500), (240, 126))
    assert (item.views.shape, item.local_views.shape) == ((32, 512), (32, 1024))
    np.testing.assert_array_equal(item.mel, np.load(folder / "kitchen" / "mel" / f"{REAL}.npy"))
    hands = np.load(folder / "kitchen" / "hamer_hand_keypoints" / "video_A001_02141504_C361_1" / f"{REAL}.npy")
    np.testing.assert_array_equal(item.hands[3], hands[3].reshape(-1))


def test_the_video_of_a_dated_item_has_six_parts() -> None:
    assert PublishedRef("porch", DATED).video == "video_2024-05-01_A2_x_y_2"


def test_held_out_scenes_are_all_of_the_test_and_nothing_else(folder: Path) -> None:
    dataset = PublishedDataset.open(folder, folder / "split.json", held_out=["kitchen"])
    assert [ref.scene for ref in dataset.items("train")] == ["porch"]
    assert [ref.scene for ref in dataset.items("val")] == ["porch"]
    assert [(ref.scene, ref.name) for ref in dataset.items("test")] == [("kitchen", REAL), ("kitchen", DATED)]
    with pytest.raises(ValueError, match="held_out wanted scenes of split.json, got also: attic"):
        PublishedDataset.open(folder, folder / "split.json", held_out=["attic"])


def test_all_missing_files_are_listed_at_once(folder: Path) -> None:
    (folder / "kitchen" / "mel" / f"{REAL}.npy").unlink()
    (folder / "porch" / "clip_features_local" / f"{DATED}.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"wanted 16 files, got none for 2: kitchen/mel/.*, porch/clip_feat"):
        PublishedDataset.open(folder, folder / "split.json")


def test_a_frame_too_few_or_too_many_is_mended_and_more_is_refused(folder: Path) -> None:
    dataset = PublishedDataset.open(folder, folder / "split.json")
    ref = PublishedRef("porch", REAL)
    write(folder, "porch", REAL, mel_frames=501, hand_frames=239)
    item = dataset.load(ref)
    assert (item.mel.shape, item.hands.shape) == ((80, 500), (240, 126))
    np.testing.assert_array_equal(item.hands[-1], item.hands[-2])
    write(folder, "porch", REAL, mel_frames=480)
    with pytest.raises(ValueError, match=r"porch/mel/.* wanted shape \(80, 500\), frames to within 2, got \(80, 480\)"):
        dataset.load(ref)


def test_bad_arrays_are_refused_by_file(folder: Path) -> None:
    dataset = PublishedDataset.open(folder, folder / "split.json")
    ref = dataset.items("val")[0]
    path = ref.paths(folder)["views"]
    np.save(path, np.full((32, 512), np.nan, np.float32))
    with pytest.raises(ValueError, match="porch/clip_features/.*wanted finite values, got 16384 that are not"):
        dataset.load(ref)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="porch/clip_features/.*wanted an array without pickles"):
        dataset.load(ref)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "wanted JSON"),
        ('{"train": []}', r"wanted the splits train, val, test, got \['train'\]"),
        ('{"train": [["a", "b"]], "val": [["a"]], "test": []}', r"val\[0\] wanted \[scene, item\]"),
        ('{"train": [["a", "../b"]], "val": [], "test": []}', r"train\[0\] wanted \[scene, item\]"),
    ],
)
def test_a_bad_split_file_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "split.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        PublishedDataset.open(folder, folder / "split.json")
