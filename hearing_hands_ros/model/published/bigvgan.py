"""BigVGAN's generator: log-mel to waveform."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from hearing_hands_ros.model.published.config import VocoderConfig

END_KERNEL = 7
FILTER = 12
"""Taps of the low-pass filters round every activation."""


class BigVGAN(nn.Module):
    """Upsampling convolutions, after each the mean of residual blocks with periodic activations.

    Source: Lee et al. 2023 (arXiv 2206.04658); `snakebeta` with logarithmic scale, AMP blocks of the first kind.
    """

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width >> stage for stage in range(len(config.rates) + 1)]
        self.conv_pre = nn.Conv1d(config.bins, widths[0], END_KERNEL, padding=END_KERNEL // 2)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for stage, (rate, kernel) in enumerate(zip(config.rates, config.kernels, strict=True)):
            before, after = widths[stage : stage + 2]
            up = nn.ConvTranspose1d(before, after, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.Sequential(up))
            for size in config.residual_kernels:
                self.resblocks.append(_ResidualBlock(after, size, config.dilations))
        self.activation_post = AntiAliasedSnake(widths[-1])
        self.conv_post = nn.Conv1d(widths[-1], 1, END_KERNEL, padding=END_KERNEL // 2)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the waveform.

        Args:
            log_mel: (B, 80, T), log10 of magnitude.

        Returns:
            (B, T * hop) samples in [-1, 1].

        Raises:
            ValueError: The shape is not as above.
        """
        if log_mel.ndim != 3 or log_mel.shape[1] != self.config.bins or log_mel.shape[2] < 1:
            raise ValueError(f"BigVGAN: log_mel wanted (B, {self.config.bins}, T), got {tuple(log_mel.shape)}")
        x = self.conv_pre(log_mel)
        count = len(self.config.residual_kernels)
        for stage, up in enumerate(self.ups):
            x = up(x)
            blocks = [block(x) for block in self.resblocks[stage * count : (stage + 1) * count]]
            x = torch.stack(blocks).sum(dim=0) / count
        return torch.tanh(self.conv_post(self.activation_post(x)))[:, 0]


class _ResidualBlock(nn.Module):
    """x += conv(snake(dilated conv(snake x))), once a dilation."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_dilated(width, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_dilated(width, kernel, 1) for _ in dilations)
        self.activations = nn.ModuleList(AntiAliasedSnake(width) for _ in range(2 * len(dilations)))

    def forward(self, x: Tensor) -> Tensor:
        for index, (first, second) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inside = first(self.activations[2 * index](x))
            x = x + second(self.activations[2 * index + 1](inside))
        return x


class AntiAliasedSnake(nn.Module):
    """x + sin^2(exp(alpha) x) / exp(beta) at twice the rate, so that the harmonics it makes do not alias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.act = _Snake(width)
        self.upsample = _Filter()
        self.downsample = _Downsample()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        channels = x.shape[1]
        wide = functional.pad(x, (FILTER // 2 - 1, FILTER // 2 - 1), mode="replicate")
        taps = self.upsample.filter.expand(channels, -1, -1)
        wide = 2.0 * functional.conv_transpose1d(wide, taps, stride=2, groups=channels)
        ends = FILTER + FILTER // 2 - 3
        wide = self.act(wide[..., ends:-ends])
        wide = functional.pad(wide, (FILTER // 2 - 1, FILTER // 2), mode="replicate")
        taps = self.downsample.lowpass.filter.expand(channels, -1, -1)
        return functional.conv1d(wide, taps, stride=2, groups=channels)


class _Snake(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        alpha, beta = torch.exp(self.alpha)[:, None], torch.exp(self.beta)[:, None]
        return x + torch.sin(alpha * x).square() / (beta + 1e-9)


class _Filter(nn.Module):
    """Taps of a low-pass filter; they come with the checkpoint."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", torch.zeros(1, 1, FILTER))


class _Downsample(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lowpass = _Filter()


def fold_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they act: weight = weight_g * weight_v / |weight_v|, the length over all but the first axis.

    Args:
        tensors: Name to tensor, with `weight_g` and `weight_v`.

    Returns:
        The same with `weight` for those two.

    Source: Salimans and Kingma 2016.
    """
    folded = {}
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".")
        if last == "weight_v":
            length = torch.linalg.vector_norm(tensor, dim=(1, 2), keepdim=True)
            folded[f"{stem}.weight"] = tensor * (tensors[f"{stem}.weight_g"] / length)
        elif last != "weight_g":
            folded[name] = tensor
    return folded


def _dilated(width: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(width, width, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
