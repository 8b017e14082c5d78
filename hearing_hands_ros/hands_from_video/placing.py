"""Where a hand is in metres: its shape fitted to its pixels, to depth, and to the front of the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hearing_hands_ros.hands_from_video.body import surface_depth
from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.scene.hand_shape import radii_m

Array = NDArray[np.float64]

PIXELS_OFF = 2.0  # standard deviations of what is believed
TURN_OFF = 0.2
DEPTH_OFF_M = 0.005
BEHIND_OFF_M = 0.01
OTHER_M = 0.03  # depth farther off than this after a first fit is of something else
NEAR_M = 0.015  # depth farther than this from the fitted hand moves no keypoint
WORST_PIXELS = 0.2  # root mean square error over the hand's size in the image; worse is no hand
NEAREST_M = 0.05


@dataclass(frozen=True, eq=False)
class Seen:
    """What the images say about one hand.

    Attributes:
        rays: (21, 2) x and y over z of each keypoint.
        shape_m: (21, 3) as in `Detection`.
        focal: Pixels in one unit of the rays.
        surface_m: (21, P) depths of the pixels about each keypoint, NaN where there is none; P may be 0.
        scene_m: (21,) depth at which the scene begins behind each keypoint, infinite where nobody knows.
        size_off: By how much, as a share, the shape's size may be off.
    """

    rays: Array
    shape_m: Array
    focal: float
    surface_m: Array
    scene_m: Array
    size_off: float


def place_hand(seen: Seen) -> Array | None:
    """Keypoints in the camera's frame.

    Seven numbers are fitted: rotation, translation and size. Every keypoint should fall on its pixel and in front of
    the scene, and the skin of the hand before it should be as deep as was measured; rotation and size should be about
    what they are said to be. Without depth, size alone tells how far the hand is. In the end every keypoint lies on its
    own ray, as deep as its own depth says, if it can be seen, else as the fitted hand.

    Returns:
        (21, 3) metres, or None where the pixels are not those of such a hand.
    """
    fit = _Fit(seen)
    parameters = fit.solved(fit.guess())
    if fit.leaves_depth_out(parameters):  # what is not the hand's is only known for that once there is a hand
        parameters = fit.solved(parameters)
    points = fit.points(parameters)
    if not np.isfinite(points).all() or points[:, 2].min() < NEAREST_M:
        return None
    off = np.linalg.norm(points[:, :2] / points[:, 2:] - seen.rays, axis=1)
    if np.sqrt(np.mean(off**2)) > WORST_PIXELS * np.linalg.norm(np.ptp(seen.rays, axis=0)):
        return None
    z = _own_depth(points, seen)
    return np.column_stack([seen.rays * z[:, None], z])


class _Fit:
    """Seven numbers: rotation vector and size (a logarithm) beside what is expected, and translation."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._shape = facing(seen.rays.mean(axis=0)).apply(seen.shape_m - seen.shape_m.mean(axis=0))
        self._measured = np.full(KEYPOINTS, np.nan)
        has_depth = np.isfinite(seen.surface_m).any(axis=1)
        self._measured[has_depth] = np.nanmedian(seen.surface_m[has_depth], axis=1)
        self._bounded = np.isfinite(seen.scene_m)
        self._used = has_depth

    def guess(self) -> Array:
        """As if the hand were flat."""
        middle = self._seen.rays.mean(axis=0)
        z = np.linalg.norm(self._shape[:, :2]) / max(float(np.linalg.norm(self._seen.rays - middle)), 1e-9)
        return np.concatenate([np.zeros(3), np.append(middle, 1.0) * z, [0.0]])

    def solved(self, parameters: Array) -> Array:
        """The best parameters near some."""
        return np.asarray(least_squares(self._errors, parameters, method="lm", ftol=1e-3, xtol=1e-3).x)

    def leaves_depth_out(self, parameters: Array) -> bool:
        """Leave out depth that is not of a hand there; whether there was any."""
        far = np.zeros(KEYPOINTS, np.bool_)
        far[self._used] = np.abs(self._skin(self.points(parameters)) - self._measured[self._used]) > OTHER_M
        self._used &= ~far
        return bool(far.any())

    def points(self, parameters: Array) -> Array:
        """(21, 3) keypoints."""
        turned = Rotation.from_rotvec(parameters[:3]).apply(self._shape)
        return np.asarray(turned * np.exp(parameters[6]) + parameters[3:6])

    def _errors(self, parameters: Array) -> Array:
        """In standard deviations."""
        seen, points = self._seen, self.points(parameters)
        off = (points[:, :2] / np.maximum(points[:, 2:], 1e-3) - seen.rays) * (seen.focal / PIXELS_OFF)
        deep = (self._skin(points) - self._measured[self._used]) / DEPTH_OFF_M
        behind = np.maximum(points[self._bounded, 2] - seen.scene_m[self._bounded], 0.0) / BEHIND_OFF_M
        turn, size = parameters[:3] / TURN_OFF, parameters[6] / seen.size_off
        return np.concatenate([off.ravel(), _softened(deep), behind, turn, [size]])

    def _skin(self, points: Array) -> Array:
        return surface_depth(points, self._seen.rays[self._used], points[self._used, 2])


def facing(ray: Array) -> Rotation:
    """The least turn that takes the camera's axis to (2,) x and y over z of a ray."""
    direction = np.append(ray, 1.0)
    turn = np.cross([0.0, 0.0, 1.0], direction)
    sine = float(np.linalg.norm(turn))
    return Rotation.from_rotvec(turn * (np.arctan2(sine, 1.0) / max(sine, 1e-12)))


def _own_depth(points: Array, seen: Seen) -> Array:
    """(21,) depth of the keypoints: measured where they can be seen, else that of the fitted hand."""
    z, radii = points[:, 2].copy(), radii_m()
    skin = surface_depth(points, seen.rays, z)
    below = z - skin
    for keypoint in np.flatnonzero(below < 1.5 * radii):
        own = seen.surface_m[keypoint] + below[keypoint]
        own = own[np.abs(own - z[keypoint]) < NEAR_M]
        if len(own):
            z[keypoint] = np.median(own)
    return z


def _softened(errors: Array) -> Array:
    """Errors whose square grows only linearly far out: depth of what hides the finger must not pull it along."""
    return np.sign(errors) * np.sqrt(2.0 * (np.sqrt(1.0 + errors**2) - 1.0))
