"""What a vocoder takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sequence import SequenceConfig

LOWEST, HIGHEST = -5.0, 2.0
"""No wave in [-1, 1] has a log-mel under or over these."""


def checked(who: str, log_mel: NDArray[np.float32], sequence: SequenceConfig) -> NDArray[np.float32]:
    """A batch of spectrograms in range.

    Args:
        who: For the message: the vocoder.
        log_mel: (B, F, T) or (F, T).
        sequence: Gives F.

    Returns:
        (B, F, T) or (1, F, T), clipped to `LOWEST`..`HIGHEST`.

    Raises:
        ValueError: The shape is another, there are no frames, or a value is NaN.
    """
    x = np.asarray(log_mel, dtype=np.float32)
    if x.ndim not in (2, 3) or x.shape[-2] != sequence.bins or x.size == 0:
        raise ValueError(
            f"{who}: log_mel wanted shape (B, {sequence.bins}, T) or ({sequence.bins}, T) with B, T >= 1, got {x.shape}"
        )
    bad = int(np.count_nonzero(np.isnan(x)))
    if bad:
        raise ValueError(f"{who}: log_mel wanted numbers, got {bad} NaN of {x.size} values")
    clipped: NDArray[np.float32] = np.clip(x.reshape(-1, *x.shape[-2:]), LOWEST, HIGHEST)
    return clipped
