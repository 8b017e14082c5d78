"""The same convolution with fewer multiplications: tiles of the signal, multiplied where convolution is a product."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def fourier(size: int, kernel: int) -> tuple[Array, Array, Array]:
    """A convolution of `kernel` taps on tiles of `size` samples: y = after ((taps w) (before x)).

    By a real discrete Fourier transform. One complex product takes three real ones (Gauss): with p = c (a + b),
    q = a (d - c) and r = b (c + d), (a + ib)(c + id) = (p - r) + i (p + q). All factors are sums of sines and cosines,
    so rounding is no worse than that of the plain sum.

    Args:
        size: Samples of a tile, even.
        kernel: Taps, at most `size`.

    Returns:
        after (size - kernel + 1, R), taps (R, kernel), before (R, size), R = 2 + 3 (size / 2 - 1) products.

    Source: Winograd 1980, chapter V (bilinear algorithms).
    """
    time = np.arange(size)
    kept = np.arange(size - kernel + 1)
    before, taps, after = [], [], []
    for bin_ in range(size // 2 + 1):
        angle = 2.0 * np.pi * bin_ * time / size
        a, b = np.cos(angle), -np.sin(angle)  # of the signal
        c, d = np.cos(angle[:kernel]), np.sin(angle[:kernel])  # of the taps, conjugate: correlation
        real = np.cos(angle[kept]) / size
        imaginary = -np.sin(angle[kept]) / size
        if bin_ in (0, size // 2):
            before.append(a)
            taps.append(c)
            after.append(real)
            continue
        before += [a + b, a, b]
        taps += [c, d - c, c + d]
        after += [2.0 * (real + imaginary), 2.0 * imaginary, -2.0 * real]
    return np.stack(after, axis=1), np.stack(taps), np.stack(before)


class TiledConv1d(nn.Module):
    """What an `nn.Conv1d` (stride 1, one group, zeros around) computes, from its weights; for inference on a CPU.

    Tiles are twice as long as the kernel of K taps, so an output takes (3 K - 1) / (K + 1) products and not K, and the
    weights three times the memory. Input and output are (B, C, T) whose memory is (B, T, C): a `transpose(1, 2)` of
    contiguous (B, T, C) costs nothing.
    """

    before: Tensor
    after: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv1d, dtype: torch.dtype = torch.float32) -> None:
        """Transform the weights.

        Args:
            conv: Is not changed.
            dtype: Of the products; their sums over channels are in float32.

        Raises:
            ValueError: The convolution is of another sort.
        """
        super().__init__()
        kernel, dilation, padding = conv.kernel_size[0], conv.dilation[0], conv.padding[0]
        if conv.stride != (1,) or conv.groups != 1 or not isinstance(padding, int) or conv.padding_mode != "zeros":
            raise ValueError(f"TiledConv1d: wanted stride 1, one group and zeros around, got {conv}")
        size = 2 * kernel
        self.size, self.step, self.dilation, self.padding = size, size - kernel + 1, dilation, padding
        self.shrinks = dilation * (kernel - 1) - 2 * padding
        after, taps, before = (torch.from_numpy(matrix).float() for matrix in fourier(size, kernel))
        self.register_buffer("before", before)
        self.register_buffer("after", after)
        with torch.no_grad():
            by_tap = conv.weight.float().permute(2, 1, 0).reshape(kernel, -1)
            weight = (taps @ by_tap).view(-1, conv.in_channels, conv.out_channels).to(dtype)
            # The product at frequency 0 reaches every sample alike, divided by the size.
            bias = torch.zeros(conv.out_channels) if conv.bias is None else size * conv.bias.float()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C', T')."""
        batch, channels, length = x.shape
        made = length - self.shrinks
        tiles = -(-made // (self.step * self.dilation))
        reach = (tiles * self.step + self.size - self.step) * self.dilation
        padded = functional.pad(x.transpose(1, 2), (0, 0, self.padding, reach - length - self.padding))
        # Samples that a dilated kernel meets lie in one of `dilation` interleaved signals.
        row = channels * self.dilation
        split = padded.as_strided(
            (self.size, batch, self.dilation, tiles, channels),
            (row, reach * channels, channels, self.step * row, 1),
        )
        count = batch * self.dilation * tiles
        signal = (self.before @ split.reshape(self.size, -1)).view(-1, count, channels).to(self.weight.dtype)
        products = torch.bmm(signal, self.weight).float()
        products[0] += self.bias
        samples = self.after @ products.view(len(products), -1)
        whole = samples.view(self.step, batch, self.dilation, tiles, -1).permute(1, 3, 0, 2, 4)
        return whole.reshape(batch, -1, whole.shape[-1])[:, :made].transpose(1, 2)
