"""What a COLMAP model says about a scene: its cameras, its points, and which way is up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.camera import Camera

Array = NDArray[np.float64]

LEVEL_DEG = 40.0  # two estimates of up that differ by more are not of cameras that were held level


def cameras_of(model: Any) -> tuple[Camera, ...]:
    """Cameras with a pose, sorted by the name of their photo; lens distortion is left out."""
    cameras = []
    for image in sorted(model.images.values(), key=lambda image: image.name):
        if image.has_pose:
            lens, pose = model.cameras[image.camera_id], image.cam_from_world().inverse()
            focal = lens.focal_length_x, lens.focal_length_y
            centre = lens.principal_point_x, lens.principal_point_y
            wxyz = pose.rotation.quat[[3, 0, 1, 2]]
            cameras.append(Camera(image.name, lens.width, lens.height, *focal, *centre, wxyz, pose.translation))
    return tuple(cameras)


def points_of(model: Any) -> tuple[Array, NDArray[np.uint8]]:
    """(N, 3) points and their (N, 3) colours."""
    points = list(model.points3D.values())
    xyz = np.array([point.xyz for point in points], np.float64).reshape(-1, 3)
    return xyz, np.array([point.color for point in points], np.uint8).reshape(-1, 3)


def up_of(cameras: tuple[Camera, ...]) -> Array:
    """(3,) unit vector against gravity, as far as photos tell.

    Whoever takes photos may look up or down, but holds the camera level: up is the direction most at right angles to
    the image rows of all photos. Where that disagrees with the mean up of the images, as with upright and lying photos
    mixed, the mean is taken.
    """
    axes = np.stack([camera.rotation.as_matrix() for camera in cameras])
    mean = -axes[:, :, 1].mean(axis=0)
    mean /= max(float(np.linalg.norm(mean)), 1e-12)
    level = np.linalg.svd(axes[:, :, 0])[2][-1]
    level = level * np.sign(level @ mean)
    return np.asarray(level if level @ mean > np.cos(np.deg2rad(LEVEL_DEG)) else mean)
