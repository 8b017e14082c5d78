"""The network of the iSTFT-head vocoder: log-mel to spectrum to wave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.vocoder.bands import Bands, bands_of, bins_from_bands
from hearing_hands_ros.sound.vocoder.grid import LOWEST

_MOMENTUM = 0.9
"""How far a round runs ahead of the one before, as in the fast Griffin-Lim algorithm."""

_TINY = 1e-6
_MOST_GAIN = 4.0
"""Largest correction of a magnitude by the network, in nepers."""


@dataclass(frozen=True)
class IstftConfig:
    """Size of the network.

    Attributes:
        channels: Width of the backbone.
        blocks: ConvNeXt blocks in it.
        expansion: Width inside a block over `channels`.
        kernel: Mel frames that a block's convolution sees, odd.
        rounds: How often the phase is replaced by that of the wave it gives.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    channels: int = 192
    blocks: int = 8
    expansion: int = 3
    kernel: int = 7
    rounds: int = 10

    def __post_init__(self) -> None:
        for name in ("channels", "blocks", "expansion", "kernel", "rounds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"IstftConfig: {name} wanted an integer of at least 1, got {value!r}")
        if self.kernel % 2 == 0:
            raise ValueError(f"IstftConfig: kernel wanted an odd number, got {self.kernel}")


class IstftNetwork(nn.Module):
    """Log-mel to a complex spectrum to a wave.

    The magnitude starts at what the mel bands say of the bins under them, and the network corrects it. The phase is the
    network's, then, as Griffin and Lim do, a few times that of the wave it gives; the network is trained through these
    rounds. A band at the floor counts as 0, so silence gives silence.

    Source: Siuzdak, Vocos (2023), for backbone and head; Masuyama et al., Deep Griffin-Lim Iteration (2019), for the
        rounds.
    """

    filters: Tensor
    share: Tensor
    weights: Tensor
    window: Tensor

    def __init__(self, config: IstftConfig, sequence: SequenceConfig) -> None:
        super().__init__()
        c = config.channels
        self.rounds = config.rounds
        self.sequence = sequence
        self.embed = nn.Conv1d(sequence.bins, c, config.kernel, padding=config.kernel // 2)
        self.norm_in = nn.LayerNorm(c)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.norm_out = nn.LayerNorm(c)
        self.head = nn.Linear(c, 2 * (sequence.window // 2 + 1))
        for name, matrix in bands_of(sequence)._asdict().items():
            self.register_buffer(name, torch.from_numpy(np.array(matrix)), persistent=False)
        self.register_buffer("window", torch.hann_window(sequence.window), persistent=False)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Make waves.

        Args:
            log_mel: (B, F, T), log10, `LOWEST` to `HIGHEST`.

        Returns:
            (B, T * hop).
        """
        return self.search(*self.polar(log_mel))

    def search(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """(B, T, W) magnitude and phase to begin with, to (B, T * hop): the rounds, and the wave of the last."""
        spectrum, weight = torch.polar(magnitude, phase), self.weight(magnitude.shape[1])
        before = None
        for _ in range(self.rounds):
            found = self.spectrum(self.wave(spectrum, weight))
            ahead = found if before is None else found + _MOMENTUM * (found - before)
            spectrum = magnitude * ahead / (ahead.abs() + _TINY)
            before = found
        return self.wave(spectrum, weight)

    def polar(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitude and phase before the rounds, (B, T, W) each, of a (B, F, T) log-mel."""
        x = log_mel.transpose(1, 2)
        bands = torch.where(x > LOWEST, torch.pow(10.0, x), 0.0)
        start = bins_from_bands(bands, Bands(self.filters, self.share, self.weights))
        # Silence is 0, so what is beyond the ends looks like silence.
        h = self.norm_in(self.embed((log_mel - LOWEST) / 2.0).transpose(1, 2))
        for block in self.blocks:
            h = block(h)
        gain, phase = self.head(self.norm_out(h)).chunk(2, dim=-1)
        return start * gain.clamp(-_MOST_GAIN, _MOST_GAIN).exp(), phase

    def wave(self, spectrum: Tensor, weight: Tensor) -> Tensor:
        """(B, T, W) complex to (B, T * hop): frame t is centred on sample (t + 1/2) * hop; see `weight`."""
        frames = torch.fft.irfft(spectrum, n=self.sequence.window) * self.window
        return self._middle(overlap_add(frames, self.sequence.hop), frames.shape[1]) / weight

    def weight(self, frames: int) -> Tensor:
        """(1, T * hop) sum of the squared windows of T frames."""
        squared = (self.window**2).expand(1, frames, -1)
        return self._middle(overlap_add(squared, self.sequence.hop), frames)

    def _middle(self, laid: Tensor, frames: int) -> Tensor:
        """What lies under the hops of T frames."""
        return laid[:, self.sequence.mel_padding :][:, : frames * self.sequence.hop]

    def spectrum(self, wave: Tensor) -> Tensor:
        """(B, T * hop) to (B, T, W) complex."""
        s = self.sequence
        frames = pad(wave, (s.mel_padding, s.mel_padding)).unfold(1, s.window, s.hop)
        return torch.fft.rfft(frames * self.window)


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """(B, T, window) frames to (B, (T - 1) * hop + window) samples, frame t laid down at t * hop."""
    count, window = frames.shape[1:]
    pieces = -(-window // hop)
    parts = pad(frames, (0, pieces * hop - window)).reshape(-1, count, pieces, hop)
    laid = [pad(parts[:, :, p], (0, 0, p, pieces - 1 - p)) for p in range(pieces)]
    return torch.stack(laid).sum(0).flatten(1)[:, : (count - 1) * hop + window]


class _Block(nn.Module):
    """ConvNeXt block over (B, T, C)."""

    def __init__(self, config: IstftConfig) -> None:
        super().__init__()
        c = config.channels
        self.across = nn.Conv1d(c, c, config.kernel, padding=config.kernel // 2, groups=c)
        self.norm = nn.LayerNorm(c)
        self.widen = nn.Linear(c, config.expansion * c)
        self.narrow = nn.Linear(config.expansion * c, c)
        self.scale = nn.Parameter(torch.full((c,), 1.0 / config.blocks))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.across(x.transpose(1, 2)).transpose(1, 2))
        return x + self.scale * self.narrow(gelu(self.widen(h)))
