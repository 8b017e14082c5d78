"""A depth camera in the synthetic room."""

import numpy as np
import pytest
from room_world import errors
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import room
from hearing_hands_ros.scene.registration.icp import register_from_cloud, thinned
from hearing_hands_ros.scene.registration.report import RegistrationRefusedError
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3


def depth_cloud(which, noise_m=0.003):
    """What depth cameras at the robot's places measure, by walking along each pixel's ray; robot frame, m."""
    clouds = []
    for index in which:
        camera = room.robot_cameras()[index].resized(80, 60)
        v, u = np.mgrid[0:60, 0:80] + 0.5
        rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], axis=-1)
        rays = rays.reshape(-1, 3) / np.linalg.norm(rays.reshape(-1, 3), axis=1, keepdims=True)
        placed = camera.moved(room.ROBOT_FROM_ROOM.inverse())
        along = np.zeros(len(rays))
        for _ in range(50):
            along += room.distance(placed.position + placed.rotation.apply(rays) * along[:, None])
        points = camera.rotation.apply(rays * along[:, None])[along < 4.0] + camera.position
        clouds.append(points)
    points = np.concatenate(clouds)
    return points + np.random.default_rng(0).normal(0.0, noise_m, points.shape)


@pytest.fixture(scope="module")
def scene():
    return room.room_bundle(60_000, registered=False)


@pytest.fixture(scope="module")
def cloud():
    return depth_cloud([0, 10, 19])


def guess(cloud, deg, shift_m, growth, seed=0):
    rng = np.random.default_rng(seed)
    axis, way = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    turn = Rotation.from_rotvec(np.deg2rad(deg) * axis)
    middle = cloud.mean(axis=0)
    off = Sim3(growth, to_wxyz(turn), middle + shift_m * way - growth * turn.apply(middle))
    return off @ room.ROBOT_FROM_SPLAT


@pytest.mark.parametrize("seed", range(3))
def test_a_rough_guess_is_enough(scene, cloud, seed):
    found = register_from_cloud(scene.splats, cloud, up=scene.up, initial=guess(cloud, 20, 0.2, 1.1, seed))
    scale, deg, mm = errors(found.parent_from_splat)
    assert scale < 0.005
    assert deg < 0.3
    assert mm < 5.0
    assert found.residual_mm < 5.0
    assert len(found.observations) >= 8


def test_without_a_guess_headings_and_sizes_are_tried(scene, cloud):
    found = register_from_cloud(scene.splats, cloud, up=scene.up)
    scale, deg, mm = errors(found.parent_from_splat)
    assert scale < 0.005
    assert deg < 0.3
    assert mm < 5.0


def test_things_that_are_not_in_the_scene_do_not_pull_it(scene, cloud):
    rng = np.random.default_rng(1)
    person = rng.normal([0.8, 0.4, 0.3], [0.12, 0.12, 0.4], (len(cloud) // 6, 3))
    holes = np.full((50, 3), np.nan)
    found = register_from_cloud(
        scene.splats, np.concatenate([cloud, person, holes]), up=scene.up, initial=guess(cloud, 8, 0.05, 1.02)
    )
    assert errors(found.parent_from_splat)[2] < 8.0


def test_one_plane_leaves_the_answer_open(scene, cloud):
    in_room = room.ROBOT_FROM_ROOM.inverse().apply(cloud)
    floor = cloud[np.abs(in_room[:, 2]) < 0.01]
    assert len(floor) > 500
    with pytest.raises(RegistrationRefusedError, match="leaves the (scale|rotation|position) open.*one plane"):
        register_from_cloud(scene.splats, floor, up=scene.up, initial=room.ROBOT_FROM_SPLAT)


def test_another_room_is_refused(scene):
    other = np.random.default_rng(0).uniform(-1.0, 1.0, (5000, 3))
    with pytest.raises(RegistrationRefusedError):
        register_from_cloud(scene.splats, other, up=scene.up, initial=room.ROBOT_FROM_SPLAT)


def test_a_guess_of_another_size_is_refused(scene, cloud):
    with pytest.raises(RegistrationRefusedError):
        register_from_cloud(scene.splats, cloud, up=scene.up, initial=guess(cloud, 0, 0.0, 2.5))


def test_too_few_points_and_other_shapes_are_refused(scene):
    with pytest.raises(RegistrationRefusedError, match="500 or more finite points, got 0"):
        register_from_cloud(scene.splats, np.full((900, 3), np.nan))
    with pytest.raises(ValueError, match=r"wanted \(M, 3\) points"):
        register_from_cloud(scene.splats, np.zeros((900, 4)))


def test_thinning_keeps_one_point_a_voxel():
    points = np.random.default_rng(0).uniform(0, 1, (20000, 3))
    few = thinned(points, 0.1, 20000)
    assert 900 < len(few) <= 1331
    assert len(thinned(points, 0.01, 500)) <= 500
