"""The network of the aisfx embedding, and the spectrogram that it hears."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import rfft
from torch import Tensor, nn
from torch.nn import functional

RATE_HZ = 44100
WINDOW = 2048
HOP = 1024
BANDS = 96
DIM = 512
LARGEST_LEVEL = 9.457798957824707
"""What levels are divided by: the largest one in the data that it was trained on."""

SHORTEST_FRAMES = 8
"""Three halvings must leave a frame."""


def filters() -> NDArray[np.float32]:
    """Triangles even on the mel scale of HTK, 0 Hz to half the rate, each of which sums to 1.

    mel(f) = 1127 ln(1 + f / 700); a triangle is straight on the mel axis, not on that of frequency.

    Returns:
        (BANDS, WINDOW // 2 + 1).

    Source: the published front end (Essentia's MelBands with its defaults).
    """
    mel = 1127.0 * np.log1p(np.fft.rfftfreq(WINDOW, 1.0 / RATE_HZ) / 700.0)
    edges = np.linspace(0.0, mel[-1], BANDS + 2)
    rise = (mel[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - mel[None]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return (triangles / triangles.sum(axis=1, keepdims=True)).astype(np.float32)


_FILTERS = filters()
_HANN = np.hanning(WINDOW).astype(np.float32)


def levels(waves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log power in each band: log10(1 + 10^4 p) / LARGEST_LEVEL.

    Frame t is centred on sample t * HOP; what is outside of the wave is silent.

    Args:
        waves: (B, L) at `RATE_HZ`.

    Returns:
        (B, T, BANDS) with T = ceil(L / HOP) or more, so that it is at least `SHORTEST_FRAMES`.
    """
    frames = max(-(-waves.shape[1] // HOP), SHORTEST_FRAMES)
    after = (frames - 1) * HOP + WINDOW // 2 - waves.shape[1]
    padded = np.pad(waves, ((0, 0), (WINDOW // 2, max(0, after))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP][:, :frames]
    power = np.abs(rfft(pieces * _HANN, axis=2)) ** 2 @ _FILTERS.T
    result: NDArray[np.float32] = (np.log10(1.0 + 1e4 * power) / LARGEST_LEVEL).astype(np.float32)
    return result


class ConvolutionBlock(nn.Module):
    """Two 3 x 3 convolutions with normalisation, (B, C, T, F) to (B, C', T, F)."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply."""
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class AisfxNetwork(nn.Module):
    """Levels (B, T, F) to embeddings (B, 512): mean over the bands, largest over time.

    Source: Ma and Lerch, Representation Learning for the Automatic Indexing of Sound Effects Libraries (ISMIR 2022);
    parameter names are those of its checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_block1 = ConvolutionBlock(1, DIM // 8)
        self.conv_block2 = ConvolutionBlock(DIM // 8, DIM // 4)
        self.conv_block3 = ConvolutionBlock(DIM // 4, DIM // 2)
        self.conv_block4 = ConvolutionBlock(DIM // 2, DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Embed; T of at least `SHORTEST_FRAMES`."""
        x = x[:, None]
        for block in (self.conv_block1, self.conv_block2, self.conv_block3):
            x = functional.max_pool2d(block(x), 2)
        return self.conv_block4(x).mean(dim=3).amax(dim=2)
