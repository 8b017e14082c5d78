"""Log-mel spectrogram, as the published model wants it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft
from scipy.sparse import csr_array

from hearing_hands_ros.sequence import SequenceConfig

LOG_FLOOR = 1e-5
"""Magnitudes under this are raised to it, so no value is under -5."""

_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def mel_from_hz(hz: ArrayLike) -> NDArray[np.float64]:
    """Slaney's mel scale: linear under 1 kHz, logarithmic above.

    Args:
        hz: Any shape, Hz, not negative.

    Returns:
        The same shape, mel.

    Source: Slaney, Auditory Toolbox (1998).
    """
    f = np.asarray(hz, dtype=np.float64)
    return np.where(
        f < _BREAK_HZ, f / _LINEAR_HZ_PER_MEL, _BREAK_MEL + np.log(np.maximum(f, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    )


def hz_from_mel(mel: ArrayLike) -> NDArray[np.float64]:
    """Inverse of `mel_from_hz`.

    Args:
        mel: Any shape, mel.

    Returns:
        The same shape, Hz.
    """
    m = np.asarray(mel, dtype=np.float64)
    return np.where(
        m < _BREAK_MEL, m * _LINEAR_HZ_PER_MEL, _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(m, _BREAK_MEL) - _BREAK_MEL))
    )


@lru_cache(maxsize=8)
def mel_filters(config: SequenceConfig) -> NDArray[np.float32]:
    """Triangles that are even on Slaney's mel scale, each of area 2 / (its width in Hz).

    Args:
        config: Sample rate, window (the FFT length), bins and edges.

    Returns:
        (F, window // 2 + 1), not negative; shared, so read-only.

    Source: Slaney, Auditory Toolbox (1998); the same numbers as librosa's default.
    """
    edges = hz_from_mel(np.linspace(mel_from_hz(config.low_hz), mel_from_hz(config.high_hz), config.bins + 2))
    hz = np.fft.rfftfreq(config.window, 1.0 / config.sample_rate_hz)
    rise = (hz[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz[None]) / np.diff(edges)[1:, None]
    filters = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    result: NDArray[np.float32] = filters.astype(np.float32)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=8)
def _sparse_filters(config: SequenceConfig) -> csr_array:
    """The same; one value in forty is not zero, and a sparse product starts no threads that others must wait for."""
    return csr_array(mel_filters(config))


@lru_cache(maxsize=8)
def _hann(window: int) -> NDArray[np.float32]:
    """Periodic Hann window of `window` samples."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)


def log_mel(wave: NDArray[np.float32], config: SequenceConfig) -> NDArray[np.float32]:
    """Log10 of the magnitude in each mel band, clamped at 1e-5.

    Frame t is centred on sample (t + 1/2) * hop: the wave is reflected by (window - hop) / 2 samples on each side, so
    that L samples give L // hop frames.

    Args:
        wave: (L,) samples in [-1, 1] at `config.sample_rate_hz`, L > (window - hop) / 2 and L >= hop.
        config: The lengths.

    Returns:
        (F, T) with T = L // hop, never under -5.

    Raises:
        ValueError: `wave` is not one channel, is too short to reflect, or holds values that are not finite.

    Source: Make-An-Audio 2 (librosa filters, magnitude, log10), center=False with reflection.
    """
    x = np.asarray(wave, dtype=np.float32)
    if x.ndim != 1:
        raise ValueError(f"log_mel: wave wanted shape (L,), got {x.shape}")
    least = max(config.mel_padding + 1, config.hop)
    if x.size < least:
        raise ValueError(f"log_mel: wave wanted at least {least} samples, got {x.size}")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise ValueError(f"log_mel: wave wanted finite samples, got {bad} that are not")
    padded = np.pad(x, config.mel_padding, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.window)[:: config.hop]
    magnitude = np.abs(rfft(frames * _hann(config.window), axis=1))
    level = np.log10(np.maximum(_sparse_filters(config) @ magnitude.T, LOG_FLOOR))
    # The float32 nearest to 1e-5 is a little under it.
    result: NDArray[np.float32] = np.maximum(level, -5.0).astype(np.float32)
    return result
