"""How deep the scene lies behind each pixel: the hand is in front of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.registration.localize import Lens
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]

WIDTH = 320  # pixels of what is rendered
SOLID = 0.5  # less than this of a pixel is hidden: nobody knows what is there


class SceneDepth:
    """Renders the scene's depth where the camera is; a camera that stands costs one picture.

    Args:
        bundle: The scene, registered.
        lens: Of the camera; its distortion is undone before.
    """

    def __init__(self, bundle: SceneBundle, lens: Lens) -> None:
        self._renderer, self._scale = SplatRenderer(bundle.splats), bundle.scale
        camera = Camera(
            "camera", lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy, np.eye(4)[0], np.zeros(3)
        )
        height = max(1, round(WIDTH * lens.height / lens.width))
        self._camera = camera.resized(WIDTH, height)
        self._pose: Sim3 | None = None
        self._depth_m: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def at(self, scene_from_camera: Sim3, rays: Array) -> Array:
        """Depth of the scene along (M, 2) rays, m; infinite where there is none."""
        self._look_from(scene_from_camera)
        camera, (height, width) = self._camera, self._depth_m.shape
        column, row = np.floor(rays * [camera.fx, camera.fy] + [camera.cx, camera.cy]).astype(int).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        depth = np.full(len(rays), np.inf)
        depth[inside] = self._depth_m[row[inside], column[inside]]
        return depth

    def _look_from(self, pose: Sim3) -> None:
        if self._pose is not None and np.allclose(pose.matrix, self._pose.matrix, atol=1e-3):
            return
        splat_from_camera = Sim3(1.0, pose.rotation_wxyz, pose.translation / self._scale)
        seen = self._renderer.render([self._camera.moved(splat_from_camera)])
        self._depth_m = np.where(seen.alpha[0] > SOLID, seen.depth[0] * np.float32(self._scale), np.float32(np.inf))
        self._pose = pose
