"""How far a vocoded sound is from the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

WINDOWS = (512, 1024, 2048)
FLOOR = 1e-5
"""Magnitudes under this are raised to it."""


def multi_resolution_error(made: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Spectral convergence plus log-magnitude error, the mean over three windows.

    For each n of `WINDOWS`, with Hann windows of n samples n / 4 apart and zeros around the wave:
    `norm(W - M) / norm(W) + mean(abs(ln W - ln M))`, with M and W the magnitudes of `made` and `wanted`. Phase does not
    count; silence scores about 1 plus the log of the level.

    Args:
        made: (L,) samples.
        wanted: (L,) samples, not silent.

    Returns:
        0 for the same sound; nepers.

    Raises:
        ValueError: The shapes differ, or `wanted` is silent.

    Source: Yamamoto et al., Parallel WaveGAN (2020), eq. 4 to 6, with other windows.
    """
    if made.ndim != 1 or made.shape != wanted.shape:
        raise ValueError(f"multi_resolution_error: wanted two waves of one length, got {made.shape} and {wanted.shape}")
    if not np.any(wanted):
        raise ValueError(f"multi_resolution_error: wanted sound to compare with, got {wanted.size} zeros")
    total = 0.0
    for window in WINDOWS:
        m, w = _magnitudes(made, window), _magnitudes(wanted, window)
        convergence = np.linalg.norm(w - m) / np.linalg.norm(w)
        log_error = np.abs(np.log(np.maximum(w, FLOOR)) - np.log(np.maximum(m, FLOOR))).mean()
        total += float(convergence + log_error)
    return total / len(WINDOWS)


def _magnitudes(wave: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)
    padded = np.pad(wave.astype(np.float32), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[:: window // 4]
    return np.abs(rfft(frames * hann, axis=-1))
