"""How bright a touch is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

_LEAST_RMS = 1e-4
"""A sound under -80 dBFS has no brightness of its own."""


def centroid_hz(wave: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Centre of the power spectrum: sum f |X(f)|^2 / sum |X(f)|^2.

    Args:
        wave: (L,) samples.
        sample_rate_hz: Of `wave`.

    Returns:
        Hz, between 0 and half the rate; NaN for silence.
    """
    x = wave.astype(np.float64)
    if x.size == 0 or float(np.sqrt(np.mean(x**2))) < _LEAST_RMS:
        return math.nan
    power = np.abs(rfft(x)) ** 2
    return float(power @ np.fft.rfftfreq(x.size, 1.0 / sample_rate_hz) / power.sum())


def centroid_error_octaves(truth: NDArray[np.float32], predicted: NDArray[np.float32], sample_rate_hz: int) -> float:
    """|log2(centroid of the prediction / centroid of the truth)| of one touch cut from both.

    Args:
        truth: (L,) samples.
        predicted: (L,) samples.
        sample_rate_hz: Of both.

    Returns:
        Octaves, 0 or more; NaN where one of them is silent.
    """
    a, b = centroid_hz(truth, sample_rate_hz), centroid_hz(predicted, sample_rate_hz)
    if not (a > 0 and b > 0):
        return math.nan
    return abs(math.log2(b / a))
