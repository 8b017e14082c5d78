"""Noise of the robot itself, learned while nothing touches, and taken out before touches are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.signal import ShortTimeFFT, get_window

RATE_HZ: Final = 16_000
WINDOW, HOP = 512, 128
LEAST_S: Final = 1.0
OVER: Final = 2.0
"""Noise is taken for this many times its mean power: a single moment of it is often as loud."""

LEAST_GAIN: Final = 0.1
"""What is taken out goes down by 20 dB at most, so that no silence is left where there is none."""

Array = NDArray[np.float32]

_TRANSFORM: Final = ShortTimeFFT(get_window("hann", WINDOW), HOP, RATE_HZ)


@dataclass(frozen=True, eq=False)
class EgoNoise:
    """Mean power of the robot's noise in each frequency bin.

    p(v) = still + moving v^2, with v the speed of what moves (a hand, a joint): fans run always, motors when they move.

    Attributes:
        still: (WINDOW // 2 + 1,) not negative.
        moving: The same, for each (m/s)^2.
    """

    still: NDArray[np.float64]
    moving: NDArray[np.float64]

    @classmethod
    def learn(cls, stretches: Sequence[tuple[Array, float]]) -> EgoNoise:
        """Learn from sound without contact.

        Args:
            stretches: Samples (L,) at 16 kHz, and the speed during them, at least 0. Of one speed only, all noise is
                taken for that of standing still.

        Raises:
            ValueError: They are shorter than `LEAST_S` together, or not finite.
        """
        length_s = sum(samples.size for samples, _ in stretches) / RATE_HZ
        if length_s < LEAST_S:
            raise ValueError(f"EgoNoise: wanted {LEAST_S:g} s without contact or more, got {length_s:.2f} s")
        powers, speeds = [], []
        for samples, speed in stretches:
            power = np.abs(_TRANSFORM.stft(_checked(samples))) ** 2
            powers.append(power.T)
            speeds += [speed] * power.shape[1]
        frames, speed_of = np.concatenate(powers), np.array(speeds)
        if np.ptp(speed_of) == 0.0:
            return cls(frames.mean(axis=0), np.zeros(frames.shape[1]))
        ways = np.stack([np.ones_like(speed_of), speed_of**2], axis=1)
        # Both parts are powers: least squares with none of them negative.
        found = np.stack([nnls(ways, frames[:, band])[0] for band in range(frames.shape[1])])
        return cls(found[:, 0], found[:, 1])

    def power(self, speed_mps: NDArray[np.floating]) -> NDArray[np.float64]:
        """(T,) speeds to (T, WINDOW // 2 + 1) mean power."""
        speeds = np.asarray(speed_mps, np.float64)
        return np.asarray(self.still + self.moving * speeds[:, None] ** 2)

    def removed(self, samples: Array, speed_mps: NDArray[np.floating] | float = 0.0) -> Array:
        """Take the noise out of a sound, each moment and frequency by how much of it is noise (a Wiener filter).

        Args:
            samples: (L,) at 16 kHz.
            speed_mps: At each of T moments spread evenly over the sound, or all the time.

        Returns:
            (L,), never louder.

        Raises:
            ValueError: `samples` is not one finite channel of `WINDOW` or more.
        """
        x = _checked(samples)
        spectrum = _TRANSFORM.stft(x)
        given = np.atleast_1d(np.asarray(speed_mps, np.float64))
        moments = np.linspace(0.0, 1.0, spectrum.shape[1])
        speeds = np.interp(moments, np.linspace(0.0, 1.0, given.size), given) if given.size > 1 else given
        noise = np.broadcast_to(self.power(speeds), spectrum.T.shape).T
        heard = np.abs(spectrum) ** 2
        gain = np.clip(1.0 - OVER * noise / np.maximum(heard, 1e-20), LEAST_GAIN, 1.0)
        return np.asarray(_TRANSFORM.istft(gain * spectrum, k1=x.size), np.float32)


def _checked(samples: Array) -> NDArray[np.float64]:
    x = np.asarray(samples, np.float64)
    if x.ndim != 1 or x.size < WINDOW or not np.isfinite(x).all():
        raise ValueError(f"EgoNoise: samples wanted {WINDOW} finite values or more in one channel, got {x.shape}")
    return x
