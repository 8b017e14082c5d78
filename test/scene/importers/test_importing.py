from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_outputs import (
    POINTS,
    UP,
    photos,
    pixel,
    splats_at,
    write_gaussian_splatting,
    write_model,
    write_nerfstudio,
)
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.importers.colmap_model import read_model
from hearing_hands_ros.scene.importers.importing import ImportOptions, import_scene, recognise
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import write_splats


def imported(folder: Path, **options: Any) -> SceneBundle:
    return import_scene(folder, "desk", ImportOptions(**options))[0]


def assert_points_land_where_they_were_photographed(bundle: SceneBundle) -> None:
    taken = {camera.name: camera for camera in photos()}
    assert bundle.cameras
    for camera in bundle.cameras:
        original = taken[Path(camera.name).name]
        assert (camera.width, camera.height) == (original.width, original.height)
        for here, there in zip(bundle.splats.means, POINTS, strict=True):
            np.testing.assert_allclose(pixel(camera, here), pixel(original, there), atol=0.01)


@pytest.fixture
def colmap(tmp_path: Path) -> Path:
    write_model(tmp_path / "colmap/sparse/0", photos())
    write_splats(tmp_path / "colmap/splat.ply", splats_at(POINTS))
    return tmp_path / "colmap"


def test_nerfstudio_cameras_see_the_splats_where_the_photos_did(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns")
    assert recognise(folder) == "nerfstudio"
    bundle = imported(folder)
    assert len(bundle.cameras) == 8 and bundle.registration is None
    assert_points_land_where_they_were_photographed(bundle)


def test_nerfstudio_without_applied_transform(tmp_path: Path) -> None:
    """An older ns-process-data leaves the photos where COLMAP has them; then the training's transform is all."""
    folder = write_nerfstudio(tmp_path / "ns")
    path = folder / "data/transforms.json"
    document = json.loads(path.read_text())
    applied = np.vstack([document.pop("applied_transform"), [0, 0, 0, 1]])
    for frame in document["frames"]:
        frame["transform_matrix"] = (np.linalg.inv(applied) @ frame["transform_matrix"]).tolist()
    path.write_text(json.dumps(document))
    assert_points_land_where_they_were_photographed(imported(folder))


def test_nerfstudio_scales_photos_that_were_scaled_before(tmp_path: Path) -> None:
    """Its offset is in photo units; the scale that it writes down has the photos' own in it."""
    folder, before = write_nerfstudio(tmp_path / "ns", applied_scale=2.0), 2.0
    path = folder / "data/transforms.json"
    document = json.loads(path.read_text())
    for frame in document["frames"]:
        for row in frame["transform_matrix"][:3]:
            row[3] *= before
    path.write_text(json.dumps(document))
    path = next(folder.glob("outputs/*/*/dataparser_transforms.json"))
    training = json.loads(path.read_text())
    transform, scale = np.array(training["transform"]), training["scale"]
    path.write_text(json.dumps({**training, "scale": scale * before}))
    points = scale * (before * POINTS @ transform[:, :3].T + transform[:, 3])
    write_splats(folder / "exports/splat/splat.ply", splats_at(points))
    write_model(folder / "data/colmap/sparse/0", photos())
    bundle = imported(folder)
    assert_points_land_where_they_were_photographed(bundle)
    assert bundle.sfm is not None
    np.testing.assert_allclose(bundle.sfm.splat_from_sfm.apply(POINTS), bundle.splats.means, atol=1e-5)


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    write_model(folder / "sparse/0", photos())
    (folder / "sparse/again").symlink_to(folder)
    sfm = imported(folder).sfm
    assert sfm is not None and sfm.folder == folder / "sparse/0"


def test_nerfstudio_takes_the_colmap_model_into_splat_units(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns")
    write_model(folder / "data/colmap/sparse/0", photos())
    bundle = imported(folder)
    assert bundle.sfm is not None
    np.testing.assert_allclose(bundle.sfm.splat_from_sfm.apply(POINTS), bundle.splats.means, atol=1e-5)


def test_nerfstudio_lens_of_each_photo_and_field_of_view(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns")
    path = folder / "data/transforms.json"
    document = json.loads(path.read_text())
    document["camera_angle_x"] = 2 * np.arctan(0.5 * 640 / document.pop("fl_x"))
    for frame in document["frames"]:
        frame["fl_y"] = document["fl_y"]
    del document["fl_y"]
    path.write_text(json.dumps(document))
    assert_points_land_where_they_were_photographed(imported(folder))


@pytest.mark.parametrize("model", ["OPENCV_FISHEYE", "EQUIRECTANGULAR", 5])
def test_nerfstudio_fisheyes_are_refused_and_said_how_to_go_on(model: Any, tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns", camera_model=model)
    with pytest.raises(ValueError, match=r"frames\[0\].camera_model: wanted a lens .* --max-cameras 0"):
        imported(folder)
    bundle = imported(folder, max_cameras=0, up=(0, 0, 2))
    assert bundle.cameras == () and bundle.up.tolist() == [0.0, 0.0, 1.0]


def test_distortion_is_noted(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns", k1=0.02)
    _, found = import_scene(folder, "desk", ImportOptions())
    assert "distortion (OPENCV) is left out" in found.notes[0]


def test_3dgs_takes_the_longest_training_and_its_cameras(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    assert recognise(folder) == "3dgs"
    bundle = imported(folder)
    assert len(bundle.splats) == len(POINTS) and bundle.splats.sh_degree == 3
    assert_points_land_where_they_were_photographed(bundle)


def test_up_is_that_of_the_cameras_or_as_given(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    assert np.rad2deg(np.arccos(imported(folder).up @ UP)) < 5.0
    np.testing.assert_allclose(imported(folder, up=(3, 0, 4)).up, [0.6, 0.0, 0.8])


def test_cameras_that_agree_on_no_up_ask_for_one(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    entries = json.loads((folder / "cameras.json").read_text())[:2]
    for i, entry in enumerate(entries):
        entry["rotation"] = np.diag([1.0, -1.0, -1.0] if i else [1.0, 1.0, 1.0]).tolist()
    (folder / "cameras.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=r"up: wanted cameras that agree .* --up X Y Z"):
        imported(folder)


def test_kept_cameras_are_spread_out(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    places = np.array([camera.position for camera in imported(folder, max_cameras=4).cameras])
    assert len(places) == 4
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(4, 1)]
    assert distances.min() > 2.0  # neighbours of the eight stand 1.5 apart


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("model", ["PINHOLE", "OPENCV"])
def test_colmap_cameras_see_the_splats_where_the_photos_did(text: bool, model: str, tmp_path: Path) -> None:
    write_model(tmp_path / "sparse/0", photos(), text, model)
    write_splats(tmp_path / "splat.ply", splats_at(POINTS))
    assert recognise(tmp_path) == "colmap"
    bundle, found = import_scene(tmp_path, "desk", ImportOptions())
    assert_points_land_where_they_were_photographed(bundle)
    assert any("OPENCV" in note for note in found.notes) == (model == "OPENCV")


@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "SIMPLE_RADIAL"])
def test_colmap_cameras_of_one_focal_length(model: str, tmp_path: Path) -> None:
    camera = read_model(write_model(tmp_path / "0", photos(), model=model)).cameras[0]
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (520.0, 520.0, 320.0, 240.0)


def test_colmap_fisheyes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"camera 1: wanted a lens that is nearly a pinhole, got OPENCV_FISHEYE"):
        read_model(write_model(tmp_path / "0", photos(), model="OPENCV_FISHEYE"))


def test_models_that_colmap_itself_writes(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_frames_per_rig = 6
    truth = pycolmap.synthesize_dataset(options)
    for write, name in ((truth.write_binary, "bin"), (truth.write_text, "txt")):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
        got = {camera.name: camera for camera in read_model(tmp_path / name).cameras}
        assert len(got) == len(truth.images) > 0
        for image in truth.images.values():
            camera, rigid = got[image.name], image.cam_from_world()
            np.testing.assert_allclose(camera.viewmat[:3], rigid.matrix(), atol=1e-9)
            np.testing.assert_allclose(camera.position, image.projection_center(), atol=1e-9)


def test_aligned_model_registers_in_metres_with_residuals(colmap: Path) -> None:
    truth = Sim3(0.43, to_wxyz(Rotation.from_euler("xyz", [100, 20, -40], degrees=True)), [1, 2, 3])
    rng = np.random.default_rng(0)
    metric = [camera.moved(truth) for camera in photos()]
    metric = [replace(camera, position=camera.position + rng.normal(0.0, 0.002, 3)) for camera in metric]
    write_model(colmap / "aligned", metric)
    bundle, found = import_scene(colmap, "desk", ImportOptions(parent_frame="base_link"))
    assert bundle.parent_frame == "base_link"
    assert bundle.scale == pytest.approx(0.43, rel=0.01)
    np.testing.assert_allclose(bundle.registered.parent_from_splat.apply(POINTS), truth.apply(POINTS), atol=0.01)
    assert 0.5 < bundle.residual_mm < 6.0 and bundle.residual_deg < 1.0
    assert "taken for metres of 'base_link'" in found.notes[0]


def test_aligned_model_of_other_photos_is_refused(colmap: Path) -> None:
    write_model(colmap / "aligned", [replace(camera, name=f"other_{camera.name}") for camera in photos()])
    with pytest.raises(ValueError, match="aligned model: wanted 3 or more images of both models, got 0"):
        imported(colmap)


def test_transform_file_alone_is_refused(colmap: Path) -> None:
    (colmap / "transform.txt").write_text("0.43 1 0 0 0 1 2 3\n")
    with pytest.raises(ValueError, match="wanted the folder that model_aligner wrote"):
        imported(colmap, aligned=colmap / "transform.txt")


def test_imported_bundle_is_saved_with_cameras_and_model(colmap: Path, tmp_path: Path) -> None:
    imported(colmap).save(tmp_path / "bundle", "splat.ply")
    got = SceneBundle.load(tmp_path / "bundle", registered=False)
    assert_points_land_where_they_were_photographed(got)
    assert got.sfm is not None and got.sfm.folder == tmp_path / "bundle/sfm"
    assert len(read_model(got.sfm.folder).cameras) == 8


def test_two_models_must_be_told_apart(colmap: Path) -> None:
    write_model(colmap / "sparse/1", photos(3))
    with pytest.raises(ValueError, match=r"wanted one COLMAP model, got 2: .*sparse/0.*sparse/1.*--sfm FOLDER"):
        imported(colmap)
    assert len(imported(colmap, sfm=colmap / "sparse/1").cameras) == 3


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="wanted a folder, got nothing"):
        recognise(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"dataparser_transforms.json.*cameras.json.*images.bin"):
        recognise(tmp_path)
    write_model(tmp_path / "sparse/0", photos())
    with pytest.raises(
        FileNotFoundError, match="wanted splat file in the model's coordinates, got none.*--splats FILE"
    ):
        imported(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["frames"][2].update(transform_matrix=[[1, 2], [3, 4]]),
            r"frames\[2\].transform_matrix: wanted 4 x 4",
        ),
        (lambda d: d["frames"][1]["transform_matrix"][0].__setitem__(3, None), r"frames\[1\].*wanted a finite number"),
        (lambda d: d.update(w=-5), r"frames\[0\].w: wanted 1 to 100000 pixels, got -5"),
        (lambda d: d.update(fl_x="wide"), r"fl_x: wanted a positive finite number, got 'wide'"),
        (lambda d: d.update(frames=[]), "frames: wanted a list of photos"),
        (lambda d: d.update(applied_scale=0), "applied_scale: wanted a positive finite number, got 0"),
        (lambda d: d["frames"][0].pop("file_path"), "file_path: wanted the name of a photo"),
    ],
)
def test_faults_of_transforms_json_are_named(change: Any, message: str, tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path / "ns")
    path = folder / "data/transforms.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        imported(folder)


def test_mirrored_camera_is_refused(tmp_path: Path) -> None:
    folder = write_gaussian_splatting(tmp_path / "gs")
    entries = json.loads((folder / "cameras.json").read_text())
    entries[3]["rotation"] = (np.diag([1, 1, -1]) @ entries[3]["rotation"]).tolist()
    (folder / "cameras.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=r"cameras.json\[3\].rotation: wanted a rotation matrix"):
        imported(folder)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
def test_truncated_models_are_named_errors(name: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "0", photos())
    raw = (folder / name).read_bytes()
    for size in (0, 4, 8, 20, len(raw) // 2, len(raw) - 1):
        (folder / name).write_bytes(raw[:size])
        with pytest.raises(ValueError, match=r"COLMAP model '0': "):
            read_model(folder)


def test_a_count_that_lies_allocates_nothing(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "0", photos())
    raw = (folder / "images.bin").read_bytes()
    (folder / "images.bin").write_bytes((2**60).to_bytes(8, "little") + raw[8:])
    with pytest.raises(ValueError, match=r"wanted bytes for 1152921504606846976 entries"):
        read_model(folder)
