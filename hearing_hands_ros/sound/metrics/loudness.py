"""How loud a touch is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOUDEST_S = 0.05
QUIETEST_DBFS = -80.0
"""Levels under this are raised to it: about what a quiet microphone adds by itself, so silence is a finite error."""


def level_dbfs(wave: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Level of the loudest 50 ms.

    Args:
        wave: (L,) samples, L > 0.
        sample_rate_hz: Of `wave`.

    Returns:
        dB over full scale (a mean square of 1), `QUIETEST_DBFS` or more.
    """
    n = min(wave.size, max(1, round(LOUDEST_S * sample_rate_hz)))
    total = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    loudest = float((total[n:] - total[:-n]).max()) / n
    return max(QUIETEST_DBFS, 10.0 * float(np.log10(max(loudest, 1e-30))))


def level_error_db(truth: NDArray[np.float32], predicted: NDArray[np.float32], sample_rate_hz: int) -> float:
    """|level of the prediction - level of the truth|, dB, of one touch cut from both.

    Args:
        truth: (L,) samples.
        predicted: (L,) samples.
        sample_rate_hz: Of both.

    Returns:
        dB, 0 or more. A sound that is silent where it should not be is off by the level over -80 dBFS.
    """
    return abs(level_dbfs(predicted, sample_rate_hz) - level_dbfs(truth, sample_rate_hz))
