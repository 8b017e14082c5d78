from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_outputs import photos, write_model

from hearing_hands_ros.cli.main import main
from hearing_hands_ros.scene.bundle import Registration, SceneBundle, Sfm
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene, read_splats, write_splats

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`hearing-hands scene ...`: exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hearing-hands", "scene", *map(str, words)])
        code = main()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def grid() -> SplatScene:
    """A Gaussian at each corner of a grid, -1 to 1 in splat units."""
    axis = np.linspace(-1.0, 1.0, 9)
    means = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(0)
    return SplatScene(
        means=means.astype(np.float32),
        scales=np.full((len(means), 3), 0.05, np.float32),
        quats_wxyz=np.tile(np.float32([1, 0, 0, 0]), (len(means), 1)),
        opacities=np.full(len(means), 0.8, np.float32),
        sh=rng.uniform(-0.5, 0.5, (len(means), 9, 3)).astype(np.float32),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, half a metre to the unit; wood below z = 0, metal above; one camera looks at it, one away."""
    splats = grid()
    views = [((0.0, -4.0, 0.0), "front"), ((0.0, -4.0, 9.0), "sky")]
    targets = [(0.0, 0.0, 0.0), (0.0, -8.0, 9.0)]
    SceneBundle(
        name="cube",
        splats=splats,
        frame_id="cube_scene",
        up=np.array([0.0, 0.0, 1.0]),
        registration=Registration("world", Sim3(0.5, [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0]), 1.25, 0.5),
        cameras=tuple(
            Camera.look_at(name, place, target, (0, 0, 1), 100, 60.0)
            for (place, name), target in zip(views, targets, strict=True)
        ),
        material_names=("wood", "metal"),
        labels=(splats.means[:, 2] > 0).astype(np.uint8),
    ).save(tmp_path / "cube", "cube.ply")
    return tmp_path / "cube"


def test_info_tells_what_a_bundle_holds(folder: Path, command: Command) -> None:
    code, out, _ = command("info", folder)
    assert code == 0
    for text in (
        "name          cube",
        "sha256",
        "ok",
        "729, spherical harmonics of degree 2",
        "2 x 2 x 2 units",
        "1 x 1 x 1 m",
        "25, 25, 25, 25, 25 mm",
        "cube_scene under world, 0.5 m per unit",
        "1.25 mm, 0.500 degrees",
        "2 of 100 x 100 pixels",
    ):
        assert text in out
    words = [line.split() for line in out.splitlines()]
    assert ["wood", "405", "55.6", "%"] in words and ["metal", "324", "44.4", "%"] in words
    assert "\x1b" not in out  # no colours in a pipe


def test_info_of_a_bare_file(tmp_path: Path, command: Command) -> None:
    write_splats(tmp_path / "a.spz", grid())
    code, out, _ = command("info", tmp_path / "a.spz")
    assert code == 0 and "729, spherical harmonics of degree 2" in out and "registration" not in out


def test_check_passes_what_is_whole(folder: Path, command: Command) -> None:
    assert command("check", folder)[:2] == (0, f"{folder}: no faults, 729 Gaussians\n")
    assert command("check", folder / "cube.ply")[0] == 0


def test_check_lists_all_faults(folder: Path, command: Command) -> None:
    document = yaml.safe_load((folder / "scene.yaml").read_text())
    document.update(up=[0, 0, 2], sha256="00", colour="red")
    document["registration"]["scale"] = 0
    document["cameras"][0]["fx"] = -1
    (folder / "scene.yaml").write_text(yaml.safe_dump(document))
    np.save(folder / "labels.npy", np.zeros(3, np.uint8))
    code, out, _ = command("check", folder)
    assert code == 1 and f"{folder}: 6 faults" in out
    for text in ("up: wanted", "sha256 wanted", "colour: unknown", "registration.scale", "cameras[0].fx", "labels.npy"):
        assert sum(line.startswith("wrong") and text in line for line in out.splitlines()) == 1


def test_check_of_an_unregistered_scene(folder: Path, command: Command) -> None:
    document = yaml.safe_load((folder / "scene.yaml").read_text())
    del document["registration"]
    (folder / "scene.yaml").write_text(yaml.safe_dump(document))
    code, out, _ = command("check", folder)
    assert code == 1 and "registration is missing" in out
    assert command("check", "--unregistered", folder)[0] == 0
    assert "none: run `hearing-hands scene register`" in command("info", folder)[1]


@pytest.mark.parametrize("text", [False, True])
def test_check_opens_the_model_of_the_photos(folder: Path, tmp_path: Path, command: Command, text: bool) -> None:
    model = write_model(tmp_path / "sparse", photos(3), text, "OPENCV_FISHEYE")
    bundle = SceneBundle.load(folder)
    replace(bundle, sfm=Sfm(model, Sim3.identity())).save(folder, "cube.ply")
    code, out, _ = command("check", folder)
    assert code == 0 and "note sfm: no descriptors.npz, so photos cannot be found in the scene" in out
    (folder / "sfm/descriptors.npz").write_bytes(b"PK no zip")
    for path in (folder / "sfm").glob("*.???"):
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2] if path.suffix == ".bin" else raw + b"1 2 3\n")
    code, out, _ = command("check", folder)
    assert code == 1 and f"{folder}: 4 faults" in out
    for name in ("cameras", "images", "points3D"):
        assert f"wrong sfm: {name}.{'txt' if text else 'bin'}: " in out
    assert "wrong sfm: descriptors.npz: wanted descriptors and point3d_ids, got a damaged file" in out


def test_check_notices_features_of_another_model(folder: Path, tmp_path: Path, command: Command) -> None:
    model = write_model(tmp_path / "sparse", photos(3))
    np.savez(model / "descriptors.npz", descriptors=np.zeros((5, 128), np.uint8), point3d_ids=np.arange(5))
    replace(SceneBundle.load(folder), sfm=Sfm(model, Sim3.identity())).save(folder, "cube.ply")
    code, out, _ = command("check", folder)
    assert code == 1 and "descriptors.npz: wanted descriptors of the model's 0 points, got none among 5" in out


def test_check_of_what_is_not_there(tmp_path: Path, command: Command) -> None:
    code, out, _ = command("check", tmp_path / "gone.ply")
    assert code == 1 and "got nothing at" in out


def test_crop_by_a_box_in_metres_keeps_labels_and_the_cameras_that_see_it(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    box = ("--box", -0.3, -0.3, 0.01, 0.3, 0.3, 1.0)
    code, out, _ = command("crop", folder, tmp_path / "top", *box)
    assert code == 0 and "100 of 729 Gaussians" in out
    got = SceneBundle.load(tmp_path / "top")
    assert len(got.splats) == 5 * 5 * 4 and (got.labels == 1).all()
    assert np.abs(got.means_m[:, :2]).max() <= 0.3 and got.means_m[:, 2].min() > 0.01
    assert got.splats.sh_degree == 2 and got.scale == 0.5
    assert [camera.name for camera in got.cameras] == ["front"]
    assert (tmp_path / "top/cube.ply").is_file()


@pytest.mark.parametrize("low", ["-1e-1", "-.1", "-0.1", "-1.0E-01"])
def test_numbers_may_be_written_in_any_way(folder: Path, tmp_path: Path, command: Command, low: str) -> None:
    code, out, _ = command("crop", folder, tmp_path / "middle", "--box", low, low, low, "1e-1", "+1e-1", ".1")
    assert code == 0 and "1 of 729 Gaussians" in out


def test_crop_by_a_sphere_in_splat_units_of_a_bare_file(tmp_path: Path, command: Command) -> None:
    write_splats(tmp_path / "a.ply", grid())
    assert command("crop", tmp_path / "a.ply", tmp_path / "b.ply", "--sphere", 0, 0, 0, 0.26)[0] == 0
    means = read_splats(tmp_path / "b.ply").means
    assert len(means) == 7 and np.linalg.norm(means, axis=1).max() < 0.26
    code, _, err = command("crop", tmp_path / "a.ply", tmp_path / "c.ply", "--sphere", 0, 0, 0, 1, "--units", "metres")
    assert code == 2 and "wanted a registered scene for --units metres" in err


def test_crop_that_leaves_nothing_writes_nothing(folder: Path, tmp_path: Path, command: Command) -> None:
    code, _, err = command("crop", folder, tmp_path / "none", "--box", 8, 8, 8, 9, 9, 9)
    assert code == 2 and "wanted Gaussians in the region, got none of 729" in err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("region", [("--box", 0, 0, 0, 1, 1, 0), ("--sphere", 0, 0, 0, -1)])
def test_crop_by_a_region_without_volume_is_refused(
    region: tuple[object, ...], folder: Path, tmp_path: Path, command: Command
) -> None:
    code, _, err = command("crop", folder, tmp_path / "none", *region)
    assert code == 2 and f"{region[0]}: wanted" in err


def test_convert_there_and_back(tmp_path: Path, command: Command) -> None:
    write_splats(tmp_path / "a.ply", grid())
    assert command("convert", tmp_path / "a.ply", tmp_path / "b.spz")[0] == 0
    assert command("convert", tmp_path / "b.spz", tmp_path / "c.ply", "--sh-degree", 1)[0] == 0
    got = read_splats(tmp_path / "c.ply")
    assert got.sh_degree == 1 and (tmp_path / "b.spz").stat().st_size < 0.3 * (tmp_path / "a.ply").stat().st_size
    np.testing.assert_allclose(got.means, grid().means, atol=1e-5)


def test_convert_a_bundle_into_a_bundle(folder: Path, tmp_path: Path, command: Command) -> None:
    assert command("convert", folder, tmp_path / "small", "--format", "spz", "--sh-degree", 0)[0] == 0
    got = SceneBundle.load(tmp_path / "small")
    assert got.splats.sh_degree == 0 and got.splats.source == "scene.spz"
    assert len(got.cameras) == 2 and got.material_names == ("wood", "metal")


def test_nothing_is_overwritten(folder: Path, tmp_path: Path, command: Command) -> None:
    before = (folder / "scene.yaml").read_bytes()
    for words in (("convert", folder, folder), ("crop", folder, folder, "--sphere", 0, 0, 0, 1)):
        code, _, err = command(*words)
        assert code == 2 and "wanted a name that is free" in err
    assert (folder / "scene.yaml").read_bytes() == before
