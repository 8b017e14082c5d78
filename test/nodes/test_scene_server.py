"""The scene server as a process: what it says stays for those who come later."""

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from hearing_hands_ros.msg import SceneRegistration
from lifecycle import Lifecycle
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage
from worlds import SCALE, TABLE_M, save_table

from hearing_hands_ros.ros.point_cloud2 import read_points

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
MODULE = "hearing_hands_ros.nodes.scene_server"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GAUSSIANS = 61 * 61


@pytest.fixture
def scene(tmp_path):
    return save_table(tmp_path / "scene")


def test_who_comes_late_still_learns_where_the_scene_is(ros_domain, scene):
    node = ros_domain.start(MODULE, {"scene": str(scene)})
    ros_domain.diagnostics("scene_server").wait(OK, "published")
    (registration,) = ros_domain.listen(SceneRegistration, "scene/registration", LATCHED).wait_for(1)
    assert registration.name == "table"
    assert len(registration.sha256) == 64
    assert (registration.header.frame_id, registration.parent_frame) == ("table_scene", "world")
    assert registration.scale == SCALE
    assert registration.transform.translation.z == pytest.approx(TABLE_M)
    assert registration.up.z == 1.0
    statics = ros_domain.listen(TFMessage, "/tf_static", LATCHED).wait_for(1)
    (transform,) = statics[0].transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("world", "table_scene")
    assert transform.transform == registration.transform
    assert node.stop() == 0
    assert "Traceback" not in node.log


def test_the_splats_are_points_in_metres_with_their_colours(ros_domain, scene):
    ros_domain.start(MODULE, {"scene": str(scene)})
    (cloud,) = ros_domain.listen(PointCloud2, "scene/points", LATCHED).wait_for(1)
    assert cloud.header.frame_id == "table_scene"
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"]
    points = read_points(cloud)
    assert len(points) == GAUSSIANS
    assert points["x"].min() == pytest.approx(-0.3, abs=1e-3)
    assert points["x"].max() == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(points["z"], 0.0, atol=1e-3)
    packed = points["rgb"].view(np.uint32)
    for shift in (16, 8, 0):
        np.testing.assert_allclose(packed >> shift & 255, 153, atol=2)  # 0.6


def test_points_can_be_fewer_or_none(ros_domain, scene):
    ros_domain.start(MODULE, {"scene": str(scene), "max_points": 500})
    (cloud,) = ros_domain.listen(PointCloud2, "scene/points", LATCHED).wait_for(1)
    assert cloud.width == 500
    assert len(cloud.data) == 500 * 16


def test_a_scene_that_is_bad_is_said_and_taken_once_it_is_mended(ros_domain, scene):
    whole = (scene / "scene.yaml").read_text()
    document = yaml.safe_load(whole)
    del document["registration"]
    (scene / "scene.yaml").write_text(yaml.safe_dump(document))
    ros_domain.start(MODULE, {"scene": str(scene), "retry_s": 0.3, "publish_points": False})
    diagnostics = ros_domain.diagnostics("scene_server")
    diagnostics.wait(ERROR, "registration is missing")
    (scene / "scene.yaml").write_text(whole)
    diagnostics.wait(OK, "published")
    assert diagnostics.values["points"] == "0"


def test_a_poor_registration_is_shown_with_a_warning(ros_domain, scene):
    path = scene / "scene.yaml"
    path.write_text(path.read_text().replace("residual_mm: 0.0", "residual_mm: 70.0"))
    ros_domain.start(MODULE, {"scene": str(scene)})
    ros_domain.diagnostics("scene_server").wait(WARN, "registered to 70.0 mm, wanted 50 or less")


def test_it_can_be_taken_down_and_started_with_another_scene(ros_domain, scene, tmp_path):
    ros_domain.start(MODULE, {"scene": str(scene)})
    inbox = ros_domain.listen(SceneRegistration, "scene/registration", LATCHED)
    inbox.wait_for(1)
    lifecycle = Lifecycle(ros_domain, "scene_server")
    lifecycle.wait_for("active")
    document = yaml.safe_load((scene / "scene.yaml").read_text())
    document["name"] = "other"
    (scene / "scene.yaml").write_text(yaml.safe_dump(document))
    for step in ("deactivate", "cleanup", "configure", "activate"):
        assert lifecycle(step)
    inbox.wait_for(2)
    assert inbox.messages[-1].name == "other"
    assert lifecycle("shutdown")


def test_without_a_scene_it_says_so(ros_domain):
    ros_domain.start(MODULE)
    ros_domain.diagnostics("scene_server").wait(ERROR, "parameter 'scene' wants the folder of a scene bundle")
