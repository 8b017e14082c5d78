"""What every renderer here agrees on: constants, cameras, what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.camera import Camera, stack
from hearing_hands_ros.scene.splats import FAINTEST, SplatScene

__all__ = ["BLUR", "FAINTEST", "MARGIN", "OPAQUE", "SPENT", "Backend", "CameraBatch", "Rendering"]

BLUR = 0.3  # pixels^2 added to the projected covariance: no Gaussian is thinner than a pixel
MARGIN = 0.3  # of half the field of view; farther out the projection is linearised at this edge
OPAQUE = 0.999  # most that one Gaussian hides
SPENT = 1e-4  # a pixel ends before the Gaussian that would leave no more than this to be seen behind it
NEAR, FAR = 0.01, 1e10

Array = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Rendering:
    """C images of H x W pixels.

    Attributes:
        rgb: (C, H, W, 3) float32, zero or more; colours trained as such go up to 1 or a little above.
        depth: (C, H, W) float32, mean depth of what is seen, along the camera's axis, in the unit of the splats; 0
            where nothing is.
        alpha: (C, H, W) float32 in 0..1, how much of the background is hidden.
    """

    rgb: Image
    depth: Image
    alpha: Image

    @classmethod
    def empty(cls, count: int, height: int, width: int) -> Rendering:
        """Images to be filled."""
        return cls(
            np.empty((count, height, width, 3), np.float32),
            np.empty((count, height, width), np.float32),
            np.empty((count, height, width), np.float32),
        )


@dataclass(frozen=True)
class CameraBatch:
    """C cameras of one size.

    Attributes:
        viewmats: (C, 4, 4) T_camera_from_world.
        intrinsics: (C, 3, 3) K, without skew.
        width: Pixels.
        height: Pixels.
        near: What is nearer along the camera's axis is left out.
        far: What is farther is left out.

    Raises:
        ValueError: Shapes, sizes or numbers are not those of cameras.
    """

    viewmats: Array
    intrinsics: Array
    width: int
    height: int
    near: float = NEAR
    far: float = FAR

    def __post_init__(self) -> None:
        count = len(self.viewmats)
        if self.viewmats.shape != (count, 4, 4) or self.intrinsics.shape != (count, 3, 3) or count == 0:
            got = f"{self.viewmats.shape} and {self.intrinsics.shape}"
            raise ValueError(f"rasterization: wanted viewmats (C, 4, 4) and Ks (C, 3, 3), C at least 1, got {got}")
        if self.width < 1 or self.height < 1 or self.width != int(self.width) or self.height != int(self.height):
            got = f"{self.width} x {self.height}"
            raise ValueError(f"rasterization: wanted width and height in whole pixels, at least 1, got {got}")
        if not 0.0 < self.near < self.far:
            raise ValueError(f"rasterization: wanted 0 < near_plane < far_plane, got {self.near} and {self.far}")
        for index, (viewmat, k) in enumerate(zip(self.viewmats, self.intrinsics, strict=True)):
            if not (np.isfinite(viewmat).all() and np.isfinite(k).all()):
                raise ValueError(f"rasterization: camera {index}: wanted finite numbers, got {viewmat} and {k}")
            turn = viewmat[:3, :3]
            if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0.0:
                raise ValueError(f"rasterization: camera {index}: wanted viewmats to begin with a rotation, got {turn}")
            if not (k[0, 0] > 0.0 and k[1, 1] > 0.0):
                got = f"{k[0, 0]} and {k[1, 1]}"
                raise ValueError(f"rasterization: camera {index}: wanted positive focal lengths, got {got}")
            if k[0, 1] != 0.0:
                raise ValueError(f"rasterization: camera {index}: wanted intrinsics without skew, got {k[0, 1]}")

    def __len__(self) -> int:
        return len(self.viewmats)

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> CameraBatch:
        """Cameras that all have one size.

        Raises:
            ValueError: There are none, or their sizes differ.
        """
        return cls(*stack(cameras), cameras[0].width, cameras[0].height)

    def __getitem__(self, which: slice) -> CameraBatch:
        return CameraBatch(self.viewmats[which], self.intrinsics[which], self.width, self.height, self.near, self.far)


class Backend(Protocol):
    """A way to render one scene, prepared for it."""

    def render(
        self, cameras: CameraBatch, extras: Sequence[SplatScene | None], background: tuple[float, float, float]
    ) -> Rendering:
        """Render the scene, with `extras[c]` added before camera c; there is one entry per camera."""
        ...
