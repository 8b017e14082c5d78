"""A hand of 21 keypoints as Gaussians: capsules for the fingers, a slab for the palm.

Gaussians, not a mesh, because then every renderer draws hand and scene in one pass and the depth order comes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.motion.hands import FINGERS, KEYPOINTS
from hearing_hands_ros.scene.splats import SplatScene

Array = NDArray[np.float64]

SKIN_RGB: Final = (0.80, 0.60, 0.48)
FINGER_RADII_M: Final = {  # at base, two joints and tip, of an adult's hand
    "thumb": (0.0125, 0.0110, 0.0100, 0.0080),
    "index": (0.0105, 0.0090, 0.0080, 0.0065),
    "middle": (0.0105, 0.0092, 0.0080, 0.0065),
    "ring": (0.0100, 0.0086, 0.0075, 0.0062),
    "little": (0.0090, 0.0076, 0.0066, 0.0055),
}
WRIST_RADIUS_M: Final = 0.022
PALM_HALF_THICKNESS_M: Final = 0.011
PALM: Final = ((0, 1, 5), (0, 5, 9), (0, 9, 13), (0, 13, 17), (1, 2, 5))  # triangles between wrist and knuckles
ALONG, AROUND, CAP_RINGS, PALM_STEPS = 7, 12, 3, 8
OPACITY: Final = 0.97


def bones() -> NDArray[np.int64]:
    """(20, 2) keypoints at both ends of every bone: the wrist to each finger's base, then the finger."""
    pairs = []
    for finger in range(len(FINGERS)):
        base = 1 + 4 * finger
        pairs += [(0, base), (base, base + 1), (base + 1, base + 2), (base + 2, base + 3)]
    return np.array(pairs)


def radii_m() -> Array:
    """(21,) radius of the hand at each keypoint."""
    radii = np.full(KEYPOINTS, WRIST_RADIUS_M)
    for finger, name in enumerate(FINGERS):
        radii[1 + 4 * finger : 5 + 4 * finger] = FINGER_RADII_M[name]
    return radii


@dataclass(frozen=True)
class HandShape:
    """What the hand looks like.

    Attributes:
        rgb: Its colour in full light, 0..1.
        thickness: Radii are multiplied by this; under 1 for a thin probe.
        light: (3,) unit vector towards the light, in the scene frame.
    """

    rgb: tuple[float, float, float] = SKIN_RGB
    thickness: float = 1.0
    light: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if not (0.0 < self.thickness < 10.0 and all(0.0 <= v <= 1.0 for v in self.rgb)):
            raise ValueError(f"HandShape: wanted a thickness of 0..10 and colours of 0..1, got {self}")

    def gaussians(self, keypoints_m: ArrayLike) -> SplatScene:
        """The hand as small opaque Gaussians, always the same number in the same order.

        Args:
            keypoints_m: (21, 3) wrist, then thumb to little finger from base to tip.

        Returns:
            Gaussians in metres in the frame of the keypoints.

        Raises:
            ValueError: Another shape, or a keypoint that is not finite.
        """
        keypoints = np.asarray(keypoints_m, np.float64)
        if keypoints.shape != (KEYPOINTS, 3) or not np.isfinite(keypoints).all():
            bad = int(np.count_nonzero(~np.isfinite(keypoints)))
            raise ValueError(
                f"HandShape: wanted ({KEYPOINTS}, 3) finite keypoints, got {keypoints.shape}, {bad} not finite"
            )
        radii = radii_m() * self.thickness
        parts = [self._tubes(keypoints, radii), self._tips(keypoints, radii), self._palm(keypoints)]
        points, normals, sizes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return flat_gaussians(points, normals, sizes, shaded(self.rgb, normals, self.light), "hand")

    def _tubes(self, keypoints: Array, radii: Array) -> tuple[Array, Array, Array]:
        pairs = bones()
        # The way through the palm is covered by the slab; a tube there would only blunt it.
        pairs = pairs[pairs[:, 0] != 0]
        a, b = keypoints[pairs[:, 0]], keypoints[pairs[:, 1]]
        side, across = _across(b - a)
        share = np.linspace(0.0, 1.0, ALONG)[None, :, None]
        angle = 2 * np.pi * np.arange(AROUND) / AROUND
        normal = np.cos(angle)[None, None, :, None] * side[:, None, None] + (
            np.sin(angle)[None, None, :, None] * across[:, None, None]
        )
        normal = np.broadcast_to(normal, (len(pairs), ALONG, AROUND, 3))
        radius = radii[pairs[:, 0]][:, None] * (1 - share[..., 0]) + radii[pairs[:, 1]][:, None] * share[..., 0]
        axis = a[:, None] * (1 - share) + b[:, None] * share
        points = axis[:, :, None] + radius[..., None, None] * normal
        step = np.maximum(np.linalg.norm(b - a, axis=1)[:, None] / ALONG, 2 * np.pi * radius / AROUND)
        size = np.broadcast_to(step[..., None], points.shape[:3])
        return points.reshape(-1, 3), normal.reshape(-1, 3), size.reshape(-1)

    def _tips(self, keypoints: Array, radii: Array) -> tuple[Array, Array, Array]:
        """Half spheres at the fingertips."""
        tips = np.arange(4, KEYPOINTS, 4)
        forward = keypoints[tips] - keypoints[tips - 1]
        side, across = _across(forward)
        length = np.linalg.norm(forward, axis=1, keepdims=True)
        forward = np.where(length > 1e-9, forward / np.maximum(length, 1e-9), np.cross(side, across))
        tilt = np.repeat(np.pi / 2 * (np.arange(CAP_RINGS) + 1) / CAP_RINGS, AROUND)
        turn = np.tile(2 * np.pi * np.arange(AROUND) / AROUND, CAP_RINGS)
        normal = (
            (np.cos(tilt) * np.cos(turn))[None, :, None] * side[:, None]
            + (np.cos(tilt) * np.sin(turn))[None, :, None] * across[:, None]
            + np.sin(tilt)[None, :, None] * forward[:, None]
        )
        radius = radii[tips][:, None, None]
        points = keypoints[tips][:, None] + radius * normal
        size = np.broadcast_to(2 * np.pi * radius[..., 0] / AROUND, points.shape[:2])
        return points.reshape(-1, 3), normal.reshape(-1, 3), size.reshape(-1)

    def _palm(self, keypoints: Array) -> tuple[Array, Array, Array]:
        """Both faces of the slab."""
        grid = [(i, j) for i in range(PALM_STEPS + 1) for j in range(PALM_STEPS + 1 - i)]
        u, v = np.array(grid, np.float64).T / PALM_STEPS
        corners = keypoints[np.array(PALM)]
        points = (
            (1 - u - v)[None, :, None] * corners[:, None, 0]
            + u[None, :, None] * corners[:, None, 1]
            + v[None, :, None] * corners[:, None, 2]
        )
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=1)
        flat = area > 1e-9
        normal = np.where(flat[:, None], normal / np.maximum(area, 1e-9)[:, None], [0.0, 0.0, 1.0])
        size = np.maximum(np.sqrt(area / PALM_STEPS**2), 1e-3)
        normals = np.broadcast_to(normal[:, None], points.shape)
        half = PALM_HALF_THICKNESS_M * self.thickness
        sizes = np.broadcast_to(size[:, None], points.shape[:2]).reshape(-1)
        return (
            np.concatenate([(points + half * normals).reshape(-1, 3), (points - half * normals).reshape(-1, 3)]),
            np.concatenate([normals.reshape(-1, 3), -normals.reshape(-1, 3)]),
            np.concatenate([sizes, sizes]),
        )


