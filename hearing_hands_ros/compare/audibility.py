"""Whether a touch should be heard, and whether anything was."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from hearing_hands_ros.compare.scoring.picture import TouchPicture, smooth
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, Prediction
from hearing_hands_ros.sequence import SequenceConfig

LEAST_RISE_DB: Final = 10.0
"""A touch that should stand out by less than this of those before it is not missed when no onset is heard."""

STANDS_OUT: Final = 2.0
"""Times the room's noise in all bands together."""

BEGIN_S: Final = -0.03


def stands_out(seen: TouchPicture) -> bool:
    """Whether anything louder than the room was heard from a touch's begin on."""
    after = seen.between(BEGIN_S, math.inf)
    return bool(smooth(after.heard.sum(axis=1)).max(initial=0.0) > STANDS_OUT * seen.noise.sum())


def expected_rise_db(prediction: Prediction, contact: Contact, sequence: SequenceConfig | None = None) -> float:
    """How far a touch should stand out of what still sounds of the touches before it.

    Args:
        prediction: Of the touch and of those before it.
        contact: The touch within it.
        sequence: Rates and lengths of the prediction.

    Returns:
        Predicted level of the loudest frame in the 80 ms from its begin on, at the lower end of the predicted spread,
        less that of the frames in the 60 ms before, at its upper end, dB; infinite if the prediction begins with the
        touch.
    """
    config = sequence or SequenceConfig()
    mean, spread = prediction.log_mel.astype(np.float64), prediction.log_mel_std.astype(np.float64)
    least, most = ((100.0 ** (mean + sign * spread)).sum(axis=0) for sign in (-1.0, 1.0))
    at = (contact.start_ns - prediction.start_ns) / NANOSECONDS * config.mel_rate_hz
    # Windows reach half their length over the frames' own hops: two frames before the begin already hear it.
    before = most[max(0, round(at - 2 - 0.06 * config.mel_rate_hz)) : max(0, round(at - 2))]
    after = least[round(at) : round(at + 0.08 * config.mel_rate_hz) + 1]
    if not before.size or not after.size:
        return math.inf
    return float(10.0 * np.log10(after.max() / before.max()))
