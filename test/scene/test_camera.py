"""Cameras see what they look at where it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.camera import Camera, stack
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

places = arrays(np.float64, 3, elements=st.floats(-3.0, 3.0))


def pixel(camera, point):
    x, y, z = (camera.viewmat @ [*point, 1.0])[:3]
    u, v, w = camera.intrinsics @ [x, y, z]
    assert w > 0.0
    return np.array([u / w, v / w])


@given(places, places)
def test_the_target_is_in_the_middle_and_up_is_up(eye, target):
    if np.linalg.norm(target - eye) < 0.1 or np.linalg.norm(np.cross(target - eye, [0, 0, 1])) < 0.05:
        return
    camera = Camera.look_at("a", eye, target, (0, 0, 1), 224, 60.0)
    np.testing.assert_allclose(pixel(camera, target), [112.0, 112.0], atol=1e-6)
    assert pixel(camera, target + [0, 0, 0.01])[1] < 112.0
    np.testing.assert_allclose(camera.forward, (target - eye) / np.linalg.norm(target - eye), atol=1e-9)


def test_the_field_of_view_ends_at_the_edges():
    camera = Camera.look_at("a", (0, 0, 0), (1, 0, 0), (0, 0, 1), 200, 90.0)
    np.testing.assert_allclose(pixel(camera, (1.0, -1.0, 0.0)), [200.0, 100.0], atol=1e-9)  # right is -y
    np.testing.assert_allclose(pixel(camera, (1.0, 0.0, 1.0)), [100.0, 0.0], atol=1e-9)


def test_straight_down_is_possible():
    camera = Camera.look_at("top", (0, 0, 2), (0, 0, 0), (0, 0, 1), 100, 60.0)
    np.testing.assert_allclose(pixel(camera, (0, 0, 0)), [50.0, 50.0], atol=1e-9)


@given(places, st.floats(0.1, 10.0))
def test_a_camera_that_moves_with_its_world_sees_the_same(shift, scale):
    camera = Camera.look_at("a", (1, 2, 1), (0, 0, 0), (0, 0, 1), 224, 60.0)
    move = Sim3(scale, to_wxyz(Rotation.from_rotvec(shift)), shift)
    point = np.array([0.2, -0.1, 0.3])
    np.testing.assert_allclose(pixel(camera.moved(move), move.apply(point)), pixel(camera, point), atol=1e-5)


def test_another_size_shows_the_same_view():
    camera = Camera("a", 640, 480, 500.0, 500.0, 310.0, 250.0, np.array([1.0, 0, 0, 0]), np.zeros(3))
    point = (0.1, 0.2, 1.0)
    np.testing.assert_allclose(pixel(camera.resized(320, 240), point), pixel(camera, point) / 2, atol=1e-9)
    wide = camera.resized(960, 480)
    assert wide.fx == camera.fx
    np.testing.assert_allclose(pixel(wide, point) - [160.0, 0.0], pixel(camera, point), atol=1e-9)


def test_cameras_of_one_size_are_stacked():
    camera = Camera.look_at("a", (1, 2, 1), (0, 0, 0), (0, 0, 1), 224, 60.0)
    viewmats, intrinsics = stack([camera, camera])
    assert viewmats.shape == (2, 4, 4)
    assert intrinsics.shape == (2, 3, 3)
    for others in ([], [camera, camera.resized(100, 100)]):
        with pytest.raises(ValueError, match="cameras of one size"):
            stack(others)


@pytest.mark.parametrize(
    "change",
    [{"width": 0}, {"fx": -1.0}, {"cx": np.nan}, {"rotation_wxyz": np.zeros(4)}, {"position": np.array([0, np.inf, 0])},
     {"position": np.zeros(2)}],
)  # fmt: skip
def test_nonsense_is_no_camera(change):
    values = {"name": "a", "width": 4, "height": 4, "fx": 2.0, "fy": 2.0, "cx": 2.0, "cy": 2.0,
              "rotation_wxyz": np.array([1.0, 0, 0, 0]), "position": np.zeros(3), **change}  # fmt: skip
    with pytest.raises(ValueError, match="Camera"):
        Camera(**values)


@pytest.mark.parametrize(("target", "view"), [((0, 0, 0), 60.0), ((1, 0, 0), 0.0), ((1, 0, 0), 180.0)])
def test_a_camera_must_look_somewhere(target, view):
    with pytest.raises(ValueError, match="wanted a target"):
        Camera.look_at("a", (0, 0, 0), target, (0, 0, 1), 10, view)
