"""Sound without weights: a phase that fits the magnitudes is searched for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.vocoder.bands import bands_of, bins_from_bands
from hearing_hands_ros.sound.vocoder.grid import LOWEST, checked

Wave = NDArray[np.float32]


class GriffinLim:
    """Phase by turns: the wave of a spectrum, the phase of that wave's spectrum, and again.

    Args:
        sequence: The mel grid.
        rounds: How often.
        momentum: How far a round runs ahead of the one before, 0..1.

    Raises:
        ValueError: `rounds` is under 1 or `momentum` is not from 0 to 1.

    Source: Perraudin, Balazs, Søndergaard, A fast Griffin-Lim algorithm (2013), alpha = momentum.
    """

    name = "griffin_lim"
    licence = "Apache-2.0"

    def __init__(self, sequence: SequenceConfig, rounds: int = 32, momentum: float = 0.99) -> None:
        if rounds < 1:
            raise ValueError(f"GriffinLim: rounds wanted at least 1, got {rounds}")
        if not 0.0 <= momentum <= 1.0:
            raise ValueError(f"GriffinLim: momentum wanted 0 to 1, got {momentum}")
        self.sequence = sequence
        self.rounds = rounds
        self.momentum = momentum
        n = np.arange(sequence.window)
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * n / sequence.window)).astype(np.float32)

    def synthesize(self, log_mel: NDArray[np.float32]) -> Wave:
        """As `Vocoder.synthesize`."""
        x = checked(self.name, log_mel, self.sequence)
        bands = np.where(x > LOWEST, np.float32(10.0) ** x, np.float32(0.0)).transpose(0, 2, 1)
        magnitude = bins_from_bands(bands, bands_of(self.sequence))
        # The same in every frame, so that two windows over one sound agree where they overlap.
        angle = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, magnitude.shape[-1])
        spectrum = magnitude * np.exp(1j * angle).astype(np.complex64)
        before = np.zeros_like(spectrum)
        for _ in range(self.rounds):
            found = self._spectrum(self._wave(spectrum))
            ahead = found + self.momentum * (found - before)
            spectrum = magnitude * ahead / (np.abs(ahead) + np.float32(1e-12))
            before = found
        wave = self._wave(spectrum)
        return wave if np.ndim(log_mel) == 3 else wave[0]

    def _wave(self, spectrum: NDArray[np.complex64]) -> Wave:
        """(B, T, W) to (B, T * hop): frame t is centred on sample (t + 1/2) * hop."""
        s = self.sequence
        frames = irfft(spectrum, n=s.window, axis=-1) * self._window
        weight = overlap_add(np.broadcast_to(self._window**2, (1, *frames.shape[1:])), s.hop)
        middle = slice(s.mel_padding, s.mel_padding + frames.shape[1] * s.hop)
        wave: Wave = overlap_add(frames, s.hop)[:, middle] / weight[:, middle]
        return wave

    def _spectrum(self, wave: Wave) -> NDArray[np.complex64]:
        """(B, T * hop) to (B, T, W)."""
        s = self.sequence
        padded = np.pad(wave, ((0, 0), (s.mel_padding, s.mel_padding)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, s.window, axis=-1)[:, :: s.hop]
        spectrum: NDArray[np.complex64] = rfft(frames * self._window, axis=-1)
        return spectrum


def overlap_add(frames: Wave, hop: int) -> Wave:
    """(B, T, window) frames to (B, (T - 1) * hop + window) samples, frame t laid down at t * hop."""
    batch, count, window = frames.shape
    pieces = -(-window // hop)
    padded = np.pad(frames, ((0, 0), (0, 0), (0, pieces * hop - window))).reshape(batch, count, pieces, hop)
    total = np.zeros((batch, count + pieces - 1, hop), frames.dtype)
    for piece in range(pieces):
        total[:, piece : piece + count] += padded[:, :, piece]
    return total.reshape(batch, -1)[:, : (count - 1) * hop + window]
