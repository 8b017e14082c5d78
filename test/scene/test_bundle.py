from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from made_outputs import photos, write_model
from made_scenes import bundle

from hearing_hands_ros.scene.bundle import Registration, SceneBundle, Sfm
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(plane: SplatScene, tmp_path: Path) -> Path:
    labels = (np.arange(len(plane)) % 2).astype(np.uint8)
    labels[0] = 255
    bundle(plane, labels=labels).save(tmp_path / "desk")
    return tmp_path / "desk"


def edit(folder: Path, change: Edit) -> None:
    document = yaml.safe_load((folder / "scene.yaml").read_text())
    change(document)
    (folder / "scene.yaml").write_text(yaml.safe_dump(document))


def test_load_gives_back_what_was_saved(folder: Path, plane: SplatScene) -> None:
    got = SceneBundle.load(folder)
    made = bundle(plane)
    assert (got.name, got.frame_id, got.parent_frame, got.scale) == ("test", "scene", "world", 0.4)
    np.testing.assert_allclose(got.rotation_wxyz, made.rotation_wxyz)
    np.testing.assert_allclose(got.translation_m, made.translation_m)
    np.testing.assert_allclose(got.viewpoints_m, made.viewpoints_m)
    np.testing.assert_allclose(got.means_m, made.means_m, atol=1e-5)
    assert got.labels[:3].tolist() == [255, 1, 0]
    assert (got.residual_mm, got.residual_deg) == (0.5, 0.1)


def test_metres_are_scale_times_units(folder: Path) -> None:
    got = SceneBundle.load(folder)
    assert np.ptp(got.means_m[:, 0]) == pytest.approx(0.395, abs=1e-4)
    assert np.ptp(got.splats.means[:, 0]) == pytest.approx(0.395 / 0.4, abs=1e-3)


def test_ply_bundle_loads(plane: SplatScene, tmp_path: Path) -> None:
    bundle(plane).save(tmp_path / "a", "desk.ply")
    assert len(SceneBundle.load(tmp_path / "a").splats) == len(plane)


def test_scene_without_materials_and_viewpoints_loads(folder: Path) -> None:
    edit(folder, lambda d: (d.pop("materials"), d.pop("viewpoints_m")))
    got = SceneBundle.load(folder)
    assert got.material_names == () and got.viewpoints_m.shape == (0, 3) and (got.labels == 255).all()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"SceneBundle\(.*nowhere.*scene.yaml"):
        SceneBundle.load(tmp_path / "nowhere")


def test_scene_without_registration_says_how_to_add_one(folder: Path) -> None:
    edit(folder, lambda d: d.pop("registration"))
    with pytest.raises(ValueError, match=r"(?s)registration is missing.*three or more points.*add 'registration: \{"):
        SceneBundle.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=2), "format: wanted 1, got 2"),
        (lambda d: d.update(sha256="00"), "scene.spz: sha256 wanted 00, got"),
        (lambda d: d.update(colour="red"), "colour: unknown key"),
        (lambda d: d.pop("name"), "name: missing"),
        (lambda d: d.update(frame_id="/scene"), "frame_id: wanted a TF frame without leading '/'"),
        (lambda d: d.update(frame_id=""), "frame_id: wanted a text"),
        (lambda d: d.update(up=[0, 0, 2]), "up: wanted length 1, got length 2"),
        (lambda d: d.update(up=[0, 0]), "up: wanted 3 finite numbers"),
        (lambda d: d.update(splats="../other.spz"), "splats: wanted a file inside the scene's folder"),
        (lambda d: d.update(splats="gone.spz"), "wanted a .ply or .spz file, got nothing"),
        (lambda d: d["registration"].update(scale=0), "registration.scale: wanted a positive number, got 0"),
        (lambda d: d["registration"].update(scale=float("nan")), "registration.scale: wanted a positive number"),
        (lambda d: d["registration"].update(scale="1 m"), "registration.scale: wanted a positive number, got '1 m'"),
        (
            lambda d: d["registration"].update(rotation_wxyz=[1, 1, 0, 0]),
            "rotation_wxyz: wanted length 1, got length 1.41",
        ),
        (lambda d: d["registration"].update(translation_m=[1, 2]), "translation_m: wanted 3 finite numbers"),
        (lambda d: d["registration"].update(parent_frame="scene"), "parent_frame: wanted another frame than frame_id"),
        (lambda d: d["registration"].update(residual_mm=-1), "residual_mm: wanted a number, zero or more"),
        (lambda d: d["registration"].update(unit="mm"), "registration.unit: unknown key"),
        (lambda d: d["registration"].pop("residual_deg"), "registration.residual_deg: missing"),
        (lambda d: d.update(registration=3), "registration: wanted keys and values, got 3"),
        (lambda d: d["viewpoints_m"].append([1, 2]), r"viewpoints_m\[5\]: wanted 3 finite numbers"),
        (lambda d: d["materials"].update(names=["wood", "wood"]), "materials.names: wanted each name once"),
        (lambda d: d["materials"].update(names=["wood"]), "labels.npy: labels: wanted 0 to 0 or 255"),
        (lambda d: d["materials"].update(labels="gone.npy"), "gone.npy: wanted the labels"),
        (lambda d: d["materials"].update(kind=1), "materials.kind: unknown key"),
    ],
)
def test_a_fault_names_folder_field_wanted_and_got(change: Edit, message: str, folder: Path) -> None:
    edit(folder, change)
    with pytest.raises(ValueError, match=rf"SceneBundle\('.*desk'\): .*{message}"):
        SceneBundle.load(folder)


