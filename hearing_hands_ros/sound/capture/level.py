"""How loud a stream is: clipping, silence, dead channels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -200.0


def dbfs(amplitude: float) -> float:
    """Return an amplitude (1 is full scale) in decibels, not below `FLOOR_DBFS`."""
    return max(FLOOR_DBFS, 20.0 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DBFS


class LevelMeter:
    """Follows peak and RMS of each channel; the mean does not count, so a constant is silence too.

    Args:
        channels: Channels of the stream.
        sample_rate_hz: Its rate.
        clip_level: Magnitude from which a sample counts as clipped.
        silence_dbfs: RMS below which a block is silent.
    """

    def __init__(self, channels: int, sample_rate_hz: int, clip_level: float, silence_dbfs: float) -> None:
        self.channels, self.sample_rate_hz, self.clip_level = channels, sample_rate_hz, clip_level
        self.silence = 10.0 ** (silence_dbfs / 20.0)
        self.peak = 0.0
        self.rms = np.zeros(channels)
        self._quiet_frames = np.zeros(channels, np.int64)

    def measure(self, data: NDArray[np.float32]) -> int:
        """Take a block of (frames * channels,) interleaved samples; return how many of them are clipped."""
        wave = data.reshape(-1, self.channels)
        self.peak = max(float(data.max()), -float(data.min()))
        # In float64: next to a large constant, float32 would lose what is quiet.
        wave64 = wave.astype(np.float64)
        mean = np.ones(len(wave64)) @ wave64 / len(wave64)
        power = np.einsum("fc,fc->c", wave64, wave64) / len(wave64) - mean * mean
        self.rms = np.sqrt(np.maximum(power, 0.0))
        self._quiet_frames += len(wave)
        self._quiet_frames[self.rms >= self.silence] = 0
        return int(np.count_nonzero(np.abs(data) >= self.clip_level)) if self.peak >= self.clip_level else 0

    def silent_channels(self, after_s: float) -> list[int]:
        """Return the channels that have been silent for `after_s` or longer, counted from 0."""
        return [int(c) for c in np.flatnonzero(self._quiet_frames >= after_s * self.sample_rate_hz)]

    @property
    def is_flat(self) -> bool:
        """The last block was one constant: a cable, a driver or a mute switch rather than a quiet room."""
        return bool((self.rms < 1e-7).all())
