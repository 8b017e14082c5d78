"""How far a predicted spectrogram is from the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft

from hearing_hands_ros.sound.metrics.pair import checked_pair

WINDOW = 1024
HOP = 256


def stft_distance(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Distance of two magnitude spectrograms, as a share of what silence would get.

    d = ||S^(1/2) - P^(1/2)|| / ||S^(1/2)||, where S and P are the magnitudes of the true and the predicted short-time
    Fourier transform (Hann window of 1024 samples, hop 256) and ||.|| sums over time and frequency. The square root
    compresses level about as loudness does, so that the loudest millisecond does not decide alone; phase is not heard
    and not compared.

    The truth scores 0, silence 1 whatever the truth, the truth at another gain g scores |g^(1/2) - 1|; another noise of
    the same spectrum scores about 0.38; nothing bounds it from above.

    Args:
        truth: (L,) samples, not all zero.
        predicted: (L,) samples.

    Returns:
        The distance, 0 or more.

    Raises:
        ValueError: They are not two finite sounds of one length, or the truth is silent.

    Source: STFT distance of Morgado et al. 2018 (Self-Supervised Generation of Spatial Audio for 360 Video), on
    compressed magnitudes and normalised.
    """
    a, b = checked_pair("stft_distance", truth, predicted)
    s, p = _root_magnitude(a), _root_magnitude(b)
    return float(np.linalg.norm(s - p) / np.linalg.norm(s))


def _root_magnitude(wave: NDArray[np.float32]) -> NDArray[np.float64]:
    """(L,) to (T, WINDOW // 2 + 1); half a window of silence stands before and after."""
    padded = np.pad(wave, (WINDOW // 2, WINDOW // 2 + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.sqrt(np.abs(rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)).astype(np.float64))
