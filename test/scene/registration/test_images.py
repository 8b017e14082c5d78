"""The robot's camera in the synthetic room: real features, rendered images, a known answer."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pycolmap")

from room_world import RoomWorld, errors

from hearing_hands_ros.scene.bundle import Sfm
from hearing_hands_ros.scene.registration import images
from hearing_hands_ros.scene.registration.images import CameraObservation, register_from_images
from hearing_hands_ros.scene.registration.localize import Lens, Localizer, NotLocatedError
from hearing_hands_ros.scene.registration.report import RegistrationRefusedError
from hearing_hands_ros.scene.sim3 import Sim3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return RoomWorld(tmp_path_factory.mktemp("sfm"))


@pytest.fixture(autouse=True, scope="module")
def images_are_located_once(world):
    """Locating is deterministic and takes most of the time."""
    known = {}

    class Remembering(Localizer):
        def locate(self, image, lens):
            key = (image.tobytes(), lens)
            if key not in known:
                known[key] = super().locate(image, lens)
            return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "Localizer", Remembering)
        yield


def test_twenty_images_of_which_two_are_wrong_are_enough(world):
    seen = []
    report = register_from_images(world.bundle, world.observations(wrong=2), advance=lambda: seen.append(1))
    scale, deg, mm = errors(report.parent_from_splat)
    assert scale < 0.005
    assert deg < 0.3
    assert mm < 5.0
    assert {o.name for o in report.observations if not o.is_inlier} >= {"robot_00", "robot_01"}
    assert len(report.inliers) >= 15
    assert len(seen) == 20
    assert report.residual_mm < 5.0


def test_when_half_are_wrong_it_is_refused_and_the_worst_are_named(world):
    with pytest.raises(RegistrationRefusedError, match="of 20 agree, wanted 60% or more; worst: robot_0") as refused:
        register_from_images(world.bundle, world.observations(wrong=10))
    assert {o.name for o in refused.value.report.observations if o.is_inlier} <= {f"robot_{i}" for i in range(10, 20)}


def test_when_half_are_wrong_in_the_same_way_it_is_refused(world):
    shifted = [
        replace(
            o, parent_from_camera=Sim3(1.0, o.parent_from_camera.rotation_wxyz, o.parent_from_camera.translation + 0.2)
        )
        for o in world.observations()[:10]
    ]
    with pytest.raises(RegistrationRefusedError, match="agree, wanted 60%"):
        register_from_images(world.bundle, [*shifted, *world.observations()[10:]])


def test_an_image_of_something_else_is_named_and_left_out(world):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    black = np.zeros((300, 400), np.uint8)
    observations = world.observations()
    observations[3] = replace(observations[3], image=noise)
    observations[5] = replace(observations[5], image=black)
    observations[7] = replace(observations[7], image=observations[7].image[::2, ::2])
    report = register_from_images(world.bundle, observations, left_out={"robot_99": "no TF at 12.3 s"})
    assert set(report.left_out) == {"robot_03", "robot_05", "robot_07", "robot_99"}
    assert "not found in the scene: wanted 20 or more features" in report.left_out["robot_05"]
    assert report.left_out["robot_07"] == "wanted its camera's 400 x 300 pixels, got 200 x 150"
    assert errors(report.parent_from_splat)[2] < 5.0


def test_too_few_images_that_show_the_scene_are_refused_with_reasons(world):
    black = np.zeros((300, 400), np.uint8)
    observations = [replace(o, image=black) if i % 2 else o for i, o in enumerate(world.observations())]
    with pytest.raises(
        RegistrationRefusedError, match=r"wanted 11 or more of 20 images .*, got 10; left out: robot_01: not"
    ):
        register_from_images(world.bundle, observations)
    with pytest.raises(RegistrationRefusedError, match=r"5 or more images with poses, got 4; left out: x: no TF"):
        register_from_images(world.bundle, world.observations()[:4], left_out={"x": "no TF"})


def test_a_scene_whose_up_axis_is_wrong_is_refused(world):
    with pytest.raises(RegistrationRefusedError, match="upside down"):
        register_from_images(replace(world.bundle, up=-world.bundle.up), world.observations()[:8])


def test_a_scene_without_photos_says_what_else_there_is(world):
    with pytest.raises(ValueError, match="wanted a bundle with 'sfm'.*point pairs or a cloud"):
        register_from_images(replace(world.bundle, sfm=None), world.observations())


def test_a_model_without_features_or_damaged_is_refused(world, tmp_path):
    with pytest.raises(FileNotFoundError, match="wanted descriptors.npz"):
        Localizer(replace(world.bundle, sfm=Sfm(tmp_path, Sim3.identity())))
    (tmp_path / "descriptors.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(ValueError, match=r"descriptors.npz: wanted .*damaged"):
        Localizer(replace(world.bundle, sfm=Sfm(tmp_path, Sim3.identity())))


def test_files_of_the_model_that_finding_images_does_not_need_may_be_broken(world, tmp_path):
    """COLMAP itself does not come back from a frames.bin that was cut short."""
    folder = tmp_path / "sfm"
    shutil.copytree(world.bundle.sfm.folder, folder)
    (folder / "frames.bin").write_bytes((9).to_bytes(8, "little") + bytes(40))
    Localizer(replace(world.bundle, sfm=Sfm(folder, Sim3.identity())))
    raw = (folder / "points3D.bin").read_bytes()
    (folder / "points3D.bin").write_bytes(raw[:-5])
    with pytest.raises(
        ValueError, match=r"Localizer\(.*points3D.bin: wanted bytes for \d+ entries, got \d+; cut short"
    ):
        Localizer(replace(world.bundle, sfm=Sfm(folder, Sim3.identity())))


def test_without_pycolmap_it_says_what_to_install(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(ValueError, match=r"wanted the package pycolmap .*: pip install \"hearing_hands_ros\[scene\]\""):
        Localizer(world.bundle)


def test_the_lens_is_taken_into_account(world):
    localizer = Localizer(world.bundle)
    observation = world.observations()[6]
    lens = observation.lens
    true = localizer.locate(observation.image, lens)
    # half the focal length: the same picture would be seen from elsewhere
    wrong = Lens(lens.width, lens.height, lens.fx / 2, lens.fy / 2, lens.cx, lens.cy)
    try:
        moved = localizer.locate(observation.image, wrong)
        assert np.linalg.norm(moved.translation - true.translation) > 0.1
    except NotLocatedError:
        pass
    slight = Lens(lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy, "plumb_bob", (1e-5, 0.0, 0.0, 0.0, 0.0))
    near = localizer.locate(observation.image, slight)
    assert np.linalg.norm(near.translation - true.translation) < 0.02
    with pytest.raises(ValueError, match="wanted a uint8 image of height, width 300, 400"):
        localizer.locate(observation.image[:200], lens)


def test_lenses_and_poses_are_checked(world):
    with pytest.raises(ValueError, match="wanted a distortion model"):
        Lens(4, 4, 1.0, 1.0, 2.0, 2.0, "fov", (0.1,))
    with pytest.raises(ValueError, match="wants 5 coefficients, got 4"):
        Lens(4, 4, 1.0, 1.0, 2.0, 2.0, "plumb_bob", (0.1, 0, 0, 0))
    with pytest.raises(ValueError, match="finite numbers"):
        Lens(4, 4, 0.0, 1.0, 2.0, 2.0)
    observation = world.observations()[0]
    with pytest.raises(ValueError, match="wanted a rigid pose"):
        CameraObservation("a", observation.image, observation.intrinsics, Sim3(2.0, [1, 0, 0, 0], np.zeros(3)))
