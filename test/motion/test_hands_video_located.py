"""A camera that TF does not know is found in the scene: real features, rendered images, a known place."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pycolmap", reason="the scene extra is not installed")

from hand_videos import NS, START_NS, Messages, camera_info, picture, tf
from registration.room_world import RoomWorld

from hearing_hands_ros.demo import room
from hearing_hands_ros.hands_from_video import camera_place as camera_places
from hearing_hands_ros.hands_from_video.camera_place import LocatedCamera, camera_place
from hearing_hands_ros.hands_from_video.frames import CameraBag, Topics
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.scene.bundle import Registration
from hearing_hands_ros.scene.registration.localize import Localizer
from hearing_hands_ros.scene.sim3 import Sim3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = RoomWorld(tmp_path_factory.mktemp("sfm"), photos=5, images=3)
    made.bundle = replace(made.bundle, registration=Registration("base_link", room.ROBOT_FROM_SPLAT, 0.0, 0.0))
    return made


@pytest.fixture(autouse=True, scope="module")
def images_are_located_once(world):
    """Locating is deterministic and takes most of the time."""
    known = {}

    class Remembering(Localizer):
        def locate(self, image, lens):
            if image.tobytes() not in known:
                known[image.tobytes()] = super().locate(image, lens)
            return known[image.tobytes()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera_places, "Localizer", Remembering)
        yield


def recording(camera, images, path, shown):
    """Nine images a third of a second apart; TF knows an arm, but not the camera."""
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(camera))
    messages.add("/tf_static", START_NS, tf("base_link", "arm", Sim3.identity()))
    for index in range(9):
        stamp_ns = START_NS + index * NS // 3
        messages.add("/camera/image_raw", stamp_ns, picture(stamp_ns, images[shown[index]], "rgb8"))
    return messages.write(path)


def true_pose(world, index):
    """T_scene_from_camera in metres."""
    camera = world.cameras[index]
    parent_from_camera = Sim3(1.0, camera.rotation_wxyz, camera.position)
    parent_from_scene = Sim3(1.0, world.bundle.rotation_wxyz, world.bundle.translation_m)
    return parent_from_scene.inverse() @ parent_from_camera


def off(found, true):
    """Metres and degrees."""
    turn = np.rad2deg((found.rotation * true.rotation.inv()).magnitude())
    return float(np.linalg.norm(found.translation - true.translation)), float(turn)


@pytest.mark.parametrize(("shown", "said"), [([0] * 9, "where it stands"), ([0, 1, 2] * 3, "image by image")])
def test_a_camera_that_tf_does_not_know_is_found_in_the_scene(world, tmp_path, shown, said):
    with closing(RecordedBag(recording(world.cameras[0], world.images, tmp_path / "bag", shown))) as bag:
        camera = CameraBag(bag, Topics())
        place = camera_place(world.bundle, camera)
        assert isinstance(place, LocatedCamera)
        assert said in str(place)
        frames = [frame for frame, _ in camera.frames()]
        for index in (0, 4):
            metres, degrees = off(place.scene_from_camera(frames[index]), true_pose(world, shown[index]))
            assert metres < 0.01
            assert degrees < 0.5


def test_images_that_do_not_show_the_scene_are_named(world, tmp_path):
    bag_of_grey = recording(world.cameras[0], np.full_like(world.images, 128), tmp_path / "bag", [0] * 9)
    wanted = "photos: wanted a camera that sees the scene .* got: wanted 20 or more"
    with closing(RecordedBag(bag_of_grey)) as bag, pytest.raises(ValueError, match=wanted):
        camera_place(world.bundle, CameraBag(bag, Topics()))
