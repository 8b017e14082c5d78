"""A simulated right hand: 21 keypoints from finger angles, placed so that the index fingertip is where it should be."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hearing_hands_ros.motion.hands import KEYPOINTS

Array = NDArray[np.float64]

INDEX_TIP = 8
# Hand frame: x to the fingers, y to the thumb (a right hand, palm down), z out of the back of the hand.
KNUCKLES: Final = np.array([[0.092, 0.026, 0.0], [0.096, 0.004, 0.002], [0.089, -0.017, 0.0], [0.079, -0.035, -0.004]])
BONES: Final = np.array([[0.045, 0.026, 0.021], [0.049, 0.030, 0.022], [0.045, 0.028, 0.022], [0.036, 0.021, 0.020]])
THUMB: Final = np.array(
    [[0.024, 0.026, -0.008], [0.052, 0.050, -0.012], [0.078, 0.061, -0.014], [0.101, 0.062, -0.016]]
)
POINTING: Final = np.deg2rad([[14.0, 16.0, 10.0], [15.0, 105.0, 50.0], [18.0, 104.0, 50.0], [20.0, 100.0, 48.0]])


def keypoints(flexion_rad: Array) -> Array:
    """Keypoints in the hand frame.

    Args:
        flexion_rad: (T, 4, 3) bend of index, middle, ring and little finger at their three joints.

    Returns:
        (T, 21, 3): wrist, thumb, index, middle, ring, little, each from base to tip.
    """
    count = len(flexion_rad)
    points = np.zeros((count, KEYPOINTS, 3))
    points[:, 1:5] = THUMB
    bend = np.cumsum(flexion_rad, axis=2)
    for finger in range(4):
        at = np.broadcast_to(KNUCKLES[finger], (count, 3)).copy()
        points[:, 5 + 4 * finger] = at
        for joint in range(3):
            angle = bend[:, finger, joint]
            step = np.stack([np.cos(angle), np.zeros(count), -np.sin(angle)], axis=1)
            at = at + BONES[finger, joint] * step
            points[:, 6 + 4 * finger + joint] = at
    return points


def pose(tip: Array, time_s: Array, seed: int) -> tuple[Array, Rotation]:
    """A hand that points at the table and moves a little by itself.

    Args:
        tip: (T, 3) where the index fingertip is, bench frame.
        time_s: (T,) times.
        seed: Of its small movements.

    Returns:
        (T, 21, 3) keypoints in the bench frame and the T rotations of the hand.
    """
    rng = np.random.default_rng(seed)

    def sway(amplitude: float, slowest_s: float, count: int = 3) -> Array:
        periods = slowest_s / np.arange(1, count + 1) ** 0.8
        phases = rng.uniform(0, 2 * np.pi, count)
        weights = amplitude / np.arange(1, count + 1)
        return np.asarray(np.sin(2 * np.pi * time_s[:, None] / periods + phases) @ weights)

    flexion = np.broadcast_to(POINTING, (len(time_s), 4, 3)).copy()
    for finger in range(4):
        flexion[:, finger] += sway(np.deg2rad(3.0 if finger == 0 else 5.0), 4.0 + finger)[:, None]
    # The arm comes from the front of the bench and turns with where it reaches.
    yaw = np.pi / 2 - 0.45 * tip[:, 0] + sway(np.deg2rad(4.0), 7.0)
    pitch = np.deg2rad(45.0) + sway(np.deg2rad(2.5), 5.0)
    roll = np.deg2rad(-7.0) + sway(np.deg2rad(3.0), 6.0)
    turn = Rotation.from_euler("ZYX", np.stack([yaw, pitch, roll], axis=1))
    local = keypoints(flexion)
    local -= local[:, INDEX_TIP : INDEX_TIP + 1]
    placed = np.einsum("tij,tkj->tki", turn.as_matrix(), local) + tip[:, None]
    return placed, turn


def touching(point: Array, normal: Array, heading: Array) -> Array:
    """(21, 3) keypoints of a still hand whose index fingertip rests on a surface, from 45 degrees above it.

    Args:
        point: (3,) of the surface, m.
        normal: (3,) outward unit normal there.
        heading: (3,) where the hand points; only its part along the surface counts, and it must have one.
    """
    along = heading - normal * (heading @ normal)
    along = along / np.linalg.norm(along)
    forward, back = (along - normal) / np.sqrt(2.0), (along + normal) / np.sqrt(2.0)
    local = keypoints(POINTING[None])[0]
    return np.asarray(
        (local - local[INDEX_TIP]) @ np.stack([forward, np.cross(back, forward), back]) + point, np.float64
    )
