"""What stands out of a room: distances are not to be won or lost by hiss."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

QUIET_SHARE = 0.2
MARGIN = 2.0
"""Over the quiet level; the level of noise in one frame and band seldom reaches it."""


def distance_above_room(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Distance of two courses of level, as a share of what silence would get.

    d = ||(s - n)+^(1/2) - (p - n)+^(1/2)|| / ||(s - n)+^(1/2)||, where s and p are the true and the predicted
    magnitudes and n, for each band, is `MARGIN` times the level that the truth stays under for `QUIET_SHARE` of the
    time: the room. The square root compresses level about as loudness does, so that the loudest millisecond does not
    decide alone.

    The truth scores 0, silence and the room alone 1; without a room the truth at another gain g scores |g^(1/2) - 1|;
    nothing bounds it from above.

    Args:
        truth: (T, F) magnitudes, 0 or more.
        predicted: (T, F) magnitudes, 0 or more.

    Returns:
        0 or more; NaN if nothing of the truth stands out.
    """
    room = MARGIN * np.quantile(truth, QUIET_SHARE, axis=0)
    s, p = (np.sqrt(np.maximum(levels - room, 0.0)) for levels in (truth, predicted))
    size = float(np.linalg.norm(s))
    return float(np.linalg.norm(s - p)) / size if size > 0 else math.nan
