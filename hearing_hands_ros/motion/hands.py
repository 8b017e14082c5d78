"""The 21-keypoint hand, and how a robot's end-effector becomes one."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

HANDS: Final = ("left", "right")
KEYPOINTS: Final = 21
FINGERS: Final = ("thumb", "index", "middle", "ring", "little")
FINGERTIPS: Final = (4, 8, 12, 16, 20)


def end_effector_keypoints(length_m: float, opening_m: float) -> NDArray[np.float64]:
    """Keypoints of a two-finger gripper or a probe, in the end-effector's frame.

    The wrist lies in the frame's origin and the tool points along +z (REP-103 says nothing of tools; this is what the
    tool0 frames of ROS-Industrial do). The thumb is the finger at -x, the other four fingers share the one at +x. An
    opening of zero is a probe: all fingertips in one point.

    Args:
        length_m: From the frame's origin to the fingertips.
        opening_m: Between the two fingertips.

    Returns:
        (21, 3) metres: wrist, then thumb, index, middle, ring, little, each from base to tip.

    Raises:
        ValueError: `length_m` is not positive or `opening_m` is negative.
    """
    if not (length_m > 0.0 and math.isfinite(length_m)):
        raise ValueError(f"end_effector_keypoints: length_m wants a positive number of metres, got {length_m}")
    if not (opening_m >= 0.0 and math.isfinite(opening_m)):
        raise ValueError(f"end_effector_keypoints: opening_m wants metres, zero or more, got {opening_m}")
    keypoints = np.zeros((KEYPOINTS, 3))
    along = np.linspace(0.4, 1.0, 4) * length_m  # the palm takes the first two fifths
    for finger in range(len(FINGERS)):
        side = -0.5 if finger == 0 else 0.5
        keypoints[1 + 4 * finger : 5 + 4 * finger, 0] = side * opening_m
        keypoints[1 + 4 * finger : 5 + 4 * finger, 2] = along
    return keypoints
