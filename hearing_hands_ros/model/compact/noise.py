"""Noise that belongs to a moment: the same mel frame starts from the same noise in every window that holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 64  # frames that are drawn at once


def noise_of_frames(first: int, frames: int, bins: int, seed: int) -> NDArray[np.float32]:
    """Standard normal noise of mel frames that are counted from the beginning of time.

    Args:
        first: Number of the first frame, at least 0.
        frames: How many, T.
        bins: F.
        seed: Another seed is another sound; at least 0.

    Returns:
        (F, T); a column depends on its frame and the seed alone.

    Raises:
        ValueError: A number is negative.
    """
    if min(first, frames, bins, seed) < 0:
        raise ValueError(f"noise_of_frames: wanted no negative number, got {(first, frames, bins, seed)}")
    begin, end = first // BLOCK, -(-(first + frames) // BLOCK)
    blocks = [
        np.random.Generator(np.random.Philox(key=[seed, block])).standard_normal((BLOCK, bins), np.float32)
        for block in range(begin, max(end, begin + 1))
    ]
    drawn = np.concatenate(blocks)[first - begin * BLOCK :][:frames]
    return np.ascontiguousarray(drawn.T)
