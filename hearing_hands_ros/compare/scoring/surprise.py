"""What is there and should not be, and what should be there and is not; levels count as they are."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from hearing_hands_ros.compare.scoring.picture import Power, TouchPicture, decibel, picture, smooth
from hearing_hands_ros.compare.scoring.touch import HeardTouch

MARGIN_DB: Final = 3.0
Span = Literal["before", "after", "whole"]
SPANS_S: Final[dict[Span, tuple[float, float]]] = {
    "before": (-10.0, -0.02),
    "after": (0.1, 100.0),
    "whole": (-10.0, 100.0),
}
"""From the begin of the touch: before it, when only its tail should be heard, and all of it."""

AMPLITUDE_S = (-0.03, 0.2)
DEFICIT_S = (-0.02, 0.2)
FAINTEST: Final = 1e-3


class Excess:
    """Strongest moment of sound over prediction, its spread and the room: the mean over bands of what exceeds 3 dB.

    Args:
        span: Where it is looked for.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self.name = "excess" if span == "whole" else f"excess_{span}"

    def score(self, touch: HeardTouch) -> float:
        """The excess, dB; 0 where the touch ends before the span begins."""
        seen = picture(touch)
        most = seen.expected * 10.0 ** (seen.spread / 10.0) + seen.noise
        return _strongest(seen, decibel(seen.heard / most), SPANS_S[self._span])


class Deficit:
    """Strongest moment of predicted sound, at the lower end of its spread, that the microphone lacks."""

    name = "deficit"

    def score(self, touch: HeardTouch) -> float:
        """The deficit, dB."""
        seen = picture(touch)
        least = seen.expected * 10.0 ** (-seen.spread / 10.0) + seen.noise
        return _strongest(seen, decibel(least / np.maximum(seen.heard, FAINTEST * seen.noise)), DEFICIT_S)


class Amplitude:
    """How much weaker the predicted sound is in what was heard: a matched filter in the room's noise.

    -10 log10(sum w (h - n) / sum w e), w = e / (e + n)^2, with h heard, e predicted and n the room's power in a cell.
    """

    name = "amplitude"

    def score(self, touch: HeardTouch) -> float:
        """Predicted over found amplitude, dB; 30 at most."""
        seen = picture(touch).between(*AMPLITUDE_S)
        weight = seen.expected / (seen.expected + seen.noise) ** 2
        found = ((seen.heard - seen.noise) * weight).sum() / (seen.expected * weight).sum()
        return -10.0 * float(np.log10(max(found, FAINTEST)))


def _strongest(seen: TouchPicture, over_db: Power, span_s: tuple[float, float]) -> float:
    """Largest value in a span of the smoothed mean over the bands of what exceeds the margin."""
    course = smooth(np.maximum(over_db - MARGIN_DB, 0.0).mean(axis=1))
    inside = (seen.time_s > span_s[0]) & (seen.time_s < span_s[1])
    return float(course[inside].max()) if inside.any() else 0.0
