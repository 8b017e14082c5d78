"""A judge that keeps what it heard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.judge import Judgement, TouchJudge
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.predictors.protocol import Contact, Prediction


class KeepingJudge(TouchJudge):
    """Judges as `TouchJudge`, and keeps the sound of each touch until somebody takes it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._kept: dict[tuple[int, int], HeardTouch] = {}

    def judge(
        self,
        samples: NDArray[np.float32],
        heard: NDArray[np.bool_],
        prediction: Prediction,
        until_s: float | None = None,
    ) -> Judgement:
        """As `TouchJudge.judge`; a touch of which nothing was lost is kept."""
        judgement = super().judge(samples, heard, prediction, until_s)
        onset_s = None if judgement.touch is None else judgement.touch.heard_onset_s
        try:
            touch = HeardTouch(samples, prediction, prediction.contacts[-1], onset_s, until_s, self.lead_s)
        except ValueError:
            return judgement  # which says the same
        if heard[: round(touch.end_s * self.sample_rate_hz)].all():
            self._kept[_key(touch.contact)] = touch
        return judgement

    def take(self, contact: Contact) -> HeardTouch | None:
        """Sound of the touch, once, or None: it was not judged, or some of it was lost."""
        return self._kept.pop(_key(contact), None)


def _key(contact: Contact) -> tuple[int, int]:
    return contact.contact_id, contact.start_ns
