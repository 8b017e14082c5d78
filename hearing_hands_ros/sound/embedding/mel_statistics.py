"""An embedding that needs no weights: means and spreads of the log-mel spectrogram, and how its level moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.embedding.waves import levelled
from hearing_hands_ros.sound.mel import log_mel

NAME = "mel"
RATE_HZ = 16000
SECTIONS = 3
"""Parts of the sound, each half as long as the next, whose mean spectra are kept: how a touch rings down."""

RANGE = 2.5
"""Decades under the loudest cell in which levels count: a room's noise is no property of a touch."""

MODULATIONS = 24
"""Bins of the spectrum of the level over time: how often there is a touch."""


class MelStatistics:
    """Mean and spread of every band, mean of every band in each section, and the modulation of the level."""

    name = NAME
    licence = "none needed (no weights)"

    def __init__(self, sequence: SequenceConfig | None = None) -> None:
        self.sequence = sequence or SequenceConfig()
        self.dim = self.sequence.bins * (2 + SECTIONS) + MODULATIONS

    def embed(self, waves: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
        """Embed (B, L) samples at 16 kHz, each brought to a peak of 1 first, to (B, D).

        Raises:
            ValueError: `waves` is not (B, L), too short, not finite or at another rate.
        """
        config = self.sequence
        if sample_rate_hz != config.sample_rate_hz:
            raise ValueError(f"{NAME}: sample_rate_hz wanted {config.sample_rate_hz}, got {sample_rate_hz}")
        x = levelled(NAME, waves, shortest=2**SECTIONS * config.hop)
        parts = [self._statistics(log_mel(wave, config)) for wave in x]
        return np.stack(parts) if parts else np.zeros((0, self.dim), np.float32)

    def _statistics(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """(F, T) to (D,)."""
        mel = np.maximum(mel, mel.max() - RANGE)
        ends = np.cumsum(2 ** np.arange(SECTIONS)) * mel.shape[1] // (2**SECTIONS - 1)
        sections = np.split(mel, ends[:-1], axis=1)
        level = mel.mean(axis=0)
        # Padded to eight seconds, so that a bin is the same modulation frequency for every length.
        n = round(8.0 * self.sequence.mel_rate_hz)
        spectrum = np.abs(rfft(level - level.mean(), n=n))[: 8 * MODULATIONS] / np.sqrt(level.size)
        modulation = spectrum.reshape(MODULATIONS, -1).mean(axis=1)
        means = [section.mean(axis=1) for section in sections]
        return np.concatenate([mel.mean(axis=1), mel.std(axis=1), *means, modulation]).astype(np.float32)
