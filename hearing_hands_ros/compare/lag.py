"""How late the microphone is: touches as TF has them laid over their onsets as they were heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.touch import RATE_HZ

Array = NDArray[np.float64]

SEARCH_S: Final = 1.0
"""Lags up to this are found, either way."""

AROUND_S: Final = SEARCH_S + 0.3
"""Sound that is wanted before and after the begin of a tap."""

EXPECTED_S: Final = 0.05
"""Of what is expected, so much before and after the begin of a tap counts: its onset."""

LEAST_TAPS: Final = 5
MOST_SPREAD_S: Final = 0.015
LEAST_AGREEING: Final = 0.5  # share of the taps
LIKENESS: Final = 0.8  # a second lag that fits the taps so well, compared with the first, makes both doubtful

_HOP: Final = RATE_HZ // 1000
_STEP_S: Final = _HOP / RATE_HZ  # 1 ms
_BACK: Final = 10  # ms before an instant that it must rise above
_QUIET_PERCENT, _MARGIN_DB, _FULL_DB, _SILENCE_DB = 20.0, 8.0, 20.0, -90.0
_NEAR_S: Final = 0.03  # of the lag that most taps agree on; what is farther is another sound
_LEAST_PEAK: Final = 0.3
_TWIN_S: Final = 0.05
_OUTLIER: Final = 3.0  # robust standard deviations
_SMOOTH: Final = np.exp(-0.5 * (np.arange(-9, 10) / 3.0) ** 2)  # standard deviation 3 ms


@dataclass(frozen=True)
class LagEstimate:
    """Heard less true time of a sound.

    Attributes:
        lag_s: Median over the taps, sharp ones counting for more.
        spread_s: Robust standard deviation (1.4826 times the median absolute deviation) of one tap's lag.
        used: Taps that agree.
        taps: Taps there were.
    """

    lag_s: float
    spread_s: float
    used: int
    taps: int

    def __str__(self) -> str:
        """For people."""
        return f"{1e3 * self.lag_s:.1f} ms, spread {1e3 * self.spread_s:.1f} ms, from {self.used} of {self.taps} taps"


class LagEstimator:
    """Collects taps; `estimate` says what lag they agree on.

    The onset strength of what was heard, h_i(t), is correlated with that of what was expected, e_i(t), both around the
    begin of tap i; c_i is the result. The lag that most taps agree on is the maximum of the mean of all c_i, so sounds
    of other touches average out. Near it each tap has a lag of its own, the maximum of c_i, with a parabola through its
    neighbours. The estimate is their median after outliers have been rejected; a tap has the square of its maximum for
    weight, since a sound that swells begins at no certain time, and never too early.
    """

    def __init__(self) -> None:
        self._correlations: list[Array] = []

    @property
    def taps(self) -> int:
        """Taps that were added."""
        return len(self._correlations)

    def add(self, heard: NDArray[np.float32], expected: NDArray[np.float32] | None = None) -> None:
        """Add a tap.

        Args:
            heard: (L,) samples at 16 kHz from `AROUND_S` before its begin to `AROUND_S` after it.
            expected: (M,) predicted samples at 16 kHz from `EXPECTED_S` before its begin to `EXPECTED_S` after it; None
                for a sound that begins with the tap at full strength.

        Raises:
            ValueError: A length is another, or a sample is not finite.
        """
        strength = onset_strength(_checked("heard", heard, AROUND_S))
        if expected is None:
            template = onset_strength(_burst())
        else:
            template = onset_strength(_checked("expected", expected, EXPECTED_S))
            if template.max() < _LEAST_PEAK:  # nothing begins in it: it says no more than the begin of the tap does
                template = onset_strength(_burst())
        smooth = np.convolve(strength, _SMOOTH, "same")
        # Where `heard` is on time, the result has its middle.
        self._correlations.append(np.correlate(smooth, template / template.sum(), "valid"))

    def estimate(self) -> LagEstimate:
        """The lag.

        Raises:
            ValueError: There are too few taps, too few of them agree, or two lags fit them alike.
        """
        if self.taps < LEAST_TAPS:
            raise ValueError(f"microphone lag: wanted {LEAST_TAPS} taps or more, got {self.taps}")
        curves = np.minimum(np.stack(self._correlations), 1.0)
        lags_s = (np.arange(curves.shape[1]) - (curves.shape[1] - 1) / 2) * _STEP_S
        mean = np.where(np.abs(lags_s) <= SEARCH_S, curves.mean(axis=0), 0.0)
        best = int(np.argmax(mean))
        found, weights = np.array([_peak(curve, lags_s, lags_s[best]) for curve in self._correlations]).T
        found, weights = found[weights > 0.0], weights[weights > 0.0] ** 2
        if found.size:
            near = _OUTLIER * max(_spread(found, weights), _STEP_S)
            agree = np.abs(found - _median(found, weights)) <= near
            found, weights = found[agree], weights[agree]
        least = max(LEAST_TAPS, round(LEAST_AGREEING * self.taps))
        if found.size < least:
            raise ValueError(
                f"microphone lag: wanted {least} of {self.taps} taps or more to agree on a lag within {SEARCH_S:g} s, "
                f"got {found.size}"
            )
        far = np.abs(lags_s - lags_s[best]) > _TWIN_S
        second = int(np.argmax(np.where(far, mean, 0.0)))
        if mean[second] > LIKENESS * mean[best]:
            raise ValueError(
                f"microphone lag: wanted one lag that fits the taps, got {lags_s[best]:.3f} s and "
                f"{lags_s[second]:.3f} s, which fit them alike; tap less evenly"
            )
        spread_s = _spread(found, weights)
        if spread_s > MOST_SPREAD_S:
            raise ValueError(
                f"microphone lag: wanted taps that agree within {1e3 * MOST_SPREAD_S:g} ms, got a spread of "
                f"{1e3 * spread_s:.1f} ms"
            )
        return LagEstimate(_median(found, weights), spread_s, int(found.size), self.taps)


def onset_strength(wave: NDArray[np.float32]) -> Array:
    """How steeply a sound rises, each millisecond.

    The level of the differentiated wave in 2 ms, no lower than 8 dB over its quietest fifth, less the highest of the
    10 ms before; 20 dB of rise are 1, and more is no more, so that loud taps do not outweigh others.

    Args:
        wave: (L,) samples at 16 kHz.

    Returns:
        (T,) 0 to 1, T = L // 16; value t belongs to millisecond t.
    """
    steps = len(wave) // _HOP
    rises = np.diff(wave[: steps * _HOP].astype(np.float64), prepend=float(wave[0]))
    energy = (rises.reshape(steps, _HOP) ** 2).mean(axis=1)
    level = 10.0 * np.log10(0.5 * (energy + np.append(energy[1:], energy[-1])) + 1e-20)
    floor = max(float(np.percentile(level, _QUIET_PERCENT)) + _MARGIN_DB, _SILENCE_DB)
    level = np.maximum(level, floor)
    before = np.lib.stride_tricks.sliding_window_view(np.append(np.full(_BACK, floor), level[:-1]), _BACK).max(axis=1)
    return np.asarray(np.clip((level - before) / _FULL_DB, 0.0, 1.0))


def _burst() -> NDArray[np.float32]:
    """A sound that begins at once in the middle, on a little noise, and dies away."""
    length = 2 * round(EXPECTED_S * RATE_HZ)
    noise = np.random.default_rng(0).normal(0.0, 1.0, length)
    since_s = (np.arange(length) - length // 2) / RATE_HZ
    shape = np.where(since_s >= 0.0, np.exp(-np.maximum(since_s, 0.0) / 0.02), 1e-3)
    return np.asarray(0.1 * noise * shape, np.float32)


def _checked(name: str, wave: NDArray[np.float32], around_s: float) -> NDArray[np.float32]:
    length = 2 * round(around_s * RATE_HZ)
    if wave.shape != (length,) or not np.isfinite(wave).all():
        raise ValueError(f"LagEstimator: {name} wanted ({length},) finite samples, got {wave.shape}")
    return wave


def _peak(curve: Array, lags_s: Array, around_s: float) -> tuple[float, float]:
    """Lag of a curve's maximum near a lag, between its steps, and the maximum; zeros if nothing stands out there."""
    near = np.flatnonzero(np.abs(lags_s - around_s) <= _NEAR_S)
    at = int(near[np.argmax(curve[near])])
    if curve[at] < _LEAST_PEAK or not 0 < at < len(curve) - 1:
        return 0.0, 0.0
    before, peak, after = curve[at - 1 : at + 2]
    bend = before - 2.0 * peak + after
    between = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return float(lags_s[at] + np.clip(between, -0.5, 0.5) * _STEP_S), float(peak)


def _median(values: Array, weights: Array) -> float:
    """The value up to which half of the weight lies."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(np.interp(0.5, share - 0.5 * weights[order] / weights.sum(), values[order]))


def _spread(values: Array, weights: Array) -> float:
    return 1.4826 * _median(np.abs(values - _median(values, weights)), weights)
