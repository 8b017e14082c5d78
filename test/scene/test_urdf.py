"""Where a URDF's links are, and a gripper held to a surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hearing_hands_ros.scene.gripper_touch import Gripper
from hearing_hands_ros.scene.urdf import link_poses

GRIPPER = Path(__file__).parents[2] / "demo" / "gripper.urdf"
UP = np.array([0.0, 0.0, 1.0])
ARM = """<robot name="arm">
  <link name="base"/><link name="upper"/><link name="lower"/><link name="wheel"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0 0 1" rpy="0 0 1.5707963267948966"/><axis xyz="0 2 0"/><limit lower="0.5" upper="2"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="lower"/>
    <origin xyz="1 0 0"/><axis xyz="0 1 0"/><limit lower="-4" upper="4"/>
    <mimic joint="shoulder" multiplier="-2" offset="0.5"/></joint>
  <joint name="turn" type="continuous"><parent link="lower"/><child link="wheel"/><origin xyz="0.5 0 0"/></joint>
</robot>"""


def test_links_are_where_the_joints_put_them() -> None:
    poses = link_poses(ARM, {"shoulder": np.pi / 2, "turn": 100.0})
    np.testing.assert_allclose(poses["upper"].translation, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(poses["lower"].translation, [0.0, 0.0, 0.0], atol=1e-12)  # the arm points down
    # The elbow follows: -2 * 90 degrees + 0.5 rad against the arm's 90 degrees.
    along = np.pi / 2 - np.pi + 0.5
    np.testing.assert_allclose(poses["wheel"].translation, [0.0, 0.5 * np.cos(along), -0.5 * np.sin(along)], atol=1e-9)
    np.testing.assert_allclose(poses["wheel"].rotation.apply([1, 0, 0]), 2 * poses["wheel"].translation, atol=1e-9)


def test_a_joint_that_is_not_given_is_as_near_to_zero_as_it_can() -> None:
    np.testing.assert_allclose(link_poses(ARM)["lower"].translation, [0.0, np.cos(0.5), 1.0 - np.sin(0.5)], atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "positions", "message"),
    [
        ("", "", {"elbow": 0.1}, "wanted a joint out of shoulder, turn, got 'elbow'"),
        ("", "", {"shoulder": 0.1}, "joint 'shoulder' wanted 0.5 to 2, got 0.1"),
        ("", "", {"shoulder": np.nan}, "joint 'shoulder' wanted a finite position, got nan"),
        ("", "", {"turn": np.inf}, "joint 'turn' wanted a finite position, got inf"),
        ('type="continuous"', 'type="floating"', {}, "joint 'turn' wanted .* or fixed, got 'floating'"),
        ('<link name="wheel"/>', '<link name="wheel"/><link name="lost"/>', {}, "hang on one root, got 2: base, lost"),
        ('<parent link="base"/>', '<parent link="wheel"/>', {}, "hang on 'base', got upper, lower, wheel"),
        ('mimic joint="shoulder"', 'mimic joint="elbow"', {}, "mimic joints that follow a free one, got elbow"),
        ('axis xyz="0 2 0"', 'axis xyz="0 0 0"', {}, "joint 'shoulder' wanted an axis with a direction"),
        ('lower="0.5" upper="2"', 'lower="2" upper="0.5"', {}, "wanted a lower limit under the upper one, got 2 and"),
        ('<child link="wheel"/>', "", {}, "joint 'turn' wanted a parent and a child"),
        ('rpy="0 0 1.5707963267948966"', 'rpy="${pi}"', {}, r"joint 'shoulder' wanted 3 finite numbers, got '\${pi}'"),
        ("robot", "sdf", {}, "wanted a URDF, got XML of <sdf>"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, positions: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"URDF: .*{message}"):
        link_poses(ARM.replace(old, new) if old else ARM, positions)


@pytest.fixture(scope="module", params=["", "tcp"])
def gripper(request: pytest.FixtureRequest) -> Gripper:
    return Gripper.from_urdf(GRIPPER, {"finger": 0.02}, request.param)


@pytest.mark.parametrize("normal", [UP, np.array([0.0, -1.0, 0.0]), np.array([0.6, 0.0, 0.8])])
def test_fingertips_touch_and_nothing_is_under_the_surface(gripper: Gripper, normal: np.ndarray) -> None:
    point = np.array([0.3, -0.2, 0.7])
    body, keypoints = gripper.touching(point, normal, np.array([0.3, 0.5, 0.1]), UP)
    height = (body.means - point) @ normal
    assert abs(height.min()) < 1e-3
    assert height.max() == pytest.approx(0.17, abs=1e-3)  # base, palm and fingers
    tips = body.means[height < 0.005] - point
    assert np.ptp(tips @ np.cross(normal, _along(normal))) < 0.03
    assert np.ptp(tips @ _along(normal)) == pytest.approx(2 * (0.02 + 0.015), abs=0.002)
    np.testing.assert_allclose(keypoints[[4, 8]].mean(axis=0), point, atol=1e-6)
    np.testing.assert_allclose(keypoints[0], point + 0.17 * normal, atol=2e-3)


def _along(normal: np.ndarray) -> np.ndarray:
    along = np.array([0.3, 0.5, 0.1])
    along = along - normal * (along @ normal)
    return np.asarray(along / np.linalg.norm(along))


def test_a_wrong_tip_is_named() -> None:
    with pytest.raises(ValueError, match="wanted a tip out of base, palm, .*, got 'finger'"):
        Gripper.from_urdf(GRIPPER, {}, "finger")
