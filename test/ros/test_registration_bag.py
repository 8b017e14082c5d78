"""Camera images and point clouds out of a recording, each with its pose from TF."""

import io
from contextlib import closing

import numpy as np
import PIL.Image
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from hearing_hands_ros.ros.image_choice import ImageChoice
from hearing_hands_ros.ros.registration_bag import RegistrationBag
from hearing_hands_ros.scene.sim3 import Sim3

TYPES = get_typestore(Stores.ROS2_JAZZY)
NS = 1_000_000_000
START_NS = 1000 * NS
IMAGE, COMPRESSED, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"


def made(kind, /, **values):
    return TYPES.types[kind](**values)


def header(stamp_ns, frame="camera"):
    stamp = made("builtin_interfaces/msg/Time", sec=stamp_ns // NS, nanosec=stamp_ns % NS)
    return made("std_msgs/msg/Header", stamp=stamp, frame_id=frame)


def transform(stamp_ns, parent, child, place, yaw=0.0):
    x, y, z, w = Rotation.from_euler("z", yaw).as_quat()
    return made(
        "geometry_msgs/msg/TransformStamped",
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=made(
            "geometry_msgs/msg/Transform",
            translation=made("geometry_msgs/msg/Vector3", x=place[0], y=place[1], z=place[2]),
            rotation=made("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        ),
    )


def image(stamp_ns, encoding="bgr8", frame="camera"):
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[..., 0] = 200  # the first channel: blue
    rows = np.zeros((6, 32), np.uint8)
    rows[:, :24] = pixels.reshape(6, 24)
    return made(IMAGE, header=header(stamp_ns, frame), height=6, width=8, encoding=encoding, is_bigendian=0, step=32,
                data=rows.reshape(-1))  # fmt: skip


def info(model="plumb_bob", d=(0.0,) * 5):
    k = np.array([10.0, 0, 3.5, 0, 11.0, 2.5, 0, 0, 1])
    region = made("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return made(INFO, header=header(START_NS), height=6, width=8, distortion_model=model, d=np.array(d), k=k,
                r=np.eye(3).reshape(-1), p=np.zeros(12), binning_x=0, binning_y=0, roi=region)  # fmt: skip


def cloud(stamp_ns, points, frame="camera"):
    field = [
        made("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=7, count=1) for i, name in enumerate("xyz")
    ]
    data = np.frombuffer(points.astype("<f4").tobytes(), np.uint8)
    return made("sensor_msgs/msg/PointCloud2", header=header(stamp_ns, frame), height=1, width=len(points),
                fields=field, is_bigendian=False, point_step=12, row_step=12 * len(points), data=data,
                is_dense=False)  # fmt: skip


class Recording:
    def __init__(self, path):
        self.path, self._messages = path, []

    def add(self, topic, stamp_ns, message):
        self._messages.append((stamp_ns, topic, message))

    def stand(self, place, begin_s, seconds=1.0, yaw=0.0):
        """The camera stands somewhere, ten images a second."""
        for tenth in range(round(10 * seconds)):
            stamp_ns = START_NS + round((begin_s + tenth / 10) * NS)
            tf = made("tf2_msgs/msg/TFMessage", transforms=[transform(stamp_ns, "hand", "camera", place, yaw)])
            self.add("/tf", stamp_ns, tf)
            self.add("/camera/image_raw", stamp_ns, image(stamp_ns))

    def write(self):
        mount = transform(0, "base_link", "hand", (0.0, 0.0, 1.0))
        self.add("/tf_static", START_NS, made("tf2_msgs/msg/TFMessage", transforms=[mount]))
        with Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {}
            for stamp_ns, topic, message in sorted(self._messages, key=lambda entry: entry[0]):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
                writer.write(connections[topic], stamp_ns, TYPES.serialize_cdr(message, kind))
        return self.path


@pytest.fixture
def recording(tmp_path):
    made_one = Recording(tmp_path / "bag")
    made_one.add("/camera/camera_info", START_NS, info())
    return made_one


def test_one_image_a_place_with_its_pose_and_lens(recording):
    for index in range(4):
        recording.stand((0.1 * index, 0.0, 0.0), 2.0 * index, yaw=0.2 * index)
    with closing(RegistrationBag(recording.write())) as bag:
        taken, left_out = bag.images("", "", "base_link", ImageChoice())
        few, _ = bag.images("/camera/image_raw", "/camera/camera_info", "hand", ImageChoice(count=2))
    assert left_out == {}
    assert [o.parent_from_camera.translation.tolist() for o in taken] == [[0.1 * i, 0.0, 1.0] for i in range(4)]
    assert taken[3].parent_from_camera.rotation.magnitude() == pytest.approx(0.6)
    assert taken[0].image.shape == (6, 8, 3)
    assert taken[0].image[0, 0].tolist() == [0, 0, 200]  # bgr8 became RGB
    assert (taken[0].lens.fx, taken[0].lens.cx, taken[0].lens.cy, taken[0].lens.model) == (10.0, 4.0, 3.0, "")
    assert len(few) == 2
    assert few[0].parent_from_camera.translation[2] == 0.0


def test_a_camera_without_tf_at_its_stamp_is_named_and_left_out(recording):
    recording.stand((0.0, 0.0, 0.0), 0.0)
    recording.add("/camera/image_raw", START_NS + 5 * NS, image(START_NS + 5 * NS))
    recording.add("/camera/image_raw", START_NS + 6 * NS, image(START_NS + 6 * NS, frame="elsewhere"))
    with closing(RegistrationBag(recording.write())) as bag:
        taken, left_out = bag.images("", "", "base_link", ImageChoice())
    assert len(taken) == 1
    assert set(left_out) == {"1005.000000000", "1006.000000000"}
    assert "no pose in TF" in left_out["1005.000000000"]
    assert "extrapolation" in left_out["1005.000000000"].lower()


def test_images_that_cannot_be_read_are_named(recording):
    recording.stand((0.0, 0.0, 0.0), 0.0)
    recording.stand((0.3, 0.0, 0.0), 2.0, seconds=0.2)
    recording._messages[-1][2].encoding = "bayer_rggb8"
    with closing(RegistrationBag(recording.write())) as bag:
        _, left_out = bag.images("", "", "base_link", ImageChoice())
    assert "got 'bayer_rggb8'" in left_out["1002.100000000"]


def test_damaged_compressed_images_are_named(recording):
    stream = io.BytesIO()
    PIL.Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(stream, "PNG")
    whole = stream.getvalue()
    for index, data in enumerate([whole, whole, whole.replace(b"IDAT", b"ID\0T"), whole[:40], b""]):
        stamp_ns = START_NS + index * NS // 10
        place = transform(stamp_ns, "hand", "camera", (0.1 * max(0, index - 1), 0.0, 0.0))
        recording.add("/tf", stamp_ns, made("tf2_msgs/msg/TFMessage", transforms=[place]))
        compressed = made(COMPRESSED, header=header(stamp_ns), format="png", data=np.frombuffer(data, np.uint8))
        recording.add("/camera/image_raw/compressed", stamp_ns, compressed)
    with closing(RegistrationBag(recording.write())) as bag:
        taken, left_out = bag.images("", "", "base_link", ImageChoice(fastest_mps=10.0))
    assert [o.image.shape for o in taken] == [(6, 8, 3)]
    assert set(left_out) == {"1000.200000000", "1000.300000000", "1000.400000000"}
    assert all("wanted a JPEG or PNG, got 'png'" in why for why in left_out.values())


def test_without_a_stamp_nothing_is_taken_for_the_latest(recording):
    recording.stand((0.0, 0.0, 0.0), 0.0)
    recording.add("/camera/image_raw", START_NS + NS // 2, image(0))
    for offset in (0, NS // 2):
        recording.add("/depth/points", START_NS + offset, cloud(offset and START_NS + offset, np.eye(3)))
    with closing(RegistrationBag(recording.write())) as bag:
        taken, left_out = bag.images("", "", "base_link", ImageChoice())
        points, clouds_left_out = bag.cloud("", "base_link")
    assert len(taken) == 1
    assert len(points) == 3
    for reasons in (left_out, clouds_left_out):
        assert list(reasons) == ["0.000000000"]
        assert reasons["0.000000000"].startswith("no stamp")


def test_topics_must_be_the_only_ones_or_named(recording):
    recording.stand((0.0, 0.0, 0.0), 0.0)
    recording.add("/other/image_raw", START_NS, image(START_NS))
    with closing(RegistrationBag(recording.write())) as bag:
        with pytest.raises(
            ValueError, match=r"wanted one topic of Image or CompressedImage, got /camera/image_raw, /other"
        ):
            bag.images("", "", "base_link", ImageChoice())
        with pytest.raises(ValueError, match=r"wanted the CameraInfo topic '/x', got none"):
            bag.images("/camera/image_raw", "/x", "base_link", ImageChoice())


def test_clouds_come_into_the_parent_frame(recording):
    points = np.array([[1.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [0.0, 2.0, 0.5]])
    recording.stand((0.0, 0.0, 0.0), 0.0, yaw=np.pi / 2)
    recording.add("/depth/points", START_NS + NS // 2, cloud(START_NS + NS // 2, points))
    recording.add("/depth/points", START_NS + 9 * NS, cloud(START_NS + 9 * NS, points))
    with closing(RegistrationBag(recording.write())) as bag:
        found, left_out = bag.cloud("", "base_link")
        with pytest.raises(ValueError, match="wanted point clouds with poses in 'nowhere'"):
            bag.cloud("", "nowhere")
    np.testing.assert_allclose(found, [[0.0, 1.0, 1.0], [-2.0, 0.0, 1.5]], atol=1e-6)
    assert len(left_out) == 1


def test_of_many_clouds_a_few_spread_over_the_recording_are_read(recording, monkeypatch):
    recording.stand((0.0, 0.0, 0.0), 0.0, seconds=4.1)
    for tenth in range(39):
        stamp_ns = START_NS + tenth * NS // 10
        recording.add("/depth/points", stamp_ns, cloud(stamp_ns, np.full((10, 3), float(tenth))))
    read = []
    with closing(RegistrationBag(recording.write())) as bag:
        deserialize = bag._bag.deserialize
        monkeypatch.setattr(bag._bag, "deserialize", lambda *raw: read.append(raw[1]) or deserialize(*raw))
        points, left_out = bag.cloud("", "base_link", most=20)
    assert left_out == {}
    assert points[::10, 0].tolist() == [float(tenth) for tenth in range(0, 39, 2)]
    assert len(read) == 20


def test_a_cloud_that_cannot_be_read_is_named_and_left_out(recording):
    recording.stand((0.0, 0.0, 0.0), 0.0)
    flat = cloud(START_NS, np.eye(3))
    flat.fields.pop()
    recording.add("/depth/points", START_NS, flat)
    recording.add("/depth/points", START_NS + NS // 2, cloud(START_NS + NS // 2, np.eye(3)))
    with closing(RegistrationBag(recording.write())) as bag:
        points, left_out = bag.cloud("", "base_link")
    assert len(points) == 3
    assert left_out == {"1000.000000000": "PointCloud2: wanted the fields x, y and z once each, got ['x', 'y']"}


def test_a_recording_without_a_camera_that_holds_still_says_so(recording):
    for second in range(0, 10, 2):
        recording.stand((0.2 * second, 0.0, 0.0), second, seconds=0.1)
    with closing(RegistrationBag(recording.write())) as bag:
        taken, left_out = bag.images("", "", "base_link", ImageChoice())
        standing, _ = bag.images("", "", "base_link", ImageChoice(standing=True))
    assert taken == []
    assert "wanted a camera that TF knows to hold still" in left_out["every image"]
    assert "--standing" in left_out["every image"]
    assert [o.parent_from_camera.translation[0] for o in standing] == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6])


@pytest.mark.parametrize("rate_hz", [30, 10, 6, 1, 0.2])
def test_only_a_camera_that_stands_still_is_taken_at_any_rate(recording, rate_hz):
    """It moves for 4 s, stands for 4 s, and moves again, at 0.2 m/s; TF comes at 50 Hz."""
    for tick in range(12 * 50):
        stamp_ns = START_NS + tick * NS // 50
        x = 0.2 * (min(tick / 50, 4.0) + max(tick / 50 - 8.0, 0.0))
        edge = transform(stamp_ns, "hand", "camera", (x, 0.0, 0.0))
        recording.add("/tf", stamp_ns, made("tf2_msgs/msg/TFMessage", transforms=[edge]))
    for index in range(int(11.9 * rate_hz) + 1):
        stamp_ns = START_NS + round(index / rate_hz * NS)
        recording.add("/camera/image_raw", stamp_ns, image(stamp_ns))
    with closing(RegistrationBag(recording.write())) as bag:
        taken, _ = bag.images("", "", "base_link", ImageChoice())
    assert len(taken) == 1
    assert 4.0 < float(taken[0].name) - START_NS / NS <= 4.1 + 1.0 / rate_hz


def test_places_must_be_apart_and_the_camera_known_to_stand():
    choice = ImageChoice(spacing_m=0.05)

    def pose(x, degrees=0.0):
        return Sim3(1.0, np.roll(Rotation.from_euler("x", degrees, degrees=True).as_quat(), 1), [x, 0.0, 0.0])

    assert not choice.wants(pose(0.0), None)  # nobody knows whether it moves
    assert choice.wants(pose(0.0), pose(0.0))
    choice.take(pose(0.0))
    assert not choice.wants(pose(0.2), pose(0.0))  # 2 m/s
    assert not choice.wants(pose(0.2, 10.0), pose(0.2))  # 100 degrees a second
    assert choice.wants(pose(0.2), pose(0.2))
    assert not choice.wants(pose(0.01), pose(0.01))  # too near to the first
    assert choice.wants(pose(0.01, 10.0), pose(0.01, 10.0))  # but turned
