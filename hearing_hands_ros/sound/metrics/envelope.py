"""How far a predicted course of level is from the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.sound.metrics.pair import checked_pair
from hearing_hands_ros.sound.metrics.room import distance_above_room

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
    """Distance of two envelopes at 90 Hz, as a share of what silence would get: 0 for the truth, 1 for silence.

    See `distance_above_room`.

    Args:
        truth: (L,) samples, not all zero.
        predicted: (L,) samples.
        sample_rate_hz: Of both.

    Returns:
        The distance, 0 or more; NaN if nothing stands out of the room in the truth.

    Raises:
        ValueError: They are not two finite sounds of one length, the truth is silent, or the rate is under 90 Hz.

    Source: envelope distance of Morgado et al. 2018, on envelopes at the rate of Owens et al. 2016 and compressed as
    theirs are (they with an exponent of 0.3), normalised.
    """
    a, b = checked_pair("envelope_distance", truth, predicted)
    if sample_rate_hz < ENVELOPE_RATE_HZ:
        raise ValueError(f"envelope_distance: sample_rate_hz wanted at least 90, got {sample_rate_hz}")
    return distance_above_room(*(envelope(wave, sample_rate_hz)[:, None] for wave in (a, b)))
