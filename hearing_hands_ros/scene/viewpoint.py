"""Where to look from: at the whole scene, and at the spot that is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.motion.hands import KEYPOINTS
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.hand_shape import bones, radii_m
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.surface import SplatSurface

Array = NDArray[np.float64]

SYNTHETIC = ("top", "side")
SYNTHETIC_FIELD_OF_VIEW_DEG = 50.0
SIDE_ELEVATION_DEG = 35.0
OPAQUE = 0.3  # Gaussians under this are haze and do not say how large the scene is
MARGIN = 1.05  # of the distance at which a synthetic view just holds the scene
OUTLIERS = 0.02  # share of the Gaussians that may lie outside the synthetic views, at each end
TURNS, TILTS_DEG = 12, (0.0, 25.0)  # directions that a local view is chosen from; tilts beyond the wanted one
RAY_SHARES = np.linspace(0.05, 0.9, 18)  # of the way from the camera to the surface that must be free


def global_camera(bundle: SceneBundle, name: str = "", size: int = 224) -> Camera:
    """A camera that sees the whole scene, in metres in the scene's frame.

    Args:
        bundle: The scene.
        name: One of its own cameras, 'top', 'side', or empty: its first camera, or 'side' if it has none.
        size: Width and height, pixels.

    Raises:
        ValueError: The scene has no camera of that name.
    """
    own = {camera.name: camera for camera in bundle.cameras}
    name = name or next(iter(own), "side")
    if name in own:
        metres = Sim3(bundle.scale, np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))
        return own[name].moved(metres).resized(size, size)
    if name not in SYNTHETIC:
        raise ValueError(f"global_camera: wanted one of {[*own, *SYNTHETIC]}, got {name!r}")
    means = bundle.means_m[bundle.splats.opacities >= OPAQUE]
    if not len(means):
        means = bundle.means_m
    low, high = np.quantile(means, [OUTLIERS, 1.0 - OUTLIERS], axis=0)
    centre = (low + high) / 2
    side = _level(bundle, centre)
    tilt = np.deg2rad(SIDE_ELEVATION_DEG)
    direction = bundle.up if name == "top" else np.cos(tilt) * side + np.sin(tilt) * bundle.up
    up = -side if name == "top" else bundle.up
    camera = Camera.look_at(name, centre + direction, centre, up, size, SYNTHETIC_FIELD_OF_VIEW_DEG)
    # Just so far away that everything is in the picture.
    in_camera = camera.rotation.inv().apply(means[((means >= low) & (means <= high)).all(axis=1)] - centre)
    half = np.tan(np.deg2rad(SYNTHETIC_FIELD_OF_VIEW_DEG) / 2)
    distance = MARGIN * float((np.abs(in_camera[:, :2]).max(axis=1) / half - in_camera[:, 2]).max())
    return replace(camera, position=centre + distance * direction)


def _level(bundle: SceneBundle, centre: Array) -> Array:
    """(3,) level unit vector towards where the cameras stood; any level one without them."""
    towards = bundle.eyes_m.mean(axis=0) - centre if len(bundle.eyes_m) else np.zeros(3)
    # Cameras all around cancel out; the first of them is as good as any then.
    for candidate in (towards, *(bundle.eyes_m[:1] - centre), *np.eye(3)):
        level = candidate - bundle.up * (candidate @ bundle.up)
        length = float(np.linalg.norm(level))
        if length > 0.1 * float(np.linalg.norm(candidate)) > 0.0:
            return np.asarray(level / length)
    raise AssertionError("one of three axes is not vertical")


@dataclass(frozen=True)
class LocalView:
    """How a touched spot is looked at.

    Attributes:
        size: Width and height, pixels.
        width_m: Of the surface that the view shows at the touched point.
        distance_m: From the camera to the touched point.
        tilt_deg: Between the surface's normal and the view, 0 for straight from above.
    """

    size: int = 224
    width_m: float = 0.12
    distance_m: float = 0.25
    tilt_deg: float = 35.0

    def __post_init__(self) -> None:
        if not (self.size > 0 and self.width_m > 0.0 and self.distance_m > 0.0 and 0.0 <= self.tilt_deg < 85.0):
            raise ValueError(f"LocalView: wanted positive sizes and a tilt of 0 to 85 degrees, got {self}")

    @property
    def field_of_view_deg(self) -> float:
        """Between opposite edges."""
        return float(np.rad2deg(2.0 * np.arctan2(self.width_m / 2, self.distance_m)))

    def camera(
        self,
        point_m: ArrayLike,
        normal: ArrayLike,
        up: ArrayLike,
        towards: ArrayLike,
        keypoints_m: Array | None = None,
        surface: SplatSurface | None = None,
    ) -> Camera:
        """A camera in front of the surface, from where least is in the way.

        Args:
            point_m: (3,) touched point.
            normal: (3,) outward unit normal there.
            up: (3,) of the scene.
            towards: (3,) direction that the view is taken from where it can be; only its part along the surface counts.
            keypoints_m: (M, 21, 3) hands that may be in the way.
            surface: Of the scene, which may be in the way.
        """
        point, normal = np.asarray(point_m, np.float64), np.asarray(normal, np.float64)
        along = _tangent(normal, np.asarray(towards, np.float64), np.asarray(up, np.float64))
        turn = 2 * np.pi * np.arange(TURNS) / TURNS
        around = np.cos(turn)[:, None] * along + np.sin(turn)[:, None] * np.cross(normal, along)
        off_towards = (1.0 - np.cos(turn)) / 2
        directions, costs = [], []
        for extra in TILTS_DEG:
            tilt = np.deg2rad(min(self.tilt_deg + extra, 85.0))
            directions.append(np.cos(tilt) * normal + np.sin(tilt) * around)
            costs.append(off_towards + extra / 100.0)
        eyes = point + self.distance_m * np.concatenate(directions)
        cost = np.concatenate(costs)
        blocked = np.zeros(len(eyes))
        if keypoints_m is not None and len(keypoints_m):
            targets = point + 0.3 * self.width_m * np.stack([along, -along, *_pair(normal, along)])
            blocked += _behind_hands(eyes, targets, keypoints_m)
        if surface is not None:
            blocked += _behind_surface(eyes, point, surface)
        eye = eyes[int(np.argmin(cost + 4.0 * blocked))]
        return Camera.look_at("local", eye, point, up, self.size, self.field_of_view_deg)


def away_from_hand(point_m: ArrayLike, keypoints_m: Array) -> Array:
    """(3,) direction from a hand (21, 3) over the touched point: what is opposite of the hand is not hidden by it."""
    return np.asarray(np.asarray(point_m, np.float64) - keypoints_m.mean(axis=0))


def _tangent(normal: Array, towards: Array, up: Array) -> Array:
    """(3,) unit vector along the surface, as near to `towards` as can be."""
    for candidate in (towards, up, *np.eye(3)):
        along = candidate - normal * (candidate @ normal)
        length = float(np.linalg.norm(along))
        if length > 1e-3 * max(float(np.linalg.norm(candidate)), 1e-9):
            return np.asarray(along / length)
    raise AssertionError("one of three axes is not along the normal")


def _pair(normal: Array, along: Array) -> tuple[Array, Array]:
    across = np.asarray(np.cross(normal, along), np.float64)
    return across, -across


def _behind_hands(eyes: Array, targets: Array, keypoints_m: Array) -> Array:
    """(E,) share of the targets (M, 3) that a hand hides from each eye."""
    way = targets[None] - eyes[:, None]
    points = (eyes[:, None, None] + RAY_SHARES[:, None] * way[:, :, None]).reshape(-1, 3)
    pairs = bones()
    radius = radii_m()[pairs].max(axis=1)
    a = keypoints_m.reshape(-1, KEYPOINTS, 3)[:, pairs[:, 0]].reshape(-1, 3)
    b = keypoints_m.reshape(-1, KEYPOINTS, 3)[:, pairs[:, 1]].reshape(-1, 3)
    radii = np.tile(radius, len(keypoints_m))
    bone = b - a
    squared = np.maximum((bone**2).sum(axis=1), 1e-12)
    share = np.clip((points @ bone.T - (a * bone).sum(axis=1)) / squared, 0.0, 1.0)
    # |p - (a + share * bone)|^2, expanded so that no (points, bones, 3) array is made.
    gap = (
        (points**2).sum(axis=1)[:, None]
        - 2 * points @ a.T
        + (a**2).sum(axis=1)
        + share * (share * squared - 2 * (points @ bone.T - (a * bone).sum(axis=1)))
    )
    hit = (gap < radii**2).any(axis=1).reshape(len(eyes), len(targets), len(RAY_SHARES))
    return np.asarray(hit.any(axis=2).mean(axis=1))


def _behind_surface(eyes: Array, point: Array, surface: SplatSurface) -> Array:
    """(E,) 1 where the scene stands between an eye and the touched point, or the eye is inside of it."""
    shares = np.linspace(0.0, 0.75, 7)
    points = eyes[:, None] + shares[:, None] * (point - eyes)[:, None]
    distance = surface.query(points.reshape(-1, 3)).distance_m
    return np.asarray((distance.reshape(len(eyes), -1) < 0.003).any(axis=1), np.float64)
