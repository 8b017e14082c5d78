"""One small scene, photographed, in the files of the programs that could have reconstructed it.

The original world is that of the COLMAP model. Cameras are written by each program's own conventions, so that a test
can ask whether a point lands on the pixel on which it landed when the photos were taken.
"""

from __future__ import annotations

import gzip
import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from backports import zstd
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.splats import SplatScene, write_splats

WIDTH, HEIGHT, FX, FY = 640, 480, 520.0, 530.0
UP = np.array([0.0, -0.6, 0.8])  # COLMAP's worlds are askew
POINTS = np.random.default_rng(5).normal(0.0, 0.4, (40, 3))
SCALE, OFFSET = 0.37, np.array([0.2, -0.1, 0.4])  # of nerfstudio's training
TURN = Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True)


def photos(count: int = 8) -> list[Camera]:
    """Cameras of the original world, around its middle, upright."""
    side = np.array([1.0, 0.0, 0.0])
    front = np.cross(UP, side)
    angles = np.arange(count) * 2 * np.pi / count
    places = [2.0 * (np.cos(a) * side + np.sin(a) * front) + (0.5 + 0.1 * i) * UP for i, a in enumerate(angles)]
    cameras = []
    for i, place in enumerate(places):
        square = Camera.look_at(f"photo_{i:02d}.jpg", place, np.full(3, 0.05 * i), UP, WIDTH, 60.0)
        turn, position = square.rotation_wxyz, square.position
        cameras.append(Camera(square.name, WIDTH, HEIGHT, FX, FY, WIDTH / 2, HEIGHT / 2, turn, position))
    return cameras


def pixel(camera: Camera, point: Any) -> np.ndarray:
    """(2,) where a point of the camera's world appears."""
    x, y, z = camera.rotation.inv().apply(np.asarray(point, np.float64) - camera.position)
    return np.array([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy])


