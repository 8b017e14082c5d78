"""What the touched places of a motion look like, as features for a generator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.views import Moment, SceneViews
from hearing_hands_ros.vision.baked import BakedFeatures
from hearing_hands_ros.vision.encoder import Features, ImageEncoder
from hearing_hands_ros.vision.view_features import LOOKED_UP, Mode, ViewFeatures


class SceneLooks:
    """Looks at one scene.

    Args:
        features: Of the scene's views.
    """

    def __init__(self, features: ViewFeatures) -> None:
        self.features = features
        self.scene = features.bare_scene()

    @classmethod
    def of(
        cls,
        folder: str | Path,
        encoder: ImageEncoder,
        mode: Mode = "bare",
        cell_m: float = 0.03,
        progress: Callable[[int, int], object] | None = None,
    ) -> SceneLooks:
        """Open a scene bundle; where baked features are wanted, load them or bake and keep them beside the scene.

        Args:
            folder: Of the bundle.
            encoder: Of the views.
            mode: As in `ViewFeatures`.
            cell_m: Size of a baked cell.
            progress: Of baking, told (cells done, cells in all).
        """
        folder = Path(folder).expanduser()
        bundle = SceneBundle.load(folder)
        surface = SplatSurface(bundle)
        views = SceneViews(bundle, surface)
        baked = None
        if mode in LOOKED_UP:
            baked = BakedFeatures.of(folder, bundle, surface, views, encoder, cell_m, progress)
        return cls(ViewFeatures(views, encoder, bundle.sha256, baked, mode))

    def looks(self, motion: HandMotion) -> Features:
        """(C, D) features of the place of each contact as it is touched."""
        return self.features.touches([_moment(motion, contact) for contact in motion.contacts])[0]


def _moment(motion: HandMotion, contact: Contact) -> Moment:
    """The hands as a contact begins; without those of frames that the motion does not have."""
    frame = round((contact.start_ns - motion.start_ns) / NANOSECONDS * motion.rate_hz)
    inside = 0 <= frame < len(motion.keypoints)
    frame = min(max(frame, 0), len(motion.keypoints) - 1)
    return Moment(
        motion.keypoints[frame],
        motion.valid[frame] & inside,
        hand=contact.hand,
        point_m=np.array(contact.position_m),
        normal=np.array(contact.normal),
    )
