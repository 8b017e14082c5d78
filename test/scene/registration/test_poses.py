"""Two sets of camera poses, some of them wrong."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.registration.poses import Poses, fit_poses, pose_residuals
from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

TRUE = Sim3(0.37, to_wxyz(Rotation.from_euler("zyx", [52, -14, 23], degrees=True)), [1.3, -0.8, 2.1])


def views(count, wrong, seed, mm=1.0, deg=0.05, line=False):
    """Poses in splat units and in metres, with noise; the first `wrong` of the latter are off by far."""
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(count, random_state=seed)
    places = rng.uniform(-1.0, 1.0, (count, 3)) * ([1, 0, 0] if line else [1, 1, 1])
    splat = Poses(TRUE.inverse().rotation * rotations, TRUE.inverse().apply(places))
    turn = Rotation.from_rotvec(np.deg2rad(rng.normal(0, deg, (count, 3))))
    shift = rng.normal(0, mm * 1e-3, (count, 3))
    turn = Rotation.concatenate([Rotation.from_rotvec(rng.normal(0, 0.3, (wrong, 3))), turn[wrong:]]) if wrong else turn
    shift[:wrong] = rng.normal(0, 0.3, (wrong, 3))
    return splat, Poses(turn * rotations, places + shift)


def errors(found):
    turn = np.rad2deg((found.rotation * TRUE.rotation.inv()).magnitude())
    return abs(found.scale / TRUE.scale - 1), turn, 1e3 * np.linalg.norm(found.translation - TRUE.translation)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("wrong", [0, 2, 8])
def test_wrong_poses_do_not_matter_while_most_are_right(seed, wrong):
    found, agree = fit_poses(*views(20, wrong, seed), Limits())
    scale, deg, mm = errors(found)
    assert scale < 0.005
    assert deg < 0.3
    assert mm < 5.0
    assert not agree[:wrong].any()
    assert agree[wrong:].mean() > 0.8


def test_cameras_on_a_line_are_enough_because_they_are_turned():
    found, _ = fit_poses(*views(12, 1, 3, line=True), Limits())
    assert errors(found)[1] < 0.3


def test_many_views_are_sampled():
    found, _ = fit_poses(*views(120, 30, 5), Limits())
    assert errors(found)[2] < 5.0


def test_cameras_in_one_place_say_nothing_of_the_scale():
    splat, parent = views(10, 0, 1)
    here = Poses(parent.rotations, np.zeros((10, 3)) + 0.001 * np.random.default_rng(0).normal(size=(10, 3)))
    with pytest.raises(RegistrationRefusedError, match="at least 0.02 m apart"):
        fit_poses(splat, here, Limits())


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (Rotation.from_euler("x", 180, degrees=True), "OpenGL"),
        (Rotation.from_quat([0.5, -0.5, 0.5, 0.5]), "body frame"),
    ],
)
def test_poses_of_another_axis_convention_are_recognised(turn, name):
    splat, parent = views(10, 0, 1)
    with pytest.raises(RegistrationRefusedError, match=f"they do fit as poses of an? {name}"):
        fit_poses(splat, Poses(parent.rotations * turn, parent.positions), Limits())


def test_residuals_are_in_millimetres_and_degrees():
    splat, parent = views(3, 0, 2, mm=0.0, deg=0.0)
    mm, deg = pose_residuals(TRUE, splat, parent)
    np.testing.assert_allclose(mm, 0.0, atol=1e-9)
    moved = Poses(Rotation.from_euler("z", 2, degrees=True) * parent.rotations, parent.positions + [0.003, 0, 0.004])
    mm, deg = pose_residuals(TRUE, splat, moved)
    np.testing.assert_allclose(mm, 5.0)
    np.testing.assert_allclose(deg, 2.0)
