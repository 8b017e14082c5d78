"""The 1-D autoencoder between log-mel frames and latents at half their rate."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from hearing_hands_ros.model.published.config import AutoencoderConfig
from hearing_hands_ros.sequence import LATENT_STRIDE

ENCODER_KERNEL, DECODER_KERNEL, END_KERNEL = 5, 3, 5
LOG_VARIANCE = (-30.0, 20.0)


class Autoencoder(nn.Module):
    """Log-mel (B, 80, T) to a Gaussian over latents (B, 20, T / 2), and latents back to log-mel."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _Encoder(config)
        self.decoder = _Decoder(config)
        self.quant_conv = nn.Conv1d(2 * config.latent, 2 * config.latent, 1)
        self.post_quant_conv = nn.Conv1d(config.latent, config.latent, 1)

    def encode(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the encoder's own latent.

        Args:
            log_mel: (B, 80, T), T even and at least 2.

        Returns:
            (B, 20, T / 2) each.

        Raises:
            ValueError: The shape is not as above.
        """
        frames = log_mel.shape[-1]
        if log_mel.ndim != 3 or log_mel.shape[1] != self.config.bins or frames < 2 or frames % LATENT_STRIDE:
            raise ValueError(
                f"Autoencoder: log_mel wanted (B, {self.config.bins}, T) with T a multiple of {LATENT_STRIDE}, got "
                f"{tuple(log_mel.shape)}"
            )
        mean, log_variance = self.quant_conv(self.encoder(log_mel)).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def latent(self, log_mel: Tensor, generator: torch.Generator) -> Tensor:
        """A draw from the encoder, scaled as the velocity network is trained on it; (B, 20, T / 2)."""
        mean, log_variance = self.encode(log_mel)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        return self.config.scale * (mean + torch.exp(0.5 * log_variance) * noise)

    def decode(self, z: Tensor) -> Tensor:
        """Log-mel of the encoder's own latent.

        Args:
            z: (B, 20, T).

        Returns:
            (B, 80, 2 T).

        Raises:
            ValueError: The shape is not as above.
        """
        if z.ndim != 3 or z.shape[1] != self.config.latent or z.shape[2] < 1:
            raise ValueError(f"Autoencoder: z wanted (B, {self.config.latent}, T), got {tuple(z.shape)}")
        return self.decoder(self.post_quant_conv(z))

    def log_mel(self, latent: Tensor) -> Tensor:
        """Log-mel (B, 80, 2 T) of a latent (B, 20, T) as the velocity network knows it."""
        return self.decode(latent / self.config.scale)


class _Encoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.width * multiple for multiple in config.multiples]
        self.conv_in = _same(config.bins, widths[0], END_KERNEL)
        self.down = nn.ModuleList()
        for level, (before, after) in enumerate(pairwise([widths[0], *widths])):
            self.down.append(_DownLevel(before, after, config.encoder_blocks, halves=level == 0))
        self.mid = _Middle(widths[-1], ENCODER_KERNEL)
        self.norm_out = _norm(widths[-1])
        self.conv_out = _same(widths[-1], 2 * config.latent, END_KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(self.mid(x))))


class _Decoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.width * multiple for multiple in config.multiples]
        self.conv_in = _same(config.latent, widths[-1], END_KERNEL)
        self.mid = _Middle(widths[-1], DECODER_KERNEL)
        self.up = nn.ModuleList()
        for level, (after, before) in enumerate(pairwise([*widths, widths[-1]])):
            self.up.append(_UpLevel(before, after, config.encoder_blocks + 1, doubles=level == 1))
        self.norm_out = _norm(widths[0])
        self.conv_out = _same(widths[0], config.bins, END_KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class _DownLevel(nn.Module):
    """Residual blocks, then half the frames if so told."""

    def __init__(self, before: int, after: int, blocks: int, halves: bool) -> None:
        super().__init__()
        self.block = _blocks(before, after, blocks, ENCODER_KERNEL)
        self.downsample = _Down(after) if halves else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(self.block(x))


class _UpLevel(nn.Module):
    """Residual blocks, then twice the frames if so told."""

    def __init__(self, before: int, after: int, blocks: int, doubles: bool) -> None:
        super().__init__()
        self.block = _blocks(before, after, blocks, DECODER_KERNEL)
        self.upsample = _Up(after) if doubles else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample(self.block(x))


class _Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm x))))), x through a 1 x 1 convolution where the width changes."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.norm1 = _norm(before)
        self.conv1 = _same(before, after, kernel)
        self.norm2 = _norm(after)
        self.conv2 = _same(after, after, kernel)
        self.nin_shortcut = nn.Identity() if before == after else nn.Conv1d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.conv1(functional.silu(self.norm1(x)))
        inside = self.conv2(functional.silu(self.norm2(inside)))
        return self.nin_shortcut(x) + inside


class _Middle(nn.Module):
    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.block_1 = _Residual(width, width, kernel)
        self.attn_1 = _Attention(width)
        self.block_2 = _Residual(width, width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class _Attention(nn.Module):
    """Self-attention with one head over (B, C, T)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.q = nn.Conv1d(width, width, 1)
        self.k = nn.Conv1d(width, width, 1)
        self.v = nn.Conv1d(width, width, 1)
        self.proj_out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        q, k, v = (layer(normed).transpose(1, 2)[:, None] for layer in (self.q, self.k, self.v))
        attended = functional.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2)
        return x + self.proj_out(attended)


class _Down(nn.Module):
    """Half the frames; one zero on the right."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, stride=LATENT_STRIDE)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1)))


class _Up(nn.Module):
    """Every frame twice, then a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _same(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(torch.repeat_interleave(x, LATENT_STRIDE, dim=2))


def _blocks(before: int, after: int, count: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(a, b, kernel) for a, b in pairwise([before] + [after] * count)))


def _same(before: int, after: int, kernel: int) -> nn.Conv1d:
    return nn.Conv1d(before, after, kernel, padding=kernel // 2)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, width, eps=1e-6)
