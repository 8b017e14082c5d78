"""Images of a live camera: a publisher in another process, real DDS."""

import os
import subprocess
import sys

import pytest

TALKER = """
import io, time, numpy as np, rclpy
from PIL import Image as Picture
from rclpy.qos import qos_profile_sensor_data, QoSProfile, DurabilityPolicy
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage
rclpy.init()
node = rclpy.create_node("camera")
images = node.create_publisher(Image, "/camera/image_raw", qos_profile_sensor_data)
packed = node.create_publisher(CompressedImage, "/camera/image_raw/compressed", qos_profile_sensor_data)
stream = io.BytesIO()
Picture.fromarray(np.zeros((4, 6, 3), np.uint8)).save(stream, "PNG")
whole = stream.getvalue()
damaged = whole.replace(b"IDAT", b"ID\\0T")
sent = 0
infos = node.create_publisher(CameraInfo, "/camera/camera_info", qos_profile_sensor_data)
tf = node.create_publisher(TFMessage, "/tf", 100)
begin = time.time()
while time.time() - begin < 60.0:
    now = node.get_clock().now().to_msg()
    edge = TransformStamped()
    edge.header.stamp, edge.header.frame_id, edge.child_frame_id = now, "base_link", "camera"
    edge.transform.translation.x = 0.2 * int(time.time() - begin)  # stands for a second, then jumps on
    edge.transform.rotation.w = 1.0
    image = Image(height=4, width=6, encoding="mono8", step=6, data=bytes(24))
    image.header.stamp, image.header.frame_id = now, "camera"
    info = CameraInfo(height=4, width=6, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [5.0, 0.0, 2.5, 0.0, 5.0, 1.5, 0.0, 0.0, 1.0]
    tf.publish(TFMessage(transforms=[edge]))
    infos.publish(info)
    images.publish(image)
    sent += 1
    frame = CompressedImage(format="png", data=damaged if (time.time() - begin) % 1 < 0.4 else whole)
    frame.header.frame_id = "camera"
    if sent % 5:
        frame.header.stamp = now
    packed.publish(frame)
    time.sleep(0.05)
"""
LISTENER = """
from hearing_hands_ros.ros.camera_collector import collect_images
from hearing_hands_ros.ros.image_choice import ImageChoice
taken, left_out = collect_images({topic!r}, {info!r}, {parent!r}, ImageChoice(count=3), {seconds})
places = sorted(round(float(o.parent_from_camera.translation[0]), 1) for o in taken)
print(len(taken), places, taken[:1] and taken[0].lens.cx)
print(sorted({{why[:40] for why in left_out.values()}}))
"""


@pytest.fixture
def camera(private_domain):
    environment = {**os.environ, **private_domain}
    process = subprocess.Popen([sys.executable, "-c", TALKER], env=environment)
    yield environment
    process.kill()
    process.wait()


def listen(environment, topic="/camera/image_raw", info="/camera/camera_info", parent="base_link", seconds=30.0):
    code = LISTENER.format(topic=topic, info=info, parent=parent, seconds=seconds)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_image_is_taken_at_each_place(camera):
    said = listen(camera)
    assert said.startswith("3 [")
    places = [float(word) for word in said[said.index("[") + 1 : said.index("]")].split(",")]
    assert len(set(places)) == 3
    assert "] 3.0" in said  # ROS counts pixels from the middle of the first one


def test_a_frame_that_is_unknown_or_a_camera_without_info_is_said(camera):
    assert "no pose in TF" in listen(camera, parent="nowhere", seconds=4.0)
    assert "no CameraInfo within 2 s" in listen(camera, info="/other", seconds=2.0)


def test_damaged_frames_and_those_without_a_stamp_do_not_end_a_session(camera):
    said = listen(camera, topic="/camera/image_raw/compressed")
    assert said.startswith("3 [")
    assert "no stamp" in said
    assert "CompressedImage: wanted a JPEG or PNG" in said
