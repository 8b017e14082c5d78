"""Where a heard touch differs from the predicted one: in which band, when, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.picture import BANDS, POOLED, SEQUENCE, TouchPicture, decibel
from hearing_hands_ros.sound.mel import hz_from_mel, mel_from_hz

RANGE_DB = 40.0
"""Levels this far under the loudest are not compared."""

OVER_NOISE_DB = 6.0
"""Single cells of noise vary by so much."""

LEAST_SPREAD_DB = 4.0
"""Two recordings of one touch differ by so much, whatever a predictor says."""

EXPECTED_SPREADS = 1.5
"""Differences up to here are those of normal touches."""

BEFORE_S = 0.02
"""Begin of what belongs to a touch, before its onset."""


@dataclass(frozen=True)
class Difference:
    """The stretch of time and frequency in which a touch differs most.

    Attributes:
        low_hz: Its lower edge.
        high_hz: Its upper edge.
        begin_s: When it begins, from the begin of the touch.
        end_s: When it ends.
        by_db: Mean level, heard less expected, after the same gain for the whole touch.
    """

    low_hz: float
    high_hz: float
    begin_s: float
    end_s: float
    by_db: float

    def __str__(self) -> str:
        """For people."""
        how = "louder" if self.by_db > 0 else "quieter"
        return (
            f"{abs(self.by_db):.0f} dB {how} than expected at {self.low_hz / 1e3:.1f} to {self.high_hz / 1e3:.1f} kHz, "
            f"{self.begin_s:.2f} to {self.end_s:.2f} s after the touch"
        )


def level_difference(picture: TouchPicture) -> NDArray[np.float64]:
    """How much louder each cell was heard than expected.

    Args:
        picture: T frames, B bands.

    Returns:
        (T, B) dB; one gain for the whole touch is taken out, and what neither side has above the room's noise is 0.
    """
    heard, expected = decibel(picture.heard), decibel(picture.expected)
    floor = np.maximum(decibel(picture.noise)[None] + OVER_NOISE_DB, heard.max() - RANGE_DB)
    gain = 0.0
    for _ in range(3):  # the floor under both depends on the gain, and the gain on what is over the floor
        over = (heard > floor) | (expected + gain > floor)
        if not over.any():
            return np.zeros_like(heard)
        gain += _most_common((np.maximum(heard, floor) - np.maximum(expected + gain, floor))[over])
    difference: NDArray[np.float64] = np.maximum(heard, floor) - np.maximum(expected + gain, floor)
    return difference


def where_it_differs(picture: TouchPicture) -> Difference | None:
    """The rectangle of time and frequency that speaks most against the prediction.

    Of all rectangles the one in which differences, in spreads of the prediction and beyond what normal touches have,
    sum up to most.

    Args:
        picture: T frames, B bands.

    Returns:
        Where it is; None if nothing is beyond what is expected.
    """
    after = picture.time_s >= -BEFORE_S
    time_s, difference = picture.time_s[after], level_difference(picture)[after]
    spreads = difference / np.maximum(picture.spread[after], LEAST_SPREAD_DB)
    found = max((_largest(sign * spreads - EXPECTED_SPREADS) for sign in (1.0, -1.0)), key=lambda item: item[0])
    most, rows, bands = found
    if not most > 0.0:
        return None
    half_s = 0.5 * SEQUENCE.hop_s
    edges = _band_edges_hz()
    begin_s = max(float(time_s[rows.start]) - half_s, 0.0)
    return Difference(
        float(edges[bands.start]),
        float(edges[bands.stop]),
        begin_s,
        max(float(time_s[rows.stop - 1]) + half_s, begin_s),  # it may all lie in the frames just before the touch
        float(difference[rows, bands].mean()),
    )


def _most_common(difference: NDArray[np.float64]) -> float:
    """The gain that most cells agree on, dB; what is missing or strange does not pull at it as at a mean."""
    gains = np.arange(np.floor(difference.min()), difference.max() + 1.0)
    near = np.exp(-0.5 * ((difference[None] - gains[:, None]) / LEAST_SPREAD_DB) ** 2).sum(axis=1)
    return float(gains[near.argmax()])


def _largest(gain: NDArray[np.float64]) -> tuple[float, slice, slice]:
    """Sum, rows and columns of the rectangle of (T, B) with the largest sum: Kadane's scan for all pairs of columns."""
    total = np.concatenate([np.zeros((len(gain), 1)), gain.cumsum(axis=1)], axis=1)
    first, last = np.triu_indices(gain.shape[1] + 1, k=1)
    running, begin = np.zeros(len(first)), np.zeros(len(first), np.int64)
    best, rows = np.full(len(first), -np.inf), np.zeros((2, len(first)), np.int64)
    for row, sums in enumerate(total):
        begin = np.where(running > 0.0, begin, row)
        running = np.maximum(running, 0.0) + sums[last] - sums[first]
        better = running > best
        best = np.where(better, running, best)
        rows = np.where(better, [begin, np.full_like(begin, row + 1)], rows)
    at = int(best.argmax())
    return float(best[at]), slice(int(rows[0, at]), int(rows[1, at])), slice(int(first[at]), int(last[at]))


def _band_edges_hz() -> NDArray[np.float64]:
    """(BANDS + 1,) from the middle of the filter before each band to that of the first one after it."""
    low, high = (float(mel_from_hz(hz)) for hz in (SEQUENCE.low_hz, SEQUENCE.high_hz))
    step = (high - low) / (SEQUENCE.bins + 1)
    return np.asarray(hz_from_mel(low + step * (0.5 + POOLED * np.arange(BANDS + 1))))
