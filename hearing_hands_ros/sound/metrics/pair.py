"""The check that all measures of a pair of sounds share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def checked_pair(who: str, truth: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both sounds as float32.

    Args:
        who: Asks.
        truth: (L,) samples, not all zero.
        predicted: (L,) samples.

    Raises:
        ValueError: They are not two finite sounds of one channel and length, or the truth is silent.
    """
    a, b = np.asarray(truth, np.float32), np.asarray(predicted, np.float32)
    if a.ndim != 1 or a.size == 0 or a.shape != b.shape:
        raise ValueError(
            f"{who}: wanted truth and predicted of one shape (L,), L > 0, got {np.shape(truth)} and "
            f"{np.shape(predicted)}"
        )
    for name, wave in (("truth", a), ("predicted", b)):
        bad = int(np.count_nonzero(~np.isfinite(wave)))
        if bad:
            raise ValueError(f"{who}: {name} wanted finite samples, got {bad} that are not")
    if not a.any():
        raise ValueError(f"{who}: truth wanted sound, got silence")
    return a, b
