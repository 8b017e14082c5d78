"""What a touch looks like: the scene with the hand in it, and the touched spot from near by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import FINGERTIPS, HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.hand_shape import HandShape
from hearing_hands_ros.scene.render import SplatRenderer
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import LocalView, away_from_hand, global_camera

Array = NDArray[np.float64]
Images = NDArray[np.uint8]

BACKGROUND = (0.5, 0.5, 0.5)  # where there is no scene: as near to nothing as an image encoder knows
BATCH = 16  # views that are rendered at once


@dataclass(frozen=True)
class ViewSettings:
    """What is rendered.

    Attributes:
        global_view: Name of one of the scene's cameras, 'top', 'side', or empty for its first camera.
        local: How the touched spot is looked at; its size is that of the global view too.
        rate_hz: Views per second of a motion; the published model takes 4.
    """

    global_view: str = ""
    local: LocalView = field(default_factory=LocalView)
    rate_hz: float = 4.0


@dataclass(frozen=True)
class Moment:
    """Hands at one time, and where to look.

    Attributes:
        keypoints_m: (2, 21, 3) in the scene frame; rows of an invalid hand are not looked at.
        valid: (2,) by hand.
        hand: The hand that touches, 0 left or 1 right; None leaves it to the nearest one.
        point_m: (3,) touched point, or None: the point of the surface that is nearest to a hand.
        normal: (3,) outward unit normal there; wanted with `point_m`.
        body: Drawn instead of the hands, if given: a gripper from its URDF.
    """

    keypoints_m: NDArray[np.floating]
    valid: NDArray[np.bool_]
    hand: int | None = None
    point_m: Array | None = None
    normal: Array | None = None
    body: SplatScene | None = None

    def __post_init__(self) -> None:
        if self.keypoints_m.shape != (len(HANDS), KEYPOINTS, 3) or self.valid.shape != (len(HANDS),):
            got = f"{self.keypoints_m.shape} and {self.valid.shape}"
            raise ValueError(f"Moment: wanted keypoints_m (2, 21, 3) and valid (2,), got {got}")
        if (self.point_m is None) != (self.normal is None):
            raise ValueError("Moment: wanted point_m and normal, or neither, got one of them")


@dataclass(frozen=True)
class Staged:
    """One moment, ready to be rendered.

    Attributes:
        camera: Looks at the touched spot; metres, scene frame.
        body: Hands or gripper; None if no hand is followed.
        point_m: (3,) where the camera looks.
        normal: (3,) of the surface there.
        touching: A surface is there.
    """

    camera: Camera
    body: SplatScene | None
    point_m: Array
    normal: Array
    touching: bool


@dataclass(frozen=True)
class Views:
    """V moments, each seen twice.

    Attributes:
        global_rgb: (V, S, S, 3) uint8, the scene.
        local_rgb: (V, S, S, 3) uint8, the touched spot.
        local_cameras: V cameras in metres in the scene frame.
        touching: (V,) whether a surface was near; else the local view shows the hand's surroundings.
    """

    global_rgb: Images
    local_rgb: Images
    local_cameras: tuple[Camera, ...]
    touching: NDArray[np.bool_]


class SceneViews:
    """Renders views of one scene.

    Args:
        bundle: The scene.
        surface: Of that scene.
        settings: What is rendered.
        shape: What a hand looks like; its light comes from above if None.
        backend: As in `SplatRenderer`.
    """

    def __init__(
        self,
        bundle: SceneBundle,
        surface: SplatSurface,
        settings: ViewSettings | None = None,
        shape: HandShape | None = None,
        backend: str = "auto",
    ) -> None:
        self.settings = settings or ViewSettings()
        self.global_camera = global_camera(bundle, self.settings.global_view, self.settings.local.size)
        self._up = bundle.up
        self._middle = bundle.eyes_m.mean(axis=0) if len(bundle.eyes_m) else bundle.means_m.mean(axis=0)
        self._surface = surface
        self._shape = shape or HandShape(light=tuple(bundle.up.tolist()))
        self._renderer = SplatRenderer(bundle.splats.scaled(bundle.scale), backend=backend)

    @property
    def backend(self) -> str:
        """What renders."""
        return self._renderer.backend

    def look(self, moments: Sequence[Moment]) -> Views:
        """Render both views of each moment, with the hands in place.

        Raises:
            ValueError: There are no moments.
        """
        if not moments:
            raise ValueError("SceneViews.look: wanted one or more moments, got none")
        scenes = [self.stage(moment) for moment in moments]
        return Views(
            self.render([self.global_camera] * len(scenes), [scene.body for scene in scenes]),
            self.render([scene.camera for scene in scenes], [scene.body for scene in scenes]),
            tuple(scene.camera for scene in scenes),
            np.array([scene.touching for scene in scenes], np.bool_),
        )

    def stage(self, moment: Moment) -> Staged:
        """Work out what a moment's views show, without rendering them."""
        seen = np.asarray(moment.keypoints_m[moment.valid], np.float64)
        point, normal, hand, touching = self._focus(moment)
        towards = self._middle - point if hand is None else away_from_hand(point, hand)
        camera = self.settings.local.camera(point, normal, self._up, towards, seen, self._surface)
        return Staged(camera, self._body(moment), point, normal, touching)

    def look_at_surface(self, points_m: Array, normals: Array) -> Images:
        """Local views (M, S, S, 3) of bare spots, without a hand, from where the scene was photographed."""
        cameras = [self.surface_camera(point, normal) for point, normal in zip(points_m, normals, strict=True)]
        return self.render(cameras, None)

    def surface_camera(self, point_m: Array, normal: Array) -> Camera:
        """The camera that looks at a bare spot."""
        return self.settings.local.camera(point_m, normal, self._up, self._middle - point_m, surface=self._surface)

    def moments(self, motion: HandMotion) -> list[Moment]:
        """Moments of a motion at `rate_hz`, from its first frame on; a touch that lasts then says where to look."""
        seconds = len(motion.keypoints) / motion.rate_hz
        result = []
        for index in range(max(1, int(np.ceil(seconds * self.settings.rate_hz - 1e-6)))):
            time_s = index / self.settings.rate_hz
            frame = min(round(time_s * motion.rate_hz), len(motion.keypoints) - 1)
            stamp_ns = motion.start_ns + round(time_s * NANOSECONDS)
            touch = next((c for c in motion.contacts if c.start_ns <= stamp_ns <= c.end_ns), None)
            result.append(
                Moment(
                    motion.keypoints[frame],
                    motion.valid[frame],
                    hand=None if touch is None else touch.hand,
                    point_m=None if touch is None or touch.kind == "slide" else np.array(touch.position_m),
                    normal=None if touch is None or touch.kind == "slide" else np.array(touch.normal),
                )
            )
        return result

    def render(self, cameras: Sequence[Camera], bodies: Sequence[SplatScene | None] | None) -> Images:
        """Render (len(cameras), S, S, 3) uint8, in metres in the scene frame, each with its own body in the scene."""
        parts = []
        for first in range(0, len(cameras), BATCH):
            extra = None if bodies is None else bodies[first : first + BATCH]
            rendering = self._renderer.render(cameras[first : first + BATCH], extra=extra, background=BACKGROUND)
            parts.append(np.rint(np.clip(rendering.rgb, 0.0, 1.0) * 255.0).astype(np.uint8))
        return np.concatenate(parts)

    def _body(self, moment: Moment) -> SplatScene | None:
        if moment.body is not None:
            return moment.body
        hands = [self._shape.gaussians(moment.keypoints_m[hand]) for hand in np.flatnonzero(moment.valid)]
        return SplatScene.concatenate(hands) if hands else None

    def _focus(self, moment: Moment) -> tuple[Array, Array, Array | None, bool]:
        """Where to look, the normal there, the hand that is nearest to it, and whether a surface is there."""
        which = [moment.hand] if moment.hand is not None and moment.valid[moment.hand] else np.flatnonzero(moment.valid)
        hands = np.asarray(moment.keypoints_m[which], np.float64)
        if moment.point_m is not None and moment.normal is not None:
            return moment.point_m, moment.normal, hands[0] if len(hands) else None, True
        if not len(hands):
            return self.global_camera.position + self.global_camera.forward, self._up, None, False
        answer = self._surface.query(hands.reshape(-1, 3))
        nearest = int(np.argmin(answer.distance_m))
        hand = hands[nearest // KEYPOINTS]
        if np.isfinite(answer.distance_m[nearest]):
            return answer.point_m[nearest], answer.normal[nearest], hand, True
        return hand[list(FINGERTIPS)].mean(axis=0), self._up, hand, False
