"""Pinhole cameras, as COLMAP, OpenCV and gsplat have them: x right, y down, z forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A camera in a world of any unit; the owner says which (splat units in a scene bundle, metres in views).

    Attributes:
        name: Of the image or the view.
        width: Pixels.
        height: Pixels.
        fx: Focal length, pixels.
        fy: Focal length, pixels.
        cx: Principal point, pixels; the middle of the first pixel is at 0.5.
        cy: Likewise.
        rotation_wxyz: (4,) T_world_from_camera.
        position: (3,) T_world_from_camera: where it stands.

    Raises:
        ValueError: A size or focal length is not positive, or something is not finite.
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    rotation_wxyz: Array
    position: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation_wxyz", np.asarray(self.rotation_wxyz, np.float64))
        object.__setattr__(self, "position", np.asarray(self.position, np.float64))
        if self.rotation_wxyz.shape != (4,) or self.position.shape != (3,):
            got = f"{self.rotation_wxyz.shape} and {self.position.shape}"
            raise ValueError(f"Camera({self.name!r}): wanted rotation_wxyz (4,) and position (3,), got {got}")
        sizes = (self.width, self.height, self.fx, self.fy)
        numbers = np.array([*sizes, self.cx, self.cy, *self.rotation_wxyz, *self.position], np.float64)
        if not np.isfinite(numbers).all() or min(sizes) <= 0:
            raise ValueError(f"Camera({self.name!r}): wanted finite numbers and positive sizes, got {self}")
        norm = float(np.linalg.norm(self.rotation_wxyz))
        if abs(norm - 1.0) > 1e-3:
            raise ValueError(f"Camera({self.name!r}): wanted a quaternion of length 1, got length {norm:.6g}")

    @classmethod
    def look_at(
        cls, name: str, position: ArrayLike, target: ArrayLike, up: ArrayLike, size: int, field_of_view_deg: float
    ) -> Camera:
        """A square camera at `position` that looks at `target`.

        Args:
            name: Of the view.
            position: (3,).
            target: (3,), elsewhere than position.
            up: (3,) appears upwards; where it lies along the view, any direction does.
            size: Width and height, pixels.
            field_of_view_deg: Between opposite edges, 0 to 180 exclusive.
        """
        eye = np.asarray(position, np.float64)
        forward = np.asarray(target, np.float64) - eye
        length = float(np.linalg.norm(forward))
        if not length > 0.0 or not 0.0 < field_of_view_deg < 180.0:
            got = f"distance {length}, field of view {field_of_view_deg} deg"
            raise ValueError(f"Camera({name!r}): wanted a target away from the camera and a view of 0..180, got {got}")
        forward /= length
        right = np.cross(forward, np.asarray(up, np.float64))
        if np.linalg.norm(right) < 1e-6:
            right = np.cross(forward, np.eye(3)[int(np.argmin(np.abs(forward)))])
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(forward, right), forward], axis=1)
        focal = 0.5 * size / float(np.tan(np.deg2rad(field_of_view_deg) / 2))
        quaternion = to_wxyz(Rotation.from_matrix(axes))
        return cls(name, size, size, focal, focal, size / 2, size / 2, quaternion, eye)

    @property
    def rotation(self) -> Rotation:
        """Camera axes to world axes."""
        return from_wxyz(self.rotation_wxyz)

    @property
    def forward(self) -> Array:
        """(3,) unit vector along which it looks."""
        return np.asarray(self.rotation.apply([0.0, 0.0, 1.0]))

    @property
    def viewmat(self) -> Array:
        """(4, 4) T_camera_from_world, as gsplat wants it."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation.as_matrix().T
        matrix[:3, 3] = -matrix[:3, :3] @ self.position
        return matrix

    @property
    def intrinsics(self) -> Array:
        """(3, 3) K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def moved(self, target_from_world: Sim3) -> Camera:
        """The same camera in another world: moved, turned, and its distances scaled."""
        rotation = to_wxyz(target_from_world.rotation * self.rotation)
        return replace(self, rotation_wxyz=rotation, position=target_from_world.apply(self.position))

    def resized(self, width: int, height: int) -> Camera:
        """The same view in other pixels; the field of view is kept along the side that fits worst, nothing is cut."""
        factor = min(width / self.width, height / self.height)
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * factor,
            fy=self.fy * factor,
            cx=(self.cx - self.width / 2) * factor + width / 2,
            cy=(self.cy - self.height / 2) * factor + height / 2,
        )


def stack(cameras: Sequence[Camera]) -> tuple[Array, Array]:
    """(C, 4, 4) viewmats and (C, 3, 3) intrinsics of cameras of one size.

    Raises:
        ValueError: There are none, or their sizes differ.
    """
    sizes = {(camera.width, camera.height) for camera in cameras}
    if len(sizes) != 1:
        raise ValueError(f"stack: wanted cameras of one size, got {len(cameras)} of sizes {sorted(sizes)}")
    return np.stack([c.viewmat for c in cameras]), np.stack([c.intrinsics for c in cameras])
