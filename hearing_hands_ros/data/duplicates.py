"""Which recordings are the same recording under another name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq

PLAIN_LEAST = 0.97
"""Waves that match this well are one recording, filtered or mixed a little."""

WHITE_LEAST = 0.6
"""The same for whitened waves, where one strong resonance in common no longer counts."""

WHITE_LEAST_SAME_LENGTH = 0.4
"""The same for whitened waves of exactly one length: cut from the same place of one session."""

_RATE_HZ = 16000
_SPEEDS = np.concatenate([np.arange(0.86, 0.996, 0.0025), np.arange(1.005, 1.17, 0.0025)])


def _whitened(wave: NDArray[np.float32], n: int) -> NDArray[np.complex64]:
    """(n // 2 + 1,) unit-energy spectrum, flat from 150 to 7000 Hz except where it is 40 dB under its peak."""
    hz = rfftfreq(n, 1.0 / _RATE_HZ)
    spectrum = rfft(wave, n)
    width = max(3, round(200.0 * n / _RATE_HZ)) | 1
    smooth = np.sqrt(np.convolve(np.abs(spectrum) ** 2, np.ones(width) / width, mode="same"))
    white = spectrum / np.maximum(smooth, smooth.max() * 1e-2) * ((hz > 150.0) & (hz < 7000.0))
    result: NDArray[np.complex64] = (white / np.sqrt(2.0 * np.sum(np.abs(white) ** 2) / n)).astype(np.complex64)
    return result


def _best_match(a: NDArray[np.complex64], b: NDArray[np.complex64], n: int) -> NDArray[np.float32]:
    """(n/2+1,) against (N, n/2+1) unit-energy spectra: the largest |cross-correlation| at any lag, (N,)."""
    best: NDArray[np.float32] = np.abs(irfft(a.conj()[None] * b, n, axis=1)).max(axis=1).astype(np.float32)
    return best


def matches(waves: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How well each pair of waves matches at its best lag and sign.

    Args:
        waves: N waves of (L_i,) samples at 16 kHz; what follows 2 s is not looked at.

    Returns:
        Two (N, N) matrices in [0, 1]: of the waves as they are, and whitened.

    Raises:
        ValueError: A wave is silent.
    """
    cut = [w[: 2 * _RATE_HZ] for w in waves]
    for i, w in enumerate(cut):
        if not np.any(w):
            raise ValueError(f"matches: wanted waves with sound, got wave {i} of nothing but zeros")
    n = 1 << int(np.ceil(np.log2(2 * max(w.size for w in cut))))
    plain = np.stack([(rfft(w, n) / np.linalg.norm(w)).astype(np.complex64) for w in cut])
    white = np.stack([_whitened(w, n) for w in cut])
    results = []
    for spectra in (plain, white):
        matrix = np.eye(len(cut), dtype=np.float32)
        for i in range(len(cut) - 1):
            matrix[i, i + 1 :] = matrix[i + 1 :, i] = _best_match(spectra[i], spectra[i + 1 :], n)
        results.append(np.minimum(matrix, 1.0))
    return results[0], results[1]


def speed_matches(waves: Sequence[NDArray[np.float32]], begins_s: Sequence[float]) -> NDArray[np.float32]:
    """How well each pair matches, whitened, when one is played up to 16 % faster or slower.

    Args:
        waves: N waves of (L_i,) samples at 16 kHz.
        begins_s: Where each begins to sound; only 10 ms before to 150 ms after are compared.

    Returns:
        (N, N) in [0, 1].
    """
    n = 8192
    cut = []
    for wave, begin_s in zip(waves, begins_s, strict=True):
        at = round(begin_s * _RATE_HZ)
        cut.append(wave[max(0, at - 160) : at + 2400])
    white = np.stack([_whitened(w, n) for w in cut])
    best = np.eye(len(cut), dtype=np.float32)
    for speed in _SPEEDS:
        changed = np.stack([_whitened(soxr.resample(w, _RATE_HZ, _RATE_HZ * speed), n) for w in cut])
        for i in range(len(cut) - 1):
            best[i, i + 1 :] = np.maximum(best[i, i + 1 :], _best_match(white[i], changed[i + 1 :], n))
    both: NDArray[np.float32] = np.minimum(np.maximum(best, best.T), np.float32(1.0))
    return both


def groups(linked: NDArray[np.bool_]) -> list[int]:
    """Connected parts of a graph.

    Args:
        linked: (N, N), symmetric; True where two recordings may be one.

    Returns:
        For each recording the smallest index of its part.
    """
    label = list(range(linked.shape[0]))
    for i, j in zip(*np.nonzero(np.triu(linked, 1)), strict=True):
        a, b = sorted((label[i], label[j]))
        if a != b:
            label = [a if v == b else v for v in label]
    return label