def flat_gaussians(points: Array, normals: Array, spacing: Array, rgb: Array, source: str) -> SplatScene:
    """Opaque discs on a surface that leave no gaps at a spacing.

    Args:
        points: (M, 3) in metres.
        normals: (M, 3) of length 1.
        spacing: (M,) to the next point, m.
        rgb: (M, 3) in 0..1.
        source: For messages.
    """
    scales = np.repeat(0.55 * spacing[:, None], 3, axis=1)
    scales[:, 2] = 0.1 * spacing
    # The rotation that takes z to the normal, by half angles; straight down needs an axis of its own.
    quats = np.stack([1.0 + normals[:, 2], -normals[:, 1], normals[:, 0], np.zeros(len(normals))], axis=1)
    length = np.linalg.norm(quats, axis=1)
    down = length < 1e-6
    quats[down], length[down] = (0.0, 1.0, 0.0, 0.0), 1.0
    return SplatScene.from_rgb(
        means=points.astype(np.float32),
        scales=np.maximum(scales, 1e-5).astype(np.float32),
        quats_wxyz=(quats / length[:, None]).astype(np.float32),
        opacities=np.full(len(points), OPACITY, np.float32),
        rgb=rgb.astype(np.float32),
        source=source,
    )


def shaded(rgb: ArrayLike, normals: Array, light: ArrayLike) -> Array:
    """(M, 3) colours under soft light: full where the surface faces it, half where it turns away."""
    cosine = normals @ np.asarray(light, np.float64)
    return np.clip(np.asarray(rgb, np.float64) * (0.75 + 0.25 * cosine)[:, None], 0.0, 1.0)


def _across(direction: Array) -> tuple[Array, Array]:
    """Two unit vectors square to each direction (M, 3) and to each other; any two where it has no length."""
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    unit = np.where(length > 1e-9, direction / np.maximum(length, 1e-9), [0.0, 0.0, 1.0])
    helper = np.eye(3)[np.argmin(np.abs(unit), axis=1)]
    side = np.cross(unit, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return side, np.cross(unit, side)
