"""Recordings of a simulated hand that taps the demo's bench before a camera; images and depth are rendered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.placing import facing
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.hand_shape import HandShape
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.surface import SplatSurface

SCENE = Path(__file__).parents[2] / "demo" / "scene"
TYPES = get_typestore(Stores.ROS2_JAZZY)
NS = 1_000_000_000
START_NS = 1000 * NS
RATE_HZ = 30
SIZE = (320, 240)


def in_splat_units(gaussians: SplatScene, scale: float) -> SplatScene:
    return replace(gaussians, means=gaussians.means / np.float32(scale), scales=gaussians.scales / np.float32(scale))


class Bench:
    """The demo's scene, a camera that looks at it, and taps on it; everything in the scene's frame, metres."""

    def __init__(self) -> None:
        self.bundle = SceneBundle.load(SCENE)
        self.surface = SplatSurface(self.bundle)
        low, high = np.percentile(self.bundle.means_m, (5, 95), axis=0)
        answer = self.surface.query(((low + high) / 2)[None] + 0.01 * self.bundle.up)
        self.point, self.normal = answer.point_m[0], answer.normal[0]
        side = np.cross(self.bundle.up, [1.0, 0.0, 0.0])
        eye = self.point + 0.45 * self.bundle.up + 0.35 * side + [0.1, 0.0, 0.0]
        self.camera = Camera.look_at("camera", eye, self.point, self.bundle.up, SIZE[1], 45.0).resized(*SIZE)
        self.scene_from_camera = Sim3(1.0, self.camera.rotation_wxyz, self.camera.position)
        self.parent_from_scene = Sim3(1.0, self.bundle.rotation_wxyz, self.bundle.translation_m)
        self.away = np.cross(side, self.bundle.up)

    def taps(self, seconds: float, every_s: float = 1.0, high_m: float = 0.06):
        """(T,) times and (T, 21, 3) a right hand whose index fingertip is on the bench amid every period."""
        time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        phase = np.abs((time_s % every_s) / every_s - 0.5)  # 0 at the touch
        lift = high_m * np.clip((phase - 0.1) / 0.4, 0.0, 1.0)
        still = hand.touching(self.point, self.normal, self.away)
        return time_s, still + lift[:, None, None] * self.normal

    def render(self, hands):
        """Colour and depth in metres of what the camera sees of the bench and (21, 3) hands."""
        scale = self.bundle.scale
        renderer = SplatRenderer(self.bundle.splats)
        camera = replace(self.camera, position=self.camera.position / scale)
        for keypoints in hands:
            seen = renderer.render([camera], in_splat_units(HandShape().gaussians(keypoints), scale))
            yield np.clip(np.rint(255 * seen.rgb[0]), 0, 255).astype(np.uint8), seen.depth[0] * scale


def made(kind, /, **values):
    return TYPES.types[kind](**values)


def header(stamp_ns, frame="camera_optical"):
    stamp = made("builtin_interfaces/msg/Time", sec=stamp_ns // NS, nanosec=stamp_ns % NS)
    return made("std_msgs/msg/Header", stamp=stamp, frame_id=frame)


def picture(stamp_ns, pixels, encoding):
    data = np.ascontiguousarray(pixels)
    rows = data.reshape(len(data), -1).view(np.uint8)
    return made("sensor_msgs/msg/Image", header=header(stamp_ns), height=data.shape[0], width=data.shape[1],
                encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1))  # fmt: skip


def camera_info(camera):
    k = np.array([camera.fx, 0, camera.cx - 0.5, 0, camera.fy, camera.cy - 0.5, 0, 0, 1])
    region = made("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return made("sensor_msgs/msg/CameraInfo", header=header(START_NS), height=camera.height, width=camera.width,
                distortion_model="plumb_bob", d=np.zeros(5), k=k, r=np.eye(3).reshape(-1), p=np.zeros(12), binning_x=0,
                binning_y=0, roi=region)  # fmt: skip


def tf(parent, child, pose, stamp_ns=START_NS):
    w, x, y, z = (float(v) for v in pose.rotation_wxyz)
    at = [float(v) for v in pose.translation]
    transform = made(
        "geometry_msgs/msg/Transform",
        translation=made("geometry_msgs/msg/Vector3", x=at[0], y=at[1], z=at[2]),
        rotation=made("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
    )
    stamped = made("geometry_msgs/msg/TransformStamped", header=header(stamp_ns, parent), child_frame_id=child,
                   transform=transform)  # fmt: skip
    return made("tf2_msgs/msg/TFMessage", transforms=[stamped])


@dataclass
class Messages:
    """A recording as it is put together."""

    entries: list = field(default_factory=list)

    def add(self, topic, received_ns, message):
        self.entries.append((received_ns, topic, message))

    def write(self, path):
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {}
            for received_ns, topic, message in sorted(self.entries, key=lambda entry: entry[0]):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
                writer.write(connections[topic], received_ns, TYPES.serialize_cdr(message, kind))
        return path


def stamps_of(time_s):
    return START_NS + np.round(np.asarray(time_s) * NS).astype(np.int64)


def video(bench, time_s, keypoints, with_depth, with_tf=True):
    """A camera's recording of a hand."""
    messages = Messages()
    messages.add("/camera/camera_info", START_NS, camera_info(bench.camera))
    if with_tf:
        pose = bench.parent_from_scene @ bench.scene_from_camera
        messages.add("/tf_static", START_NS, tf(bench.bundle.parent_frame, "camera_optical", pose))
    for stamp_ns, (colour, depth_m) in zip(stamps_of(time_s).tolist(), bench.render(keypoints), strict=True):
        messages.add("/camera/image_raw", stamp_ns + 30_000_000, picture(stamp_ns, colour, "rgb8"))
        if with_depth:
            millimetres = np.rint(1e3 * depth_m).astype(np.uint16)
            messages.add("/camera/depth", stamp_ns + 40_000_000, picture(stamp_ns + 1_000_000, millimetres, "16UC1"))
    return messages


def hamer_file(path, bench, time_s, keypoints, noise_m=0.0, seed=0):
    """What HaMeR would say, which believes in a longer lens: a hand too far off, as seen by looking straight at it."""
    rng = np.random.default_rng(seed)
    camera = bench.camera
    points = bench.scene_from_camera.inverse().apply(keypoints)
    focal = 5000 / 256 * max(SIZE)
    middle = points.mean(axis=1)
    shape = points - middle[:, None] + rng.normal(0.0, noise_m, points.shape)
    shape = np.stack([facing(m[:2] / m[2]).inv().apply(s) for m, s in zip(middle, shape, strict=True)])
    true = points[..., :2] / points[..., 2:] * camera.fx + [camera.cx, camera.cy]
    pixels = true.mean(axis=1)
    flat = shape[..., :2]
    z = focal * (flat**2).sum(axis=(1, 2)) / (flat * (true - pixels[:, None])).sum(axis=(1, 2))
    cam_t = np.column_stack([(pixels - np.array(SIZE) / 2) / focal * z[:, None], z])
    np.savez(path, stamps_ns=stamps_of(time_s), is_right=np.ones(len(points)), pred_keypoints_3d=shape, cam_t=cam_t,
             focal_length=focal)  # fmt: skip
    return path
