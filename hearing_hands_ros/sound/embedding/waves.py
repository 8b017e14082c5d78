"""The check and the level that all embeddings share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUIETEST_PEAK = 1e-2
"""Sounds are brought to a peak of 1, but raised by 40 dB at most: a silent room stays nearly silent."""


def levelled(who: str, waves: NDArray[np.float32], shortest: int = 1) -> NDArray[np.float32]:
    """Check sounds and bring each to a peak of 1.

    Args:
        who: Asks.
        waves: (B, L) samples.
        shortest: Least L.

    Returns:
        (B, L), divided by their peaks, or by `QUIETEST_PEAK` where that is more.

    Raises:
        ValueError: `waves` is not (B, L), L is too short, or values are not finite.
    """
    x = np.asarray(waves, dtype=np.float32)
    if x.ndim != 2 or x.shape[1] < shortest:
        raise ValueError(f"{who}: waves wanted shape (B, L) with L of at least {shortest}, got {x.shape}")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise ValueError(f"{who}: waves wanted finite samples, got {bad} that are not")
    peaks = np.abs(x).max(axis=1, keepdims=True)
    result: NDArray[np.float32] = x / np.maximum(peaks, QUIETEST_PEAK)
    return result