def test_labels_of_the_wrong_length_are_refused(folder: Path, plane: SplatScene) -> None:
    np.save(folder / "labels.npy", np.zeros(7, np.uint8))
    with pytest.raises(
        ValueError, match=rf"labels.npy: wanted \({len(plane)},\), one label for each Gaussian, got \(7,\)"
    ):
        SceneBundle.load(folder)


@pytest.mark.parametrize("content", [b"", b"hello", np.array([{}], dtype=object).dumps()])
def test_labels_that_are_no_array_are_refused(content: bytes, folder: Path) -> None:
    (folder / "labels.npy").write_bytes(content)
    with pytest.raises(ValueError, match="labels.npy: wanted a .npy file"):
        SceneBundle.load(folder)


def test_all_faults_are_listed_at_once(folder: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["sha256"] = "00"
        document["up"] = [0, 0, 0]
        document["registration"]["scale"] = -1
        document["surprise"] = 1

    edit(folder, change)
    np.save(folder / "labels.npy", np.zeros(7, np.uint8))
    with pytest.raises(ValueError, match="5 things are wrong") as caught:
        SceneBundle.load(folder)
    for part in ("sha256", "up: ", "registration.scale", "surprise: unknown", "labels.npy"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "\x00"])
def test_scene_yaml_that_is_no_mapping_is_refused(text: str, folder: Path) -> None:
    (folder / "scene.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"SceneBundle\(.*scene.yaml: wanted"):
        SceneBundle.load(folder)


def test_broken_splats_and_broken_yaml_are_both_told(folder: Path) -> None:
    (folder / "scene.spz").write_bytes(b"junk")
    edit(folder, lambda d: d.update(up=[0, 0, 0]))
    with pytest.raises(ValueError, match=r"(?s)up: wanted.*sha256.*SplatScene\('scene.spz'\)"):
        SceneBundle.load(folder)


def test_cameras_and_model_come_back(plane: SplatScene, tmp_path: Path) -> None:
    model = write_model(tmp_path / "sparse/0", photos())
    placed = Sim3(2.0, [0.0, 1.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    bundle(plane, cameras=tuple(photos()), sfm=Sfm(model, placed)).save(tmp_path / "desk")
    got = SceneBundle.load(tmp_path / "desk")
    for camera, wanted in zip(got.cameras, photos(), strict=True):
        assert (camera.name, camera.width, camera.fx) == (wanted.name, wanted.width, wanted.fx)
        np.testing.assert_allclose(camera.viewmat, wanted.viewmat, atol=1e-12)
    assert got.sfm is not None and got.sfm.splat_from_sfm.scale == 2.0
    assert (got.sfm.folder / "images.bin").read_bytes() == (model / "images.bin").read_bytes()


def test_of_the_model_only_what_is_needed_is_copied(plane: SplatScene, tmp_path: Path) -> None:
    model = write_model(tmp_path / "output", photos())
    (model / "database.db").write_bytes(b"large")
    (model / "photos").mkdir()
    out = model / "desk"
    (out / "sfm").mkdir(parents=True)
    (out / "sfm/descriptors.npz").write_bytes(b"of another scene")
    bundle(plane, sfm=Sfm(model, Sim3.identity())).save(out)
    assert {path.name for path in (out / "sfm").iterdir()} == {"cameras.bin", "images.bin", "points3D.bin"}


def test_cameras_stand_in_for_viewpoints(plane: SplatScene) -> None:
    made = bundle(plane, cameras=tuple(photos()), viewpoints_m=np.zeros((0, 3)))
    np.testing.assert_allclose(made.eyes_m, 0.4 * np.array([camera.position for camera in photos()]))
    np.testing.assert_allclose(bundle(plane).eyes_m, bundle(plane).viewpoints_m)


def test_scene_without_registration_is_loaded_only_on_request(plane: SplatScene, tmp_path: Path) -> None:
    bundle(plane, registration=None, viewpoints_m=np.zeros((0, 3))).save(tmp_path / "desk")
    with pytest.raises(ValueError, match="registration is missing"):
        SceneBundle.load(tmp_path / "desk")
    got = SceneBundle.load(tmp_path / "desk", registered=False)
    assert got.registration is None
    with pytest.raises(ValueError, match=r"SceneBundle\('test'\): registration is missing"):
        got.means_m  # noqa: B018  (asking is what fails)


def test_a_new_registration_moves_all_that_is_in_metres(plane: SplatScene, tmp_path: Path) -> None:
    moved = bundle(plane).with_registration(Registration("base_link", Sim3(0.8, [0, 1, 0, 0], [0, 0, 1]), 2.0, 0.3))
    moved.save(tmp_path / "desk")
    got = SceneBundle.load(tmp_path / "desk")
    assert (got.parent_frame, got.scale, got.residual_mm) == ("base_link", 0.8, 2.0)
    np.testing.assert_allclose(got.means_m, 2 * bundle(plane).means_m, atol=1e-4)
    np.testing.assert_allclose(got.viewpoints_m, 2 * bundle(plane).viewpoints_m)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["cameras"][1].update(fx=0), r"cameras\[1\].fx: wanted a positive number, got 0"),
        (lambda d: d["cameras"][0].update(width=1.5), r"cameras\[0\].width: wanted 1 to 100000 pixels, got 1.5"),
        (lambda d: d["cameras"][0].pop("position"), r"cameras\[0\].position: missing"),
        (lambda d: d["cameras"][0].update(rotation_wxyz=[0, 0, 0, 0]), "rotation_wxyz: wanted length 1, got length 0"),
        (lambda d: d.update(cameras="front"), "cameras: wanted a list of at most 1000 cameras, got 'front'"),
        (
            lambda d: d["registration"].update(parent_frame="/base"),
            "registration.parent_frame: wanted a TF frame without leading '/', got '/base'",
        ),
        (lambda d: d["sfm"].update(folder="../sparse"), "sfm.folder: wanted a file inside the scene's folder"),
        (lambda d: d["sfm"].update(folder="gone"), "gone: wanted a COLMAP model .* without cameras, images, points3D"),
        (lambda d: d["sfm"].update(scale=-1), "sfm.scale: wanted a positive number, got -1"),
    ],
)
def test_faults_of_cameras_and_model_are_named(change: Edit, message: str, plane: SplatScene, tmp_path: Path) -> None:
    sfm = Sfm(write_model(tmp_path / "sparse/0", photos()), Sim3.identity())
    bundle(plane, cameras=tuple(photos()), sfm=sfm).save(tmp_path / "desk")
    edit(tmp_path / "desk", change)
    with pytest.raises(ValueError, match=rf"SceneBundle\('.*desk'\): .*{message}"):
        SceneBundle.load(tmp_path / "desk")


def test_labels_that_claim_to_be_huge_are_not_allocated(folder: Path) -> None:
    raw = (folder / "labels.npy").read_bytes()
    start = raw.index(b"(")
    end = raw.index(b")", start)
    shape = b"(99999999999,".ljust(end - start)
    (folder / "labels.npy").write_bytes(raw[:start] + shape + raw[end:])
    with pytest.raises(ValueError, match="labels.npy: wanted a .npy file, got one that cannot be read"):
        SceneBundle.load(folder)
