"""Pictures of the touches of a run: the scene with the hand in it, and the touched spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hearing_hands_ros.demo.recording import Recording
from hearing_hands_ros.report.media import jpeg
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.views import Moment, SceneViews, ViewSettings


@dataclass(frozen=True)
class TouchView:
    """JPEG files of one touch."""

    scene: bytes
    spot: bytes


def touch_views(recording: Recording, scene: str | Path, global_view: str = "") -> Mapping[int, TouchView]:
    """Render every touch of a run, at the time when it began.

    Args:
        recording: The run.
        scene: Folder of its scene bundle.
        global_view: As in `ViewSettings`.

    Returns:
        By contact id; a touch whose hand was not seen is left out.
    """
    bundle = SceneBundle.load(scene)
    views = SceneViews(bundle, SplatSurface(bundle), ViewSettings(global_view=global_view))
    ids = [contact_id for contact_id in recording.contacts if contact_id in recording.hands]
    if not ids:
        return {}
    moments = []
    for contact_id in ids:
        contact, (keypoints, valid) = recording.contacts[contact_id], recording.hands[contact_id]
        point, normal = np.array(contact.position_m), np.array(contact.normal)
        moments.append(Moment(keypoints, valid, contact.hand, point, normal))
    seen = views.look(moments)
    return {
        contact_id: TouchView(jpeg(scene_rgb), jpeg(spot_rgb))
        for contact_id, scene_rgb, spot_rgb in zip(ids, seen.global_rgb, seen.local_rgb, strict=True)
    }
