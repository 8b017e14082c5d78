"""Which view of a Rerun recording shows what, when it is opened for the first time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.scene.bundle import SceneBundle

TIMELINE: Final = "recording"
"""Stamps of the recording, the only time line."""

SIDES: Final = ("predicted", "heard")


def blueprint(bundle: SceneBundle) -> Any:
    """A `rerun.blueprint.Blueprint`: scene and verdicts at the left; pictures, sounds and p-values at the right.

    Args:
        bundle: The scene, which says where up is.

    Raises:
        ImportError: Rerun is not installed.
    """
    rerun = optional("rerun", "Rerun recording", "inspect")
    made = optional("rerun.blueprint", "Rerun recording", "inspect")
    low_at_the_bottom = rerun.TensorDimensionSelection(dimension=0, invert=True)
    look = {
        "slice_selection": made.TensorSliceSelection(width=1, height=low_at_the_bottom),
        "scalar_mapping": made.TensorScalarMapping(colormap="magma"),
        "view_fit": "fill",
    }
    spectrograms = [made.TensorView(origin=f"{side}/spectrogram", name=side, **look) for side in SIDES]
    sounds = [made.AudioView(origin=f"{side}/audio", name=f"{side} sound") for side in SIDES]
    columns = made.TextLogColumns(timeline_columns=[TIMELINE], text_log_columns=["loglevel", "body"])
    unit = made.ScalarAxis(range=(0.0, 1.0))
    return made.Blueprint(
        made.Horizontal(
            made.Vertical(
                made.Spatial3DView(origin="scene", name="scene", eye_controls=_eye(made, bundle)),
                made.TextLogView(origin="verdicts", name="verdicts", columns=columns),
                row_shares=[3, 1],
            ),
            made.Vertical(
                made.Tabs(
                    made.Spatial2DView(origin="picture", name="predicted, heard, difference"),
                    made.Horizontal(*spectrograms, name="spectrograms"),
                ),
                made.Horizontal(*sounds),
                made.TimeSeriesView(origin="p_value", name="p-value: up to alpha is odd", axis_y=unit),
                row_shares=[3, 1, 1],
            ),
            column_shares=[3, 2],
        ),
        made.TimePanel(timeline=TIMELINE, expanded=False),
        made.SelectionPanel(expanded=False),
        made.BlueprintPanel(expanded=False),
    )


def _eye(made: Any, bundle: SceneBundle) -> Any:
    """At the middle of the scene, from where its farthest photo was taken, or from above if there is none."""
    middle = np.median(bundle.means_m, axis=0)
    size = float(np.ptp(np.percentile(bundle.means_m, (5.0, 95.0), axis=0), axis=0).max())
    eyes = [*bundle.eyes_m] or [middle + size * (bundle.up + 0.5)]
    place = max(eyes, key=lambda eye: float(np.linalg.norm(eye - middle)))
    return made.EyeControls3D(position=place, look_target=middle, eye_up=bundle.up)
