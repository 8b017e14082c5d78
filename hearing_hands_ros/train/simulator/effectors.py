"""What touches: a hand with its fingertip, flat fingers or knuckles, or a gripper, as 21 keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hearing_hands_ros.demo import hand
from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.train.simulator.gestures import Gesture
from hearing_hands_ros.train.simulator.patterns import Array

KINDS: Final = ("finger", "flat", "knuckles", "gripper")
FLEXION: Final = {  # of index, middle, ring and little finger at three joints, rad
    "finger": hand.POINTING,
    "flat": np.deg2rad([[24.0, 20.0, 12.0], [26.0, 20.0, 12.0], [26.0, 20.0, 12.0], [22.0, 20.0, 12.0]]),
    "knuckles": np.deg2rad([[62.0, 100.0, 55.0], [60.0, 100.0, 55.0], [64.0, 100.0, 55.0], [70.0, 100.0, 55.0]]),
}
PITCH_DEG: Final = {"finger": 45.0, "flat": 24.0, "knuckles": 8.0, "gripper": 78.0}


@dataclass(frozen=True)
class Effector:
    """One hand or gripper.

    Attributes:
        kind: One of `KINDS`.
        left: Mirrored.
        flexion: (4, 3) of its fingers, of a hand; rad.
        gripper: (21, 3) of a gripper, tool along x.
        pitch_deg: Between the surface and where it points.
        roll_deg: About where it points.
        softness_db: Loss of its touches an octave over 500 Hz, at least 0: skin, bone, rubber or steel.
    """

    kind: str
    left: bool
    flexion: Array
    gripper: Array
    pitch_deg: float
    roll_deg: float
    softness_db: float

    @classmethod
    def draw(cls, kind: str, left: bool, rng: np.random.Generator) -> Effector:
        """One of a kind, of a size and posture of its own."""
        tool = end_effector_keypoints(rng.uniform(0.09, 0.16), rng.choice([0.0, rng.uniform(0.01, 0.07)]))
        soft = {"finger": (1.0, 3.5), "flat": (2.5, 4.5), "knuckles": (0.5, 2.0), "gripper": (0.0, 1.5)}[kind]
        return cls(
            kind=kind,
            left=left,
            flexion=FLEXION.get(kind, hand.POINTING) * rng.uniform(0.9, 1.1, (4, 1)),
            gripper=tool @ Rotation.from_euler("y", 90.0, degrees=True).as_matrix().T,
            pitch_deg=PITCH_DEG[kind] + rng.uniform(-9, 9),
            roll_deg=rng.uniform(-14, 14),
            softness_db=float(rng.uniform(*soft)),
        )

    def keypoints(self, time_s: Array, rng: np.random.Generator) -> Array:
        """(T, 21, 3) in its own frame, x to where it points, z out of its back, with small movements."""
        if self.kind == "gripper":
            return np.broadcast_to(self.gripper, (len(time_s), *self.gripper.shape)).copy()
        flexion = np.broadcast_to(self.flexion, (len(time_s), 4, 3)).copy()
        for finger in range(4):
            flexion[:, finger] += np.deg2rad(2.5) * sway(time_s, 4.0 + finger, rng)[:, None]
        local = hand.keypoints(flexion)
        return local * [1.0, -1.0, 1.0] if self.left else local

    def facing(self, normal: Array, heading: Array) -> Rotation:
        """How it is turned to touch a surface.

        Args:
            normal: (3,) of the surface, outward.
            heading: (3,) where the arm points; only its part along the surface counts.
        """
        along = np.zeros(3)
        # An arm that points at a wall holds the hand from below.
        for towards in (heading, np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])):
            along = towards - normal * (towards @ normal)
            if np.linalg.norm(along) >= 0.2:
                break
        along = along / np.linalg.norm(along)
        frame = Rotation.from_matrix(np.stack([along, np.cross(normal, along), normal], axis=1))
        return frame * Rotation.from_euler("yx", [self.pitch_deg, self.roll_deg], degrees=True)


def follow(
    effector: Effector,
    gestures: list[Gesture],
    tip: Array,
    time_s: Array,
    heading: Array,
    rng: np.random.Generator,
) -> Array:
    """Keypoints of an effector whose lowest point takes a way.

    Args:
        effector: Which.
        gestures: What it does; it is turned to the surface of each.
        tip: (T, 3) the way, cell frame.
        time_s: (T,) s.
        heading: (3,) where its arm points.
        rng: Of its small movements.

    Returns:
        (T, 21, 3) cell frame.
    """
    times, turns = [time_s[0] - 1.0], [effector.facing(np.array([0.0, 0.0, 1.0]), heading)]
    normals = [np.array([0.0, 0.0, 1.0])]
    for gesture in gestures:
        turned = heading + rng.normal(0.0, 0.25, 3)
        turn = effector.facing(gesture.spot.normal, turned)
        for when in (gesture.start_s - gesture.strike_s, gesture.end_s + 0.15):
            times.append(max(when, times[-1] + 1e-3))
            turns.append(turn)
            normals.append(gesture.spot.normal)
    times.append(max(time_s[-1], times[-1]) + 1.0)
    turns.append(turns[-1])
    normals.append(normals[-1])
    wobble = np.deg2rad(2.0) * np.stack([sway(time_s, period, rng) for period in (5.0, 6.0, 7.0)], axis=1)
    turn = Slerp(times, Rotation.concatenate(turns))(time_s) * Rotation.from_rotvec(wobble)
    placed = np.einsum("tij,tkj->tki", turn.as_matrix(), effector.keypoints(time_s, rng))
    normal = np.stack([np.interp(time_s, times, column) for column in np.array(normals).T], axis=1)
    heights = np.einsum("tki,ti->tk", placed, normal)
    # One keypoint follows the way; should another one hang lower for a moment, the hand rises by so much.
    point = int(np.argmin(heights.mean(axis=0)))
    rise = heights[:, point] - heights.min(axis=1)
    placed = placed - placed[:, point : point + 1] + (tip + rise[:, None] * normal)[:, None]
    return np.asarray(placed, np.float64)


def sway(time_s: Array, slowest_s: float, rng: np.random.Generator) -> Array:
    """(T,) slow movement of about 1: three sines."""
    rank = np.arange(1, 4)
    phases = rng.uniform(0, 2 * np.pi, 3)
    return np.asarray(np.sin(2 * np.pi * time_s[:, None] * rank**0.8 / slowest_s + phases) @ (1.0 / rank))
