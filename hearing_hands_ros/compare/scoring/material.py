"""Whether a touch sounds like another material than it should."""

from __future__ import annotations

import math

import numpy as np

from hearing_hands_ros.compare.scoring.listener import Array, MaterialListener
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, HeardTouch
from hearing_hands_ros.motion.window import NANOSECONDS

HEARD_S = 0.6
LEAST_OVERLAP = 1e-4


class MaterialOdds:
    """Log-odds of the likeliest other material against the one that the scene's label names.

    Args:
        listener: Names materials.
    """

    name = "material"

    def __init__(self, listener: MaterialListener) -> None:
        self._listener = listener

    def score(self, touch: HeardTouch) -> float:
        """The log-odds; NaN if the scene has no label there, or one that the listener does not know."""
        if touch.contact.material not in self._listener.materials:
            return math.nan
        heard = heard_material(self._listener, touch)
        expected = self._listener.materials.index(touch.contact.material)
        return float(np.delete(heard, expected).max() - heard[expected])


class PredictedMaterial:
    """How little the materials that are heard and those that the predicted sound is taken for have in common.

    -log sum sqrt(p q), the Bhattacharyya distance; needs no label.

    Args:
        listener: Names materials.
    """

    name = "predicted_material"

    def __init__(self, listener: MaterialListener) -> None:
        self._listener = listener

    def score(self, touch: HeardTouch) -> float:
        """The distance, 0 to 9.2."""
        heard = heard_material(self._listener, touch)
        predicted = self._listener.listen(predicted_wave(touch), touch.contact.kind)
        return -float(np.log(np.exp(0.5 * (heard + predicted)).sum() + LEAST_OVERLAP))


def heard_material(listener: MaterialListener, touch: HeardTouch) -> Array:
    """(M,) how likely each material is by what was heard, natural logarithms."""
    onset_s = touch.lead_s if touch.onset_s is None else touch.onset_s
    return listener.listen(touch.samples, touch.contact.kind, onset_s, touch.end_s)


def predicted_wave(touch: HeardTouch) -> Array:
    """(L,) the predicted sound of a touch, from `LEAD_S` before it on; silence where the prediction has nothing."""
    at_s = (touch.contact.start_ns - touch.prediction.start_ns) / NANOSECONDS
    first = round((at_s - LEAD_S) * RATE_HZ)
    wave = touch.prediction.audio[max(first, 0) : round((at_s + HEARD_S) * RATE_HZ)]
    return np.pad(wave, (max(-first, 0), max(0, round(0.1 * RATE_HZ) - wave.size)))
