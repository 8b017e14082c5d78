"""How far a predicted course of level is from the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.sound.metrics.pair import checked_pair

ENVELOPE_RATE_HZ = 90.0


def envelope(wave: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """Root mean square of each 1/90 s.

    Args:
        wave: (L,) samples.
        sample_rate_hz: Of `wave`.

    Returns:
        (T,) with T = ceil(90 L / rate).
    """
    edges = np.arange(0.0, wave.size, sample_rate_hz / ENVELOPE_RATE_HZ)
    starts = np.unique(np.rint(edges).astype(int).clip(max=wave.size - 1))
    energy = np.add.reduceat(wave.astype(np.float64) ** 2, starts)
    return np.sqrt(energy / np.diff(np.append(starts, wave.size)))


def envelope_distance(truth: ArrayLike, predicted: ArrayLike, sample_rate_hz: int) -> float:
    """Distance of two envelopes, as a share of what silence would get.

    d = ||e^(1/2) - p^(1/2)|| / ||e^(1/2)||, with e and p the envelopes at 90 Hz. The truth scores 0, silence 1 whatever
    the truth, the truth at another gain g scores |g^(1/2) - 1|.

    Args:
        truth: (L,) samples, not all zero.
        predicted: (L,) samples.
        sample_rate_hz: Of both.

    Returns:
        The distance, 0 or more.

    Raises:
        ValueError: They are not two finite sounds of one length, the truth is silent, or the rate is under 90 Hz.

    Source: envelope distance of Morgado et al. 2018, on envelopes at the rate of Owens et al. 2016 and compressed as
    theirs are (they with an exponent of 0.3), normalised.
    """
    a, b = checked_pair("envelope_distance", truth, predicted)
    if sample_rate_hz < ENVELOPE_RATE_HZ:
        raise ValueError(f"envelope_distance: sample_rate_hz wanted at least 90, got {sample_rate_hz}")
    e, p = np.sqrt(envelope(a, sample_rate_hz)), np.sqrt(envelope(b, sample_rate_hz))
    return float(np.linalg.norm(e - p) / np.linalg.norm(e))