def splats_at(points: Any, degree: int = 1) -> SplatScene:
    """A Gaussian at each point."""
    rng = np.random.default_rng(6)
    n = len(points)
    return SplatScene(
        means=np.asarray(points, np.float32),
        scales=np.full((n, 3), 0.02, np.float32),
        quats_wxyz=np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        opacities=np.full(n, 0.9, np.float32),
        sh=rng.uniform(-0.5, 0.5, (n, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def in_streams(spz: bytes) -> bytes:
    """An .spz of version 3, packed as version 4 is."""
    raw = gzip.decompress(spz)
    _, _, count, degree, bits, flags, _ = struct.unpack("<IIIBBBB", raw[:16])
    sizes = [count * size for size in (9, 1, 3, 3, 4, 3 * (0, 3, 8, 15)[degree]) if size]
    ends = np.cumsum([16, *sizes])
    packed = [zstd.compress(raw[first:last]) for first, last in pairwise(ends)]
    head = struct.pack("<IIIBBBBI12x", 0x5053474E, 4, count, degree, bits, flags, len(packed), 32)
    table = b"".join(struct.pack("<QQ", len(stream), size) for stream, size in zip(packed, sizes, strict=True))
    return head + table + b"".join(packed)


def write_nerfstudio(folder: Path, **changes: Any) -> Path:
    """As ns-process-data, ns-train splatfacto and ns-export gaussian-splat do; `changes` go into transforms.json."""
    applied = np.eye(4)[[0, 2, 1, 3]]
    applied[2] *= -1.0
    frames = []
    for camera in photos():
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = camera.rotation.as_matrix(), camera.position
        pose[:3, 1:3] *= -1.0  # OpenCV's axes to OpenGL's
        frames.append({"file_path": f"images/{camera.name}", "transform_matrix": (applied @ pose).tolist()})
    document = {
        "w": WIDTH, "h": HEIGHT, "fl_x": FX, "fl_y": FY, "cx": WIDTH / 2, "cy": HEIGHT / 2, "k1": 0.0, "k2": 0.0,
        "p1": 0.0, "p2": 0.0, "camera_model": "OPENCV", "frames": frames,
        "applied_transform": applied[:3].tolist(), "ply_file_path": "sparse_pc.ply", **changes,
    }  # fmt: skip
    orient = np.eye(4)
    orient[:3, :3], orient[:3, 3] = TURN.as_matrix(), OFFSET
    transform = (orient @ applied)[:3]
    data, run, export = folder / "data", folder / "outputs/splatfacto/2026-01-01_120000", folder / "exports/splat"
    for place in (data, run, export):
        place.mkdir(parents=True)
    (data / "transforms.json").write_text(json.dumps(document, indent=4))
    (run / "dataparser_transforms.json").write_text(json.dumps({"transform": transform.tolist(), "scale": SCALE}))
    points = SCALE * (POINTS @ transform[:, :3].T + transform[:, 3])
    write_splats(export / "splat.ply", splats_at(points))
    return folder


def write_gaussian_splatting(folder: Path) -> Path:
    """As train.py does, with two saved iterations."""
    for steps, points in ((7000, POINTS[:5]), (30000, POINTS)):
        place = folder / f"point_cloud/iteration_{steps}"
        place.mkdir(parents=True)
        write_splats(place / "point_cloud.ply", splats_at(points, degree=3))
    cameras = [
        {
            "id": i, "img_name": camera.name, "width": WIDTH, "height": HEIGHT, "position": camera.position.tolist(),
            "rotation": camera.rotation.as_matrix().tolist(), "fy": FY, "fx": FX,
        }
        for i, camera in enumerate(photos())
    ]  # fmt: skip
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


def write_model(folder: Path, cameras: list[Camera], text: bool = False, model: str = "OPENCV") -> Path:
    """A COLMAP model of one camera and some images; no points."""
    folder.mkdir(parents=True)
    parameters = {
        "SIMPLE_PINHOLE": [FX, WIDTH / 2, HEIGHT / 2],
        "PINHOLE": [FX, FY, WIDTH / 2, HEIGHT / 2],
        "SIMPLE_RADIAL": [FX, WIDTH / 2, HEIGHT / 2, 0.01],
        "OPENCV": [FX, FY, WIDTH / 2, HEIGHT / 2, 0.01, 0.0, 0.0, 0.0],
        "OPENCV_FISHEYE": [FX, FY, WIDTH / 2, HEIGHT / 2, 0.01, 0.0, 0.0, 0.0],
    }[model]
    number = {"SIMPLE_PINHOLE": 0, "PINHOLE": 1, "SIMPLE_RADIAL": 2, "OPENCV": 4, "OPENCV_FISHEYE": 5}[model]
    poses = []
    for camera in cameras:
        turn = camera.rotation.inv()
        poses.append((*to_wxyz(turn), *-turn.apply(camera.position)))
    if text:
        words = " ".join(map(str, parameters))
        (folder / "cameras.txt").write_text(f"# Camera list\n1 {model} {WIDTH} {HEIGHT} {words}\n")
        rows = [
            f"{i} {' '.join(map(str, pose))} 1 {camera.name}\n10.5 20.5 -1\n"
            for i, (pose, camera) in enumerate(zip(poses, cameras, strict=True), 1)
        ]
        (folder / "images.txt").write_text("# Image list\n" + "".join(rows))
        (folder / "points3D.txt").write_text("# 3D point list\n")
        return folder
    header = struct.pack("<QIiQQ", 1, 1, number, WIDTH, HEIGHT)
    (folder / "cameras.bin").write_bytes(header + struct.pack(f"<{len(parameters)}d", *parameters))
    raw = struct.pack("<Q", len(cameras))
    for i, (pose, camera) in enumerate(zip(poses, cameras, strict=True), 1):
        raw += struct.pack("<I7dI", i, *pose, 1) + camera.name.encode() + b"\0"
        raw += struct.pack("<QddQ", 1, 10.5, 20.5, 2**64 - 1)
    (folder / "images.bin").write_bytes(raw)
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", 0))
    return folder
