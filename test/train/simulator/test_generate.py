from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import DEMO, MATERIALS, SETTINGS
from made_encoder import PatchColours

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.demo import room_textures
from hearing_hands_ros.train.simulator.generate import Materials, generate
from hearing_hands_ros.train.simulator.simulate import SimulatorSettings
from hearing_hands_ros.train.simulator.textures import MATERIALS as NAMES
from hearing_hands_ros.train.simulator.textures import PHOTOGRAPHS, draw_texture
from hearing_hands_ros.train.simulator.voices import recordings_of


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def sources(folder: Path, split: str) -> tuple[set[str], set[str]]:
    """Textures and groups of recordings of a split, and all scenes' names in their files."""
    textures, recordings = set(), set()
    for path in folder.glob(f"scenes/{split}_*/sources.yaml"):
        document = yaml.safe_load(path.read_text())
        textures |= {texture["source"] for texture in document["textures"]}
        recordings |= set(document["recordings"])
    return textures, recordings


def test_train_and_test_share_no_scene_no_texture_and_no_recording(made: Dataset, made_folder: Path) -> None:
    known, held = (sources(made_folder, split) for split in ("train", "test"))
    assert all(known) and all(held)
    assert not known[0] & held[0] and not known[1] & held[1]
    scenes = [{ref.scene for ref in made.items(split)} for split in ("train", "test")]
    assert scenes == [{"train_0000"}, {"test_0000"}]
    groups = {
        name: {line["group"] for line in yaml.safe_load((DEMO / name / "bank.yaml").read_text())["recordings"]}
        for name in ("bank", "held_out")
    }
    assert known[1] <= groups["bank"] and held[1] <= groups["held_out"]
    assert not groups["bank"] & groups["held_out"]


def test_no_two_splits_share_a_recording_or_a_photograph() -> None:
    groups = [
        {e.group for e in recordings_of(split, MATERIALS.bank, MATERIALS.held_out, 16000).exemplars}
        for split in ("train", "val", "test")
    ]
    names = [{name for some in PHOTOGRAPHS[split].values() for name in some} for split in ("train", "val", "test")]
    for parts in (groups, names):
        assert all(parts)
        assert len(set.union(*parts)) == sum(map(len, parts))


def test_making_the_training_split_opens_nothing_that_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything held out is gone: no recording and no photograph of it is on this disk.
    kept = tmp_path / "textures"
    kept.mkdir()
    for name in {name for some in PHOTOGRAPHS["train"].values() for name in some}:
        shutil.copy(DEMO / "room_textures" / f"{name}.jpg", kept)
    monkeypatch.setattr(room_textures, "texture_folder", lambda: kept)
    room_textures.texture.cache_clear()
    settings = SimulatorSettings(seed=3, train_scenes=1, val_scenes=0, test_scenes=0, items=1)
    materials = Materials(DEMO / "bank", tmp_path / "nothing", "not loaded")
    assert generate(tmp_path / "out", settings, materials, encoder=PatchColours()) == 1
    for seed in range(12):
        for material in NAMES:
            draw_texture(material, "train", "key", np.random.default_rng(seed))
    with pytest.raises(FileNotFoundError, match="wanted an image, got nothing"):
        for seed in range(12):
            draw_texture("wood", "test", "key", np.random.default_rng(seed))
    room_textures.texture.cache_clear()


def test_a_run_that_was_cut_off_goes_on_and_gives_the_same_files(made_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(made_folder, again)
    # As after a kill in the second scene: half of it lies in a draft.
    shutil.move(again / "scenes" / "test_0000", again / "scenes" / "test_0000.part")
    (again / "scenes" / "test_0000.part" / "000_tap.npz").write_bytes(b"half")
    told: list[tuple[int, int]] = []
    made = generate(again, SETTINGS, MATERIALS, progress=lambda *now: told.append(now), encoder=PatchColours())
    assert made == 1 and told == [(1, 2), (2, 2)]
    assert files(again) == files(made_folder)


def test_another_dataset_is_not_gone_on_with(made_folder: Path) -> None:
    other = SimulatorSettings(seed=4, train_scenes=1, val_scenes=0, test_scenes=1, items=2, hand_share=0.7)
    with pytest.raises(ValueError, match="wanted a dataset simulated with seed 4.*, got one simulated with seed 3"):
        generate(made_folder, other, MATERIALS, encoder=PatchColours())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"items": 0}, "at least one scene and one item"),
        ({"train_scenes": -1}, "train_scenes wanted at least 0, got -1"),
        ({"window_s": 0.1}, "window_s wanted 0.5 to 30 s, got 0.1"),
        ({"hand_share": 1.5}, "hand_share wanted 0 to 1, got 1.5"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SimulatorSettings(**values)


def test_the_command_says_what_is_in_a_dataset_and_what_is_wrong(
    made_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "info", str(made_folder), "--check"]) == 0
    out = capsys.readouterr().out
    assert "simulated with seed 3" in out and "CC BY-SA 3.0" in out
    assert "0.3 minutes" in out and "faults        0" in out
    broken = tmp_path / "broken"
    shutil.copytree(made_folder, broken)
    next(broken.glob("scenes/train_0000/*.npz")).write_bytes(b"none")
    assert main(["dataset", "info", str(broken), "--check"]) == 1
    assert "wrong: Dataset('workcell'): train_0000/" in capsys.readouterr().out
