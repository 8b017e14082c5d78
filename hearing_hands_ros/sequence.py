"""Every rate and length of the package, derived from one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

LATENT_STRIDE = 2
"""Mel frames under one latent frame of the published autoencoder."""

VIEW_RATE_HZ = 4.0
"""Rate of the published image features, Hz."""


@dataclass(frozen=True)
class SequenceConfig:
    """Rates and lengths of sound, spectrogram, latent, hands and views; checked when made.

    The defaults are the published ones: an 8 s window has 128 000 samples, 500 mel frames, 250 latent frames, 240 hand
    frames and 32 views.

    Attributes:
        sample_rate_hz: Rate of every waveform in the core.
        hop: Samples between mel frames.
        window: Samples under one mel frame; also the length of the FFT.
        bins: Mel bands F.
        low_hz: Lower edge of the first band.
        high_hz: Upper edge of the last band, at most half of `sample_rate_hz`.
        hand_rate_hz: Rate of hand keypoints.

    Raises:
        ValueError: A field is not possible, alone or with another; the message names it.

    Source: Hearing Hands (arXiv 2506.09989), Make-An-Audio 2.
    """

    sample_rate_hz: int = 16000
    hop: int = 256
    window: int = 1024
    bins: int = 80
    low_hz: float = 0.0
    high_hz: float = 8000.0
    hand_rate_hz: float = 30.0

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "hop", "window", "bins"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"SequenceConfig: {name} wanted an integer of at least 1, got {value!r}")
        if self.hop > self.window:
            raise ValueError(f"SequenceConfig: hop wanted at most window ({self.window}), got {self.hop}")
        if (self.window - self.hop) % 2:
            raise ValueError(
                f"SequenceConfig: window - hop wanted an even number (it is padded half on each side), "
                f"got {self.window} - {self.hop}"
            )
        if not (0.0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2):
            raise ValueError(
                f"SequenceConfig: wanted 0 <= low_hz < high_hz <= {self.sample_rate_hz / 2} Hz, "
                f"got low_hz {self.low_hz}, high_hz {self.high_hz}"
            )
        if not (math.isfinite(self.hand_rate_hz) and self.hand_rate_hz > 0):
            raise ValueError(f"SequenceConfig: hand_rate_hz wanted a positive rate, got {self.hand_rate_hz}")

    @property
    def mel_rate_hz(self) -> float:
        """Mel frames per second (62.5 by default)."""
        return self.sample_rate_hz / self.hop

    @property
    def hop_s(self) -> float:
        """Seconds between mel frames."""
        return self.hop / self.sample_rate_hz

    @property
    def latent_rate_hz(self) -> float:
        """Latent frames per second (31.25 by default)."""
        return self.mel_rate_hz / LATENT_STRIDE

    @property
    def mel_padding(self) -> int:
        """Samples of reflection on each side, so that L samples give L // hop frames."""
        return (self.window - self.hop) // 2

    def samples(self, seconds: float) -> int:
        """Samples in `seconds`, rounded to the nearest."""
        return round(seconds * self.sample_rate_hz)

    def mel_frames(self, seconds: float) -> int:
        """Mel frames in `seconds`: whole hops only."""
        return self.samples(seconds) // self.hop

    def latent_frames(self, seconds: float) -> int:
        """Latent frames in `seconds`: whole strides only."""
        return self.mel_frames(seconds) // LATENT_STRIDE

    def hand_frames(self, seconds: float) -> int:
        """Hand frames in `seconds`, rounded to the nearest."""
        return round(seconds * self.hand_rate_hz)

    def view_frames(self, seconds: float) -> int:
        """Views of the scene in `seconds`, rounded to the nearest."""
        return round(seconds * VIEW_RATE_HZ)
