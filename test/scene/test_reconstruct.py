from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hearing_hands_ros.demo import room
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.reconstruct.colmap import ColmapOptions, pairs
from hearing_hands_ros.scene.reconstruct.descriptors import write_descriptors
from hearing_hands_ros.scene.reconstruct.photos import find_photos
from hearing_hands_ros.scene.reconstruct.pipeline import BuildOptions, BuildReport, build, has_cuda
from hearing_hands_ros.scene.reconstruct.points import splats_from_points
from hearing_hands_ros.scene.reconstruct.work import Work
from hearing_hands_ros.scene.sim3 import Sim3, umeyama

PHOTOS = 9
OPTIONS = BuildOptions(frame_id="my_room", colmap=ColmapOptions(features=1024, focal_px=room.PHOTO_FOCAL_PX))

pycolmap = pytest.importorskip("pycolmap")
pytestmark = pytest.mark.skipif(has_cuda(), reason="with CUDA the scene is trained, which takes minutes")


class Seen(list):
    """What was reported, without its numbers."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if stage not in self:
            self.append(stage)


@pytest.fixture(scope="module")
def cameras() -> dict[str, Camera]:
    """Every second camera of a walk past a part of the room."""
    walk = room.photo_cameras(36)[1:28:3]
    return {camera.name: camera for camera in walk[:PHOTOS]}


@pytest.fixture(scope="module")
def photos(cameras: dict[str, Camera], tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    scene = room.room_bundle(150_000)
    for name, picture in zip(cameras, room.photograph(scene.splats, list(cameras.values())), strict=True):
        Image.fromarray(picture).save(folder / name, quality=92)
    return folder


@pytest.fixture(scope="module")
def built(photos: Path, tmp_path_factory) -> tuple[Path, BuildReport, Seen]:
    out, seen = tmp_path_factory.mktemp("build") / "my_room", Seen()
    return out, build(photos, out, OPTIONS, seen), seen


def test_photos_become_a_bundle_whose_cameras_stand_where_they_stood(built, cameras: dict[str, Camera]) -> None:
    out, report, _ = built
    bundle = SceneBundle.load(out, registered=False)
    assert report.photos == PHOTOS
    assert report.left_out == ()
    assert not report.trained
    assert (bundle.name, bundle.frame_id, bundle.registration) == ("my_room", "my_room", None)
    assert len(bundle.splats) == report.points == report.gaussians > 500
    found = np.array([camera.position for camera in bundle.cameras])
    true = np.array([cameras[camera.name].position for camera in bundle.cameras])
    similarity = umeyama(found, true)
    off_mm = 1e3 * room.METRES_PER_UNIT * np.linalg.norm(similarity.apply(found) - true, axis=1)
    assert off_mm.max() < 15.0
    up = similarity.rotation.apply(bundle.up)
    assert np.rad2deg(np.arccos(up @ room.SPLAT_FROM_ROOM.rotation.apply([0.0, 0.0, 1.0]))) < 1.0


def test_its_gaussians_lie_on_the_room(built, cameras: dict[str, Camera]) -> None:
    bundle = SceneBundle.load(built[0], registered=False)
    found = [camera.position for camera in bundle.cameras]
    true = [cameras[camera.name].position for camera in bundle.cameras]
    in_room = room.SPLAT_FROM_ROOM.inverse() @ umeyama(found, true)
    off = np.abs(room.distance(in_room.apply(bundle.splats.means)))
    assert np.median(off) < 0.006


def test_it_brings_along_what_a_robots_image_is_found_with(built) -> None:
    bundle = SceneBundle.load(built[0], registered=False)
    assert bundle.sfm is not None
    model = pycolmap.Reconstruction(bundle.sfm.folder)
    with np.load(bundle.sfm.folder / "descriptors.npz", allow_pickle=False) as arrays:
        descriptors, ids = arrays["descriptors"], arrays["point3d_ids"]
    assert descriptors.shape == (len(ids), 128)
    assert descriptors.dtype == np.uint8
    assert len(ids) == model.compute_num_observations()
    assert set(ids.tolist()) == set(model.points3D)


def test_descriptors_are_those_of_the_points_they_are_given_to(built) -> None:
    out, _, _ = built
    with np.load(out / "sfm" / "descriptors.npz", allow_pickle=False) as arrays:
        descriptors, ids = arrays["descriptors"].astype(float), arrays["point3d_ids"]
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    same, other = [], []
    for point in np.unique(ids)[:300]:
        mine = descriptors[ids == point]
        same.append(mine[0] @ mine[1])
        other.append(mine[0] @ descriptors[rng.integers(len(ids))])
    assert np.median(same) > 0.9 > np.median(other) + 0.1


def test_a_second_run_finds_everything_done(built, photos: Path) -> None:
    out, first, stages = built
    before = (out / "scene.yaml").stat().st_mtime_ns
    seen = Seen()
    again = build(photos, out, OPTIONS, seen)
    assert stages == ["reading photos", "finding features", "matching photos", "placing cameras"]
    assert seen == ["reading photos"]
    assert again == first
    assert (out / "scene.yaml").stat().st_mtime_ns == before


def test_the_command_says_what_came_of_the_photos(built, photos: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "hearing_hands_ros.cli.main",
        "scene",
        "build",
        str(photos),
        "--out",
        str(built[0]),
    ]
    options = ["--frame-id", "my_room", "--features", "1024", "--focal-px", "560"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert f"{PHOTOS} of {PHOTOS} photos placed, {built[1].points} points" in said
    assert "not trained: training wants torch, gsplat and a CUDA GPU" in said
    assert f"hearing-hands scene register {built[0]}" in said.replace("- ", "-")


@pytest.mark.parametrize("stage", ["matching photos", "placing cameras"])
def test_a_killed_run_goes_on_where_it_stopped(photos: Path, built, tmp_path: Path, stage: str) -> None:
    script = (
        "import sys\n"
        "from hearing_hands_ros.scene.reconstruct.colmap import ColmapOptions\n"
        "from hearing_hands_ros.scene.reconstruct.pipeline import BuildOptions, build\n"
        "from hearing_hands_ros.scene.reconstruct import colmap\n"
        "colmap.PAIRS_AT_ONCE = 4\n"
        "options = BuildOptions(frame_id='my_room', colmap=ColmapOptions(features=1024, focal_px=560.0))\n"
        "build(sys.argv[1], sys.argv[2], options, lambda *what: print(*what, flush=True))\n"
    )
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", script, photos, out], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reached = 0
    for line in process.stdout:
        if line.startswith(stage):
            reached += 1
        if reached == 3:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()
    numbers: dict[str, list[int]] = {}
    report = build(photos, out, OPTIONS, lambda what, done, total: numbers.setdefault(what, []).append(done))
    assert "finding features" not in numbers
    assert ("matching photos" in numbers) == (stage == "matching photos")
    if stage == "matching photos":
        assert numbers[stage][0] >= 4
    assert report.left_out == ()
    assert report.points == pytest.approx(built[1].points, rel=0.2)


def test_any_name_and_format_will_do_and_stays_the_users(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["IMG 0.jpg", "#1.jpg", "two words 2.webp", "3.jpg", "4.jpg", "5.jpg"]
    for name, path in zip(names, sorted(photos.iterdir()), strict=False):
        if name.endswith(".webp"):
            with Image.open(path) as image:
                image.save(folder / name, quality=95)
        else:
            shutil.copyfile(path, folder / name)
    assert build(folder, tmp_path / "out", OPTIONS, Seen()).left_out == ()
    bundle = SceneBundle.load(tmp_path / "out", registered=False)
    assert {camera.name for camera in bundle.cameras} == set(names)
    assert bundle.sfm is not None
    assert {image.name for image in pycolmap.Reconstruction(bundle.sfm.folder).images.values()} == set(names)


def test_an_unknown_focal_length_is_found(photos: Path, tmp_path: Path) -> None:
    build(photos, tmp_path / "found", BuildOptions(colmap=ColmapOptions(features=1024)), Seen())
    focal = SceneBundle.load(tmp_path / "found", registered=False).cameras[0].fx
    assert focal == pytest.approx(room.PHOTO_FOCAL_PX, rel=0.05)
    assert focal != room.PHOTO_FOCAL_PX


def test_a_known_focal_length_wants_photos_of_one_size(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    Image.new("RGB", (64, 48)).save(tmp_path / "photos" / "small.png")
    with pytest.raises(ValueError, match="photos of one size"):
        build(tmp_path / "photos", tmp_path / "out", OPTIONS, Seen())


def test_other_photos_begin_anew(photos: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    shutil.copytree(photos, folder)
    Work.open(out, find_photos(folder, Seen()), {"features": 1024}).finish("features")
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert "features" in Work.open(out, find_photos(moved, Seen()), {"features": 1024}).done
    sorted(moved.iterdir())[-1].unlink()
    anew = Work.open(out, find_photos(moved, Seen()), {"features": 1024})
    assert anew.begun_anew == "photos or options are not those of the earlier run"
    assert anew.done == {}


def test_work_of_an_earlier_version_is_begun_anew_unless_something_would_be_lost(built, photos, tmp_path: Path) -> None:
    out = shutil.copytree(built[0], tmp_path / "my_room")
    state = json.loads((out / ".work/state.json").read_text())
    old = {"key": state["key"], "done": {"features": {}, "matches": {}, "model": {"photos": PHOTOS}, "bundle": {}}}
    (out / ".work/state.json").write_text(json.dumps(old))
    bundle = SceneBundle.load(out, registered=False)
    bundle.with_registration(Registration("map", Sim3.identity(), 1.0, 0.1)).save(out, "scene.ply")
    with pytest.raises(ValueError, match="by another version of this program, and .* would lose its registration"):
        build(photos, out, OPTIONS, Seen())
    anew = Work.open(out, find_photos(photos, Seen()), asdict(OPTIONS.colmap), force=True)
    assert (anew.done, anew.begun_anew) == ({}, "the earlier run was by another version of this program")


def test_a_frame_that_tf_forbids_is_refused_before_the_work() -> None:
    with pytest.raises(ValueError, match="frame_id: wanted a TF frame without leading '/', got '/room'"):
        BuildOptions(frame_id="/room")


def test_a_registered_bundle_is_not_overwritten_unasked(built, photos: Path, tmp_path: Path) -> None:
    out = shutil.copytree(built[0], tmp_path / "my_room")
    bundle = SceneBundle.load(out, registered=False)
    bundle.with_registration(Registration("map", Sim3.identity(), 1.0, 0.1)).save(out, "scene.ply")
    build(photos, out, replace(OPTIONS, frame_id="other_room"), Seen())
    got = SceneBundle.load(out)
    assert (got.frame_id, got.parent_frame) == ("other_room", "map")
    build(photos, out, replace(OPTIONS, frame_id=None), Seen())
    assert SceneBundle.load(out).frame_id == "other_room"
    changed = replace(OPTIONS, colmap=replace(OPTIONS.colmap, features=900))
    with pytest.raises(ValueError, match="my_room' would lose its registration; choose another --out, or --force"):
        build(photos, out, changed, Seen())
    assert SceneBundle.load(out).parent_frame == "map"
    assert build(photos, out, replace(changed, force=True), Seen()).begun_anew
    assert SceneBundle.load(out, registered=False).registration is None


def test_a_folder_with_other_things_is_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(ValueError, match="new or empty folder"):
        build(photos, tmp_path, OPTIONS, Seen())
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_unreadable_photos_are_named(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    whole = sorted(photos.iterdir())[0].read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.full((48, 64), 40_000, np.uint16)).save(folder / "deep.png")
    with pytest.raises(
        ValueError, match=r"got 3 that cannot be read; mend or remove: broken.jpg .*, cut.jpg .*, deep.png \(wanted 8"
    ):
        build(folder, tmp_path / "out", OPTIONS, Seen())
    assert not (tmp_path / "out").exists()


def test_too_few_photos_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "only.png")
    (tmp_path / "notes.txt").write_text("not a photo")
    with pytest.raises(ValueError, match=r"at least 3 photos .*, got only.png"):
        find_photos(tmp_path, Seen())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_photos(tmp_path / "nowhere", Seen())


def test_photos_without_overlap_are_refused_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        blocks = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((320, 240), Image.Resampling.NEAREST).save(folder / f"view_{i}.png")
    with pytest.raises(ValueError, match=r"photos that overlap, got a common scene of 0 of 4.*view_0.png, view_1.png"):
        build(folder, tmp_path / "out", OPTIONS, Seen())


def test_without_pycolmap_it_says_how_to_get_it(photos: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nsys.modules['pycolmap'] = None\nfrom hearing_hands_ros.cli.main import main\nsys.exit(main())\n"
    )
    command = [sys.executable, "-c", script, "scene", "build", str(photos), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert 'pip install "hearing_hands_ros[scene]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_descriptors_of_another_database_are_refused(built, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    pycolmap.Database.open(other).close()
    with pytest.raises(ValueError, match="made of another database"):
        write_descriptors(built[0] / "sfm", other, tmp_path)


@pytest.mark.parametrize(("count", "matching", "expected"), [(60, "auto", 1770), (61, "exhaustive", 1830)])
def test_few_photos_are_all_compared(count: int, matching: str, expected: int) -> None:
    assert len(pairs(count, matching)) == expected


def test_many_photos_are_compared_with_those_that_follow() -> None:
    found = pairs(500, "auto")
    assert len(found) < 500 * 16
    assert len(set(found)) == len(found)
    assert all(0 <= a < b < 500 for a, b in found)
    assert {(0, 1), (0, 10), (0, 16), (0, 256), (489, 499)} <= set(found)
    assert (0, 11) not in found


def test_gaussians_on_points_are_as_large_as_the_points_are_apart() -> None:
    x, y = np.meshgrid(np.arange(12) * 0.1, np.arange(12) * 0.1)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(144)], axis=1)
    splats = splats_from_points(points, np.full((144, 3), 255, np.uint8), opacity=0.9)
    assert np.median(splats.scales) == pytest.approx(0.1, rel=0.01)
    assert splats.rgb == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 4 points, got 2"):
        splats_from_points(points[:2], np.zeros((2, 3), np.uint8), opacity=0.9)
