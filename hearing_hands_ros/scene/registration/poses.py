"""Similarity between two sets of camera poses, some of them wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hearing_hands_ros.scene.registration.report import Limits, RegistrationRefusedError
from hearing_hands_ros.scene.rotations import from_wxyz, to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]
LEAST_BASELINE_M = 0.02  # two cameras nearer than this say nothing about the scale
MOST_SAMPLES = 3000
ROUNDS = 10


@dataclass(frozen=True)
class Poses:
    """N rigid poses.

    Attributes:
        rotations: N rotations, camera axes to world axes.
        positions: (N, 3).
    """

    rotations: Rotation
    positions: Array

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Poses:
        return Poses(self.rotations[index], self.positions[index])

    @classmethod
    def of(cls, poses: list[Sim3]) -> Poses:
        """From rigid transforms `world_from_camera`."""
        quaternions = np.stack([pose.rotation_wxyz for pose in poses])
        return cls(from_wxyz(quaternions), np.stack([p.translation for p in poses]))


def pose_residuals(parent_from_splat: Sim3, splat: Poses, parent: Poses) -> tuple[Array, Array]:
    """(N,) distances in mm and (N,) angles in degrees between poses and where the similarity puts them."""
    mm = 1e3 * np.linalg.norm(parent_from_splat.apply(splat.positions) - parent.positions, axis=1)
    turned = parent_from_splat.rotation * splat.rotations
    return mm, np.rad2deg((parent.rotations * turned.inv()).magnitude())


def fit_poses(splat: Poses, parent: Poses, limits: Limits, seed: int = 0) -> tuple[Sim3, NDArray[np.bool_]]:
    """Similarity that most poses agree with.

    Two poses make a guess: rotation from their orientations, scale from their distance. The guess that most others
    agree with is refined on all that agree, by distances and angles with a robust loss.

    Args:
        splat: N camera poses in splat units.
        parent: The same cameras' poses in metres.
        limits: What counts as agreement.
        seed: Of the choice of pairs where there are too many to try all.

    Returns:
        The similarity, and (N,) which poses agree.

    Raises:
        RegistrationRefusedError: Fewer than three poses, all cameras in one place, or no two poses that fit together.
    """
    if len(splat) < 3:
        raise RegistrationRefusedError(f"registration from images: wanted 3 or more camera poses, got {len(splat)}")
    best: Sim3 | None = None
    least = np.inf
    for first, second in _samples(len(splat), np.random.default_rng(seed)):
        guess = _from_two(splat, parent, first, second, limits)
        if guess is None:
            continue
        cost = _cost(guess, splat, parent, limits)
        if cost < least:
            best, least = guess, cost
    if best is None:
        spread = float(np.linalg.norm(np.ptp(parent.positions, axis=0)))
        raise RegistrationRefusedError(
            f"registration from images: wanted two or more cameras at least {LEAST_BASELINE_M} m apart whose poses fit "
            f"together, got none among {len(splat)} within {spread:.3f} m{_hint(splat, parent, limits)}"
        )
    inliers: NDArray[np.bool_] = np.zeros(len(splat), np.bool_)
    for _ in range(ROUNDS):
        now = limits.inliers(*pose_residuals(best, splat, parent))
        if np.count_nonzero(now) < 2 or (now == inliers).all():
            break
        inliers = now
        best = _refined(best, splat[inliers], parent[inliers], limits)
    return best, limits.inliers(*pose_residuals(best, splat, parent))


def _samples(count: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    if count * (count - 1) // 2 <= MOST_SAMPLES:
        yield from combinations(range(count), 2)
        return
    for _ in range(MOST_SAMPLES):
        first, second = rng.choice(count, 2, replace=False)
        yield int(first), int(second)


def _from_two(splat: Poses, parent: Poses, first: int, second: int, limits: Limits) -> Sim3 | None:
    """Guess from two poses, None if they contradict each other."""
    pair = np.array([first, second])
    turns = parent.rotations[pair] * splat.rotations[pair].inv()
    if np.rad2deg((turns[0] * turns[1].inv()).magnitude()) > 6.0 * limits.residual_deg:
        return None
    rotation = turns.mean()
    here, there = splat.positions[pair], parent.positions[pair]
    baseline, baseline_m = (float(np.linalg.norm(x[1] - x[0])) for x in (here, there))
    if baseline_m < LEAST_BASELINE_M or baseline <= 0.0:
        return None
    scale = baseline_m / baseline
    translation = np.mean(there - scale * rotation.apply(here), axis=0)
    return Sim3(scale, to_wxyz(rotation), translation)


def _cost(guess: Sim3, splat: Poses, parent: Poses, limits: Limits) -> float:
    mm, deg = pose_residuals(guess, splat, parent)
    errors = (mm / (3.0 * limits.residual_mm)) ** 2 + (deg / (3.0 * limits.residual_deg)) ** 2
    return float(np.minimum(errors, 1.0).sum())


def _refined(guess: Sim3, splat: Poses, parent: Poses, limits: Limits) -> Sim3:
    def errors(parameters: Array) -> Array:
        moved = updated(guess, parameters)
        positions = (moved.apply(splat.positions) - parent.positions) * (1e3 / limits.residual_mm)
        turns = (parent.rotations.inv() * moved.rotation * splat.rotations).as_rotvec(degrees=True)
        return np.concatenate([positions.ravel(), (turns / limits.residual_deg).ravel()])

    found = least_squares(errors, np.zeros(7), loss="soft_l1", f_scale=0.3)
    return updated(guess, found.x)


def updated(guess: Sim3, parameters: Array) -> Sim3:
    """Step of a fit: (7,) logarithm of the scale, rotation vector and translation, laid over a guess."""
    rotation = Rotation.from_rotvec(parameters[1:4]) * guess.rotation
    return Sim3(
        guess.scale * float(np.exp(parameters[0])),
        to_wxyz(rotation),
        guess.translation + parameters[4:7],
    )


def _hint(splat: Poses, parent: Poses, limits: Limits) -> str:
    """Say so where the orientations fit after all if the camera frame is of the other convention."""
    flipped = Poses(parent.rotations * Rotation.from_euler("x", 180, degrees=True), parent.positions)
    body = Poses(parent.rotations * Rotation.from_quat([-0.5, 0.5, -0.5, 0.5]), parent.positions)
    for name, other in (("an OpenGL camera (y up, z back)", flipped), ("a body frame (x forward, z up)", body)):
        guesses = (
            _from_two(splat, other, first, second, limits)
            for first, second in combinations(range(min(len(splat), 30)), 2)
        )
        for guess in guesses:
            if guess is not None and limits.inliers(*pose_residuals(guess, splat, other)).mean() > 0.5:
                return f"; they do fit as poses of {name}: give those of the optical frame (x right, y down, z forward)"
    return ""
