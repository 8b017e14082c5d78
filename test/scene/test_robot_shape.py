from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from hearing_hands_ros.scene.robot_shape import RobotShape
from hearing_hands_ros.scene.sim3 import Sim3

GRIPPER = """<robot name="gripper">
  <link name="palm">
    <collision><origin xyz="0 0 0.05" rpy="0 0 0"/><geometry><box size="0.1 0.04 0.1"/></geometry></collision>
  </link>
  <link name="finger">
    <collision>
      <origin xyz="0 0 0" rpy="0 1.5707963 0"/><geometry><cylinder radius="0.01" length="0.08"/></geometry>
    </collision>
    <collision><geometry><sphere radius="0.012"/></geometry></collision>
  </link>
  <link name="frame_only"/>
</robot>"""


def pose(translation: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Sim3:
    return Sim3(1.0, np.array([1.0, 0.0, 0.0, 0.0]), np.array(translation))


def test_collision_shapes_are_covered() -> None:
    shape = RobotShape.from_urdf(GRIPPER, spacing_m=0.004)
    assert set(shape.links) == {"palm", "finger"}
    palm = shape.links["palm"]
    np.testing.assert_allclose(np.abs(palm.points_m - [0, 0, 0.05]).max(axis=0), [0.05, 0.02, 0.05], atol=0.002)
    on_top = np.isclose(palm.points_m[:, 2], 0.1)
    np.testing.assert_allclose(palm.normals[on_top], np.tile([0.0, 0.0, 1.0], (on_top.sum(), 1)), atol=1e-9)
    finger = shape.links["finger"].points_m
    np.testing.assert_allclose(np.ptp(finger, axis=0), [0.08, 0.024, 0.024], atol=0.003)  # the cylinder lies along x


def test_there_are_no_gaps_and_no_crowds() -> None:
    shape = RobotShape.from_urdf(GRIPPER)
    assert 4000 < sum(len(link.points_m) for link in shape.links.values()) < 10000
    palm = shape.links["palm"].points_m
    on_top = cKDTree(palm[np.isclose(palm[:, 2], 0.1)])
    everywhere = np.stack(np.meshgrid(np.linspace(-0.05, 0.05, 101), np.linspace(-0.02, 0.02, 41), [0.1]), axis=-1)
    assert on_top.query(everywhere.reshape(-1, 3))[0].max() < 1.2 * shape.spacing_m
    assert on_top.query(on_top.data, 2)[0][:, 1].min() > 0.6 * shape.spacing_m


def test_links_go_where_tf_puts_them() -> None:
    shape = RobotShape.from_urdf(GRIPPER, spacing_m=0.006)
    turned = Sim3(1.0, np.array([np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]), np.array([1.0, 2.0, 3.0]))
    splats = shape.gaussians({"palm": turned})
    assert len(splats) == len(shape.links["palm"].points_m)
    np.testing.assert_allclose(splats.means.mean(axis=0), [1.05, 2.0, 3.0], atol=0.005)  # its z is the scene's x now


def test_a_link_without_a_pose_is_not_drawn_and_none_at_all_is_an_error() -> None:
    shape = RobotShape.from_urdf(GRIPPER, spacing_m=0.006)
    both = shape.gaussians({"palm": pose(), "finger": pose(), "elsewhere": pose()})
    assert len(both) == sum(len(link.points_m) for link in shape.links.values())
    with pytest.raises(
        ValueError, match=r"wanted the pose of one or more of \['finger', 'palm'\], got \['elsewhere'\]"
    ):
        shape.gaussians({"elsewhere": pose()})


def test_meshes_are_read_beside_the_urdf_and_from_packages(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    trimesh.creation.box((1.0, 2.0, 3.0)).export(tmp_path / "meshes" / "pad.stl")
    for name in ("meshes/pad.stl", "package://gripper_description/meshes/pad.stl"):
        urdf = tmp_path / "gripper.urdf"
        urdf.write_text(
            '<robot name="r"><link name="pad"><collision><geometry>'
            f'<mesh filename="{name}" scale="0.01 0.01 0.01"/></geometry></collision></link></robot>'
        )
        shape = RobotShape.from_urdf(urdf, spacing_m=0.002, find_package=lambda _: str(tmp_path))
        np.testing.assert_allclose(np.ptp(shape.links["pad"].points_m, axis=0), [0.01, 0.02, 0.03], atol=0.002)


@pytest.mark.parametrize(
    ("urdf", "message"),
    [
        ("<robot", "wanted a URDF, got what is no XML"),
        ('<robot name="r"><link name="a"/></robot>', "wanted 1 to 20000 points on collision shapes, got 0 at"),
        (
            GRIPPER.replace('size="0.1 0.04 0.1"', 'size="0.1 0.04"'),
            "link 'palm' wanted 3 finite numbers, got '0.1 0.04'",
        ),
        (GRIPPER.replace('radius="0.012"', 'radius="nan"'), "link 'finger' wanted 1 finite numbers, got 'nan'"),
        (GRIPPER.replace('radius="0.012"', 'radius="0"'), "link 'finger' wanted positive sizes, got '0'"),
        (GRIPPER.replace('size="0.1 0.04 0.1"', 'size="0.1 -1 0.1"'), "link 'palm' wanted positive sizes"),
        (GRIPPER.replace("<sphere", "<blob"), "wanted box, cylinder, sphere or mesh, got 'blob'"),
        (
            GRIPPER.replace("0.1 0.04 0.1", "100 100 100"),
            r"wanted 1 to 20000 points on collision shapes, got \d{9} at a spacing of 0.02 m",
        ),
    ],
)
def test_a_bad_urdf_is_named(urdf: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RobotShape.from_urdf(urdf)


def test_a_mesh_without_faces_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.obj").write_text("v 0 0 0\nv 1 0 0\n")
    urdf = GRIPPER.replace('<sphere radius="0.012"/>', f'<mesh filename="file://{tmp_path}/empty.obj"/>')
    with pytest.raises(ValueError, match="link 'finger' wanted a mesh"):
        RobotShape.from_urdf(urdf)


def test_a_spacing_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="spacing_m wanted a positive distance, got 0"):
        RobotShape.from_urdf(GRIPPER, spacing_m=0.0)


def test_an_unknown_link_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"wanted links \['thumb'\], got a URDF with \['finger', 'frame_only', 'palm'\]"
    ):
        RobotShape.from_urdf(GRIPPER, links=("thumb",))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="wanted a URDF file"):
        RobotShape.from_urdf(tmp_path / "none.urdf")
    mesh = GRIPPER.replace('<sphere radius="0.012"/>', '<mesh filename="package://no_such_package/a.stl"/>')
    with pytest.raises(FileNotFoundError, match="wanted the ROS package 'no_such_package'"):
        RobotShape.from_urdf(mesh)
