"""How far a predicted spectrogram is from the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import mel_filters
from hearing_hands_ros.sound.metrics.pair import checked_pair
from hearing_hands_ros.sound.metrics.room import distance_above_room


def stft_distance(truth: ArrayLike, predicted: ArrayLike, config: SequenceConfig) -> float:
    """Distance of two magnitude spectrograms, as a share of what silence would get: 0 for the truth, 1 for silence.

    Magnitudes of the short-time Fourier transform are pooled into mel bands, about as finely as an ear hears, because
    single bins of two noises of one spectrum differ by as much as they are large. Phase is not heard and not compared.
    The rest is `distance_above_room`.

    Args:
        truth: (L,) samples, not all zero.
        predicted: (L,) samples.
        config: Window, hop and bands.

    Returns:
        The distance, 0 or more; NaN if nothing stands out of the room in the truth.

    Raises:
        ValueError: They are not two finite sounds of one length, or the truth is silent.

    Source: STFT distance of Morgado et al. 2018 (Self-Supervised Generation of Spatial Audio for 360 Video), on
    compressed magnitudes of bands and normalised.
    """
    a, b = checked_pair("stft_distance", truth, predicted)
    return distance_above_room(_bands(a, config), _bands(b, config))


def _bands(wave: NDArray[np.float32], config: SequenceConfig) -> NDArray[np.float64]:
    """(L,) to (T, F) magnitudes; half a window of silence stands before and after."""
    padded = np.pad(wave, (config.window // 2, config.window // 2 + config.hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.window)[:: config.hop]
    magnitude = np.abs(rfft(frames * np.hanning(config.window).astype(np.float32), axis=1))
    return (magnitude @ mel_filters(config).T).astype(np.float64)
