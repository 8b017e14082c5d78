"""Features of what a motion looks like: rendered and encoded, or looked up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.splats import SplatScene
from hearing_hands_ros.scene.views import Moment, SceneViews, Staged
from hearing_hands_ros.vision.baked import BakedFeatures
from hearing_hands_ros.vision.cache import FeatureCache, pose_key
from hearing_hands_ros.vision.encoder import Features, ImageEncoder

Mode = Literal["bare", "exact", "baked", "auto"]
LOOKED_UP: tuple[Mode, ...] = ("baked", "auto")
KNOWN_SPOTS = 1000  # whose cameras are kept
STEADY = 0.7  # `auto` renders where neighbouring cells look less alike than this (cosine): at edges


@dataclass(frozen=True)
class WindowFeatures:
    """V views of a motion.

    Attributes:
        scene: (V, D) of the global views.
        local: (V, D) of the local views.
        baked: (V,) which local ones were looked up.
    """

    scene: Features
    local: Features
    baked: NDArray[np.bool_]


class ViewFeatures:
    """Features of views of one scene.

    Args:
        views: Renders them.
        encoder: Encodes them.
        scene: Identifies the scene in the cache, e.g. its hash.
        baked: Features of the bare surface; wanted by `baked` and `auto`.
        mode: `exact` renders every touch with the hand in it, `bare` without the hand, which hides what it touches, and
            from where the scene was photographed; `baked` looks up the bare surface, and renders where it
            has no cell; `auto` looks up only where the surface looks alike all around.

    Raises:
        ValueError: Unknown mode, no baked features where they are wanted, or those of another encoder.
    """

    def __init__(
        self,
        views: SceneViews,
        encoder: ImageEncoder,
        scene: str,
        baked: BakedFeatures | None = None,
        mode: Mode = "exact",
    ) -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"ViewFeatures: mode wanted one of {get_args(Mode)}, got {mode!r}")
        if mode in LOOKED_UP and baked is None:
            raise ValueError(f"ViewFeatures: mode '{mode}' wanted baked features, got none; hearing-hands scene bake")
        if baked is not None and baked.encoder != encoder.name:
            raise ValueError(f"ViewFeatures: baked features wanted from {encoder.name!r}, got {baked.encoder!r}")
        self.mode, self.views, self.cache = mode, views, FeatureCache(encoder)
        self._scene, self._baked = scene, baked
        self._cameras: OrderedDict[bytes, Camera] = OrderedDict()

    def window(self, motion: HandMotion) -> WindowFeatures:
        """Features of a motion at the views' rate, from its first frame on."""
        return self.moments(self.views.moments(motion))

    def moments(self, moments: Sequence[Moment]) -> WindowFeatures:
        """Features of single moments.

        Raises:
            ValueError: There are no moments.
        """
        if not moments:
            raise ValueError("ViewFeatures.moments: wanted one or more moments, got none")
        staged = [self.views.stage(moment) for moment in moments]
        hands = [_drawn(moment) for moment in moments]
        bodies = [scene.body for scene in staged]
        return WindowFeatures(self._scenes(bodies, hands), *self._local(staged, hands))

    def scenes(self, moments: Sequence[Moment]) -> Features:
        """(V, D) features of the global views alone.

        Raises:
            ValueError: There are no moments.
        """
        if not moments:
            raise ValueError("ViewFeatures.scenes: wanted one or more moments, got none")
        return self._scenes([self.views.stage(moment).body for moment in moments], [_drawn(m) for m in moments])

    def touches(self, moments: Sequence[Moment]) -> tuple[Features, NDArray[np.bool_]]:
        """Features of the local views alone.

        Returns:
            (V, D), and (V,) which were looked up; V may be 0.
        """
        told = all(moment.point_m is not None and moment.normal is not None for moment in moments)
        if self.mode == "bare" and told:
            return self._spots(moments), np.zeros(len(moments), np.bool_)
        if self.mode in LOOKED_UP and told:
            return self._known(moments)
        return self._local([self.views.stage(moment) for moment in moments], [_drawn(moment) for moment in moments])

    def _known(self, moments: Sequence[Moment]) -> tuple[Features, NDArray[np.bool_]]:
        """As `_local`, of touched spots: those that are baked are not staged."""
        local = np.zeros((len(moments), self.cache.encoder.dim), np.float32)
        spots = [(np.asarray(m.point_m, np.float64), np.asarray(m.normal, np.float64)) for m in moments]
        baked = self._look_up(spots, np.ones(len(moments), np.bool_), local)
        if rest := [moments[int(index)] for index in np.flatnonzero(~baked)]:
            local[~baked] = self._rendered([self.views.stage(m) for m in rest], [_drawn(m) for m in rest])
        return local, baked

    def bare_scene(self) -> Features:
        """(D,) features of the global view without hands."""
        features = self.cache.encode(
            [(self._scene, "global", ())], lambda _: self.views.render([self.views.global_camera], [None])
        )
        return np.asarray(features[0])

    def _spots(self, moments: Sequence[Moment]) -> Features:
        """(V, D) features of touched spots without a hand; those of touches that are told again cost nothing."""
        if not moments:
            return np.zeros((0, self.cache.encoder.dim), np.float32)
        cameras = [self._camera(np.asarray(m.point_m, np.float64), np.asarray(m.normal, np.float64)) for m in moments]
        keys = [(self._scene, "local", (), pose_key(c.position, c.rotation_wxyz)) for c in cameras]
        return self.cache.encode(keys, lambda which: self.views.render([cameras[i] for i in which], None))

    def _camera(self, point_m: NDArray[np.float64], normal: NDArray[np.float64]) -> Camera:
        key = point_m.tobytes() + normal.tobytes()
        if key not in self._cameras:
            self._cameras[key] = self.views.surface_camera(point_m, normal)
            if len(self._cameras) > KNOWN_SPOTS:
                self._cameras.popitem(last=False)
        return self._cameras[key]

    def _scenes(self, bodies: Sequence[SplatScene | None], hands: Sequence[tuple[bytes, ...]]) -> Features:
        return self.cache.encode(
            [(self._scene, "global", hand) for hand in hands],
            lambda which: self.views.render([self.views.global_camera] * len(which), [bodies[i] for i in which]),
        )

    def _local(
        self, staged: Sequence[Staged], hands: Sequence[tuple[bytes, ...]]
    ) -> tuple[Features, NDArray[np.bool_]]:
        if self.mode == "bare":
            staged, hands = [self._bare(scene) for scene in staged], [()] * len(staged)
        local = np.zeros((len(staged), self.cache.encoder.dim), np.float32)
        touching = np.array([scene.touching for scene in staged], np.bool_)
        baked = self._look_up([(scene.point_m, scene.normal) for scene in staged], touching, local)
        if rest := [int(index) for index in np.flatnonzero(~baked)]:
            local[rest] = self._rendered([staged[i] for i in rest], [hands[i] for i in rest])
        return local, baked

    def _rendered(self, staged: Sequence[Staged], hands: Sequence[tuple[bytes, ...]]) -> Features:
        """(V, D) features of views that are rendered, unless they were before."""
        keys = [
            (self._scene, "local", hand, pose_key(scene.camera.position, scene.camera.rotation_wxyz))
            for scene, hand in zip(staged, hands, strict=True)
        ]
        return self.cache.encode(
            keys, lambda which: self.views.render([staged[i].camera for i in which], [staged[i].body for i in which])
        )

    def _bare(self, scene: Staged) -> Staged:
        camera = self.views.surface_camera(scene.point_m, scene.normal) if scene.touching else scene.camera
        return replace(scene, camera=camera, body=None)

    def _look_up(
        self,
        spots: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
        touching: NDArray[np.bool_],
        local: Features,
    ) -> NDArray[np.bool_]:
        """Fill in what is baked of spots (point, normal) that are touched; return which rows those are."""
        if self._baked is None or self.mode not in LOOKED_UP or not spots:
            return np.zeros(len(spots), np.bool_)
        points, normals = (np.stack(values) for values in zip(*spots, strict=True))
        features, cell = self._baked.find(points, normals)
        usable = (cell >= 0) & touching
        if self.mode == "auto":
            usable &= self._baked.steadiness[cell] >= STEADY
        local[usable] = features[usable]
        return np.asarray(usable)


def _drawn(moment: Moment) -> tuple[bytes, ...]:
    """What is in the picture beside the scene: the hands, or the body that stands for them."""
    body = moment.body
    if body is not None:
        return *pose_key(body.means, body.quats_wxyz), body.sh.tobytes()
    return pose_key(np.where(moment.valid[:, None, None], moment.keypoints_m, np.nan))
