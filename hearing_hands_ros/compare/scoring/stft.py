"""Distance of heard and predicted sound at several resolutions."""

from __future__ import annotations

from typing import Final

import numpy as np

from hearing_hands_ros.compare.scoring.material import predicted_wave
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, HeardTouch
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.spectral import stft_distance

RESOLUTIONS: Final = tuple(SequenceConfig(hop=window // 4, window=window, bins=40) for window in (512, 1024, 2048))
SPAN_S: Final = 0.6
BEFORE_S: Final = 0.2


class StftDistance:
    """Mean over three windows of `stft_distance` of the predicted sound, brought to the level of what was heard."""

    name = "stft"

    def score(self, touch: HeardTouch) -> float:
        """0 for the same sound, 1 for silence."""
        onset_s = touch.lead_s if touch.onset_s is None else touch.onset_s
        before = round(BEFORE_S * RATE_HZ)
        heard = touch.samples[max(0, round(onset_s * RATE_HZ) - before) : round(touch.end_s * RATE_HZ)]
        predicted = predicted_wave(touch)[round(LEAD_S * RATE_HZ) - before :]
        length = min(heard.size, predicted.size, before + round(SPAN_S * RATE_HZ))
        heard, predicted = heard[:length], predicted[:length]
        gain = np.sqrt(float(np.mean(heard**2)) / max(float(np.mean(predicted**2)), 1e-12))
        return float(np.mean([stft_distance(heard, gain * predicted, one) for one in RESOLUTIONS]))
