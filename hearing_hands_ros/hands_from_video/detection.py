"""What a finder of hands says about one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.hands_from_video.frames import CameraFrame

Array = NDArray[np.float64]

KNUCKLES = (5, 9, 13, 17)


@dataclass(frozen=True, eq=False)
class Detection:
    """One hand in one image.

    Attributes:
        right: How sure it is a right hand, 0 (a left one) to 1.
        pixels: (21, 2) column and row of the keypoints; the middle of the first pixel is at 0.5.
        shape_m: (21, 3) the hand about its size and about any origin, m, as a camera sees it that looks straight at it:
            x right, y down, z away. What looks at a piece of the image only knows no other camera.
    """

    right: float
    pixels: Array
    shape_m: Array


class HandSource(Protocol):
    """Anything that finds hands."""

    def detect(self, frame: CameraFrame) -> list[Detection]:
        """Hands in a frame."""


def palm_m(keypoints_m: Array) -> float:
    """Mean distance from the wrist to the four knuckles of (21, 3) keypoints: a length that bending does not change."""
    return float(np.linalg.norm(keypoints_m[list(KNUCKLES)] - keypoints_m[0], axis=1).mean())
