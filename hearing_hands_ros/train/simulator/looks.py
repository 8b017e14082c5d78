"""Features of what the touches of a scene look like, each place rendered and encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.viewpoint import SYNTHETIC, global_camera
from hearing_hands_ros.scene.views import Moment, SceneViews
from hearing_hands_ros.train.simulator.performance import BEFORE_S, Performance
from hearing_hands_ros.vision.encoder import ImageEncoder

Half = NDArray[np.float16]

SAME_M: Final = 0.006  # touches nearer to each other than this are looked at once
BATCH: Final = 16


class Looks:
    """Features of one scene.

    Args:
        bundle: The scene.
        surface: Of that scene.
        encoder: Of the views.
    """

    def __init__(self, bundle: SceneBundle, surface: SplatSurface, encoder: ImageEncoder) -> None:
        self._views = SceneViews(bundle, surface)
        self._encoder = encoder
        cameras = [global_camera(bundle, name) for name in SYNTHETIC]
        self.scene: Half = encoder.encode(self._views.render(cameras, None)).astype(np.float16)

    def bare(self, contacts: Sequence[Contact]) -> Half:
        """(C, D) of the touched places without the hand."""
        keys = [
            (*np.floor(np.array(c.position_m) / SAME_M).astype(int), *np.rint(np.array(c.normal)).astype(int))
            for c in contacts
        ]
        first: dict[tuple[int, ...], int] = {}
        for number, key in enumerate(keys):
            first.setdefault(key, number)
        chosen = list(first.values())
        points = np.array([contacts[i].position_m for i in chosen]).reshape(-1, 3)
        normals = np.array([contacts[i].normal for i in chosen]).reshape(-1, 3)
        parts = [
            self._encoder.encode(self._views.look_at_surface(points[i : i + BATCH], normals[i : i + BATCH]))
            for i in range(0, len(points), BATCH)
        ]
        features = np.concatenate([np.zeros((0, self._encoder.dim), np.float32), *parts])
        row = {key: number for number, key in enumerate(first)}
        return features[[row[key] for key in keys]].astype(np.float16)

    def with_hand(self, performance: Performance) -> Half:
        """(C, D) of the touched places with the hands as they are when they meet it; NaN where no hand was seen."""
        motion = performance.seen
        frames = np.concatenate([performance.before, motion.keypoints])
        features = np.full((len(motion.contacts), self._encoder.dim), np.nan, np.float32)
        moments, rows = [], []
        for row, contact in enumerate(motion.contacts):
            frame = round((contact.start_ns / NANOSECONDS + BEFORE_S) * motion.rate_hz)
            keypoints = frames[min(frame, len(frames) - 1)]
            valid = np.isfinite(keypoints).all(axis=(1, 2))
            if valid[contact.hand]:
                point, normal = np.array(contact.position_m), np.array(contact.normal)
                moments.append(Moment(keypoints, valid, contact.hand, point, normal))
                rows.append(row)
        for i in range(0, len(moments), BATCH):
            staged = [self._views.stage(moment) for moment in moments[i : i + BATCH]]
            images = self._views.render([scene.camera for scene in staged], [scene.body for scene in staged])
            features[rows[i : i + BATCH]] = self._encoder.encode(images)
        return features.astype(np.float16)
