"""What a vocoder is trained to make small."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import LOG_FLOOR, mel_filters

WINDOWS = (256, 512, 1024, 2048)
FLOOR = 1e-5


def magnitudes(wave: Tensor, window: int) -> Tensor:
    """(B, L) to (B, window // 2 + 1, T) magnitudes under a Hann window, a quarter of it apart."""
    hann = torch.hann_window(window, device=wave.device)
    return torch.stft(wave, window, window // 4, window=hann, pad_mode="constant", return_complex=True).abs()


def spectral_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean over `WINDOWS` of spectral convergence and log-magnitude error.

    Args:
        made: (B, L).
        wanted: (B, L).

    Returns:
        Scalar, nepers; 0 where both have the same magnitudes.

    Source: Yamamoto et al., Parallel WaveGAN (2020), eq. 4 to 6.
    """
    loss = made.new_zeros(())
    for window in WINDOWS:
        m, w = magnitudes(made, window), magnitudes(wanted, window)
        convergence = (w - m).norm(dim=(1, 2)) / (w.norm(dim=(1, 2)) + FLOOR)
        log_error = (w.clamp_min(FLOOR).log() - m.clamp_min(FLOOR).log()).abs().mean()
        loss = loss + convergence.mean() + log_error
    return loss / len(WINDOWS)


class MelLoss(torch.nn.Module):
    """Mean absolute difference of log-mels, in the units of `sound.mel.log_mel`."""

    filters: Tensor
    window: Tensor

    def __init__(self, sequence: SequenceConfig) -> None:
        super().__init__()
        self.sequence = sequence
        self.register_buffer("filters", torch.from_numpy(np.array(mel_filters(sequence))))
        self.register_buffer("window", torch.hann_window(sequence.window))

    def log_mel(self, wave: Tensor) -> Tensor:
        """(B, L) to (B, F, T): `sound.mel.log_mel` with a gradient."""
        s = self.sequence
        padded = torch.nn.functional.pad(wave, (s.mel_padding, s.mel_padding), mode="reflect")
        spectrum = torch.stft(padded, s.window, s.hop, window=self.window, center=False, return_complex=True)
        return (self.filters @ spectrum.abs()).clamp_min(LOG_FLOOR).log10()

    def forward(self, made: Tensor, wanted: Tensor) -> Tensor:
        """(B, L), (B, L) to a scalar."""
        return (self.log_mel(made) - self.log_mel(wanted)).abs().mean()
