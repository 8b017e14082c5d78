from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from made_outputs import photos, write_gaussian_splatting, write_model, write_nerfstudio

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.scene.bundle import SceneBundle


def hearing_hands(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["hearing-hands", "scene", *map(str, words)])
    return main()


def test_a_folder_becomes_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_nerfstudio(tmp_path / "ns", k1=0.1)
    write_model(folder / "data/colmap/sparse/0", photos())
    out = tmp_path / "desk"
    assert (
        hearing_hands(monkeypatch, "import", folder, "--out", out, "--frame-id", "desk_scene", "--max-cameras", 3) == 0
    )
    said = capsys.readouterr().out
    assert "40, spherical harmonics of degree 1" in said and "note lens distortion (OPENCV)" in said
    assert "note no database.db beside the COLMAP model" in said
    got = SceneBundle.load(out, registered=False)
    assert (got.name, got.frame_id, len(got.cameras)) == ("desk", "desk_scene", 3)
    assert got.sfm is not None and (out / "sfm/images.bin").is_file()
    assert (out / "splat.ply").is_file()


def test_an_aligned_model_registers_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    write_model(folder / "sparse/0", photos())
    write_model(tmp_path / "metres", photos())
    splats = next(folder.glob("point_cloud/iteration_30000/*.ply"))
    words = ("--from", "colmap", "--splats", splats, "--aligned", tmp_path / "metres", "--parent-frame", "map")
    assert hearing_hands(monkeypatch, "import", folder, "--out", tmp_path / "desk", *words, "--format", "spz") == 0
    got = SceneBundle.load(tmp_path / "desk")
    assert got.parent_frame == "map" and got.scale == pytest.approx(1.0) and got.splats.source == "scene.spz"


def test_what_is_missing_is_said_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    (folder / "cameras.json").write_text("[{]")
    assert hearing_hands(monkeypatch, "import", folder, "--out", tmp_path / "desk") == 2
    assert "hearing-hands scene: cameras.json: wanted JSON, got something else" in capsys.readouterr().err
    assert not (tmp_path / "desk").exists()


def test_what_photos_are_found_by_comes_from_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    folder = write_gaussian_splatting(tmp_path / "gs")
    (folder / "sparse/0").mkdir(parents=True)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_frames_per_rig = 4
    with pycolmap.Database.open(folder / "database.db") as database:
        pycolmap.synthesize_dataset(options, database).write_binary(folder / "sparse/0")
    assert hearing_hands(monkeypatch, "import", folder, "--out", tmp_path / "desk") == 0
    assert "photos cannot be found" not in capsys.readouterr().out
    with np.load(tmp_path / "desk/sfm/descriptors.npz") as found:
        assert found["descriptors"].shape == (len(found["point3d_ids"]), 128) and len(found["point3d_ids"]) > 100
