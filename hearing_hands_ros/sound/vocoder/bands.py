"""From the magnitudes of mel bands back to the magnitudes of the FFT's bins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import mel_filters

UPDATES = 3
"""More make the bands fit better, and single bins worse."""

_TINY = 1e-12

Array = TypeVar("Array", bound=Any)
"""numpy's or torch's; the matrices are of the same kind."""


class Bands(NamedTuple):
    """The matrices of `bins_from_bands`, (F, W) each with W = window // 2 + 1.

    Attributes:
        filters: What a band takes of each bin.
        share: What a bin gets of each band to begin with.
        weights: What a bin takes of each band's correction.
    """

    filters: Any
    share: Any
    weights: Any


@lru_cache(maxsize=8)
def bands_of(sequence: SequenceConfig) -> Bands:
    """The matrices for a mel grid, as read-only float32 arrays."""
    filters = mel_filters(sequence).astype(np.float64)
    weights = filters / np.maximum(filters.sum(axis=0), _TINY)
    # The outermost bins are in no band: they go with their neighbours.
    weights[:, 0], weights[:, -1] = weights[:, 1], weights[:, -2]
    share = weights / filters.sum(axis=1, keepdims=True)
    return Bands(*(_frozen(m) for m in (filters, share, weights)))


def bins_from_bands(bands: Array, matrices: Bands) -> Array:
    """Magnitudes of bins that give these bands, none negative.

    Args:
        bands: (..., F) magnitudes, not negative.
        matrices: From `bands_of`.

    Returns:
        (..., W); 0 where the bands around are 0.

    Source: multiplicative updates of Lee and Seung (2000) for the Kullback-Leibler divergence.
    """
    bins = bands @ matrices.share
    for _ in range(UPDATES):
        bins = bins * ((bands / (bins @ matrices.filters.T + _TINY)) @ matrices.weights)
    return bins


def _frozen(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = matrix.astype(np.float32)
    result.flags.writeable = False
    return result
