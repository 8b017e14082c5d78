"""The velocity network: a transformer over latent frames with wide convolutions as feed-forwards."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hearing_hands_ros.model.published.config import VelocityConfig

MAX_PERIOD = 10_000.0
STEPS = 1000
"""Time is told to the network as a whole number of thousandths."""


def published_step(t: Tensor) -> Tensor:
    """Time as the network knows it: truncated, so that 0.2 of the published grid (0.19999999) is 199.

    Args:
        t: Any shape, in 0..1, float32.

    Returns:
        The same shape, whole numbers.
    """
    return (t.float() * STEPS).to(torch.int64)


class VelocityNetwork(nn.Module):
    """Velocity of a latent at a step under a context."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.config = config
        width, half = config.width, config.width // 2
        self.t_embedder = _TimeEmbedder(config)
        self.c_embedder = _ContextEmbedder(config)
        self.proj_in = nn.Conv1d(config.latent, width, 5, padding=2)
        self.x_proj = nn.Linear(width, half)
        self.c_proj = nn.Linear(width, half)
        self.pos_emb = nn.Embedding(config.positions, width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.final_layer = _FinalLayer(config)

    def forward(self, x: Tensor, step: Tensor, context: Tensor) -> Tensor:
        """Return the velocity.

        Args:
            x: (B, 20, T) latent, T under `positions`.
            step: (B,) whole numbers in 0..999.
            context: (B, T, 768).

        Returns:
            (B, 20, T).

        Raises:
            ValueError: A shape is not as above.
        """
        return self.velocity(x, step, self.embed_context(context))

    def embed_context(self, context: Tensor) -> Tensor:
        """The context's part of the input, the same at every step.

        Args:
            context: (B, T, 768).

        Returns:
            (B, T, 288).
        """
        if context.ndim != 3 or context.shape[2] != self.config.context:
            raise ValueError(
                f"VelocityNetwork: context wanted (B, T, {self.config.context}), got {tuple(context.shape)}"
            )
        return self.c_proj(self.c_embedder(context))

    def velocity(self, x: Tensor, step: Tensor, embedded: Tensor) -> Tensor:
        """The velocity under a context that `embed_context` returned.

        Args:
            x: (B, 20, T).
            step: (B,).
            embedded: (B, T, 288).

        Returns:
            (B, 20, T).
        """
        self._check(x, step, embedded)
        tokens = torch.cat([self.x_proj(self.proj_in(x).transpose(1, 2)), embedded], dim=2)
        tokens = torch.cat([self.t_embedder(step)[:, None], tokens], dim=1)
        tokens = tokens + self.pos_emb.weight[: tokens.shape[1]]
        for block in self.blocks:
            tokens = block(tokens)
        return self.final_layer(tokens[:, 1:])

    def _check(self, x: Tensor, step: Tensor, embedded: Tensor) -> None:
        most = self.config.positions - 1
        if x.ndim != 3 or x.shape[1] != self.config.latent or not 1 <= x.shape[2] <= most:
            raise ValueError(
                f"VelocityNetwork: x wanted (B, {self.config.latent}, T) with T in 1..{most}, got {tuple(x.shape)}"
            )
        if step.shape != x.shape[:1] or embedded.shape[:2] != (x.shape[0], x.shape[2]):
            raise ValueError(
                f"VelocityNetwork: wanted a step ({len(x)},) and a context ({len(x)}, {x.shape[2]}, C) for x "
                f"{tuple(x.shape)}, got {tuple(step.shape)} and {tuple(embedded.shape)}"
            )


class _TimeEmbedder(nn.Module):
    """Sinusoids of the step, cosines first, through two layers: (B,) to (B, C)."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.frequency = config.frequency
        first = nn.Linear(config.frequency, config.width)
        self.mlp = nn.Sequential(first, nn.SiLU(), nn.Linear(config.width, config.width))

    def forward(self, step: Tensor) -> Tensor:
        half = self.frequency // 2
        order = torch.arange(half, dtype=torch.float32, device=step.device)
        angle = step[:, None].float() * torch.exp(-math.log(MAX_PERIOD) / half * order)
        sinusoid = torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)
        return self.mlp(sinusoid)


class _ContextEmbedder(nn.Module):
    """(B, T, 768) to (B, T, C)."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(config.context, config.width),
            nn.GELU(approximate="tanh"),
            nn.Linear(config.width, config.width),
            nn.LayerNorm(config.width),
        )

    def forward(self, context: Tensor) -> Tensor:
        return self.mlp(context)


class _Block(nn.Module):
    """Two attentions and a feed-forward between two projections, with a residual round all of it: (B, T, C) to same."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        width = config.width
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.proj_in = nn.Conv1d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([_Transformer(config)])
        self.proj_out = nn.Conv1d(width, width, 1)
        for parameter in self.proj_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        inside = _pointwise(self.proj_in, self.norm(tokens.transpose(1, 2)).transpose(1, 2))
        for transformer in self.transformer_blocks:
            inside = transformer(inside)
        return tokens + _pointwise(self.proj_out, inside)


class _Transformer(nn.Module):
    """x += attention(norm x), twice; x += feed-forward(norm x)."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.attn1 = _Attention(config)
        self.ff = _FeedForward(config)
        self.attn2 = _Attention(config)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.norm3 = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x))
        return x + self.ff(self.norm3(x))


class _Attention(nn.Module):
    """Self-attention; queries, keys and values without bias, the output with one."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.to_q = nn.Linear(config.width, config.width, bias=False)
        self.to_k = nn.Linear(config.width, config.width, bias=False)
        self.to_v = nn.Linear(config.width, config.width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(config.width, config.width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.to_q, self.to_k, self.to_v))
        return self.to_out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, heads, T, C / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class _FeedForward(nn.Module):
    """Convolution to value and gate, value * GELU(gate), convolution back."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        inside, kernel = config.growth * config.width, config.kernel
        gated = _Gated(nn.Conv1d(config.width, 2 * inside, kernel, padding=kernel // 2))
        back = nn.Conv1d(inside, config.width, kernel, padding=kernel // 2)
        self.net = nn.ModuleList([gated, nn.Identity(), back])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x.transpose(1, 2))).transpose(1, 2)


class _Gated(nn.Module):
    """(B, C, T) to (B, C', T): value * GELU(gate)."""

    def __init__(self, proj: nn.Module) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=1)
        return value * functional.gelu(gate)


class _FinalLayer(nn.Module):
    """(B, T, C) to the velocity (B, 20, T)."""

    def __init__(self, config: VelocityConfig) -> None:
        super().__init__()
        self.norm_final = nn.GroupNorm(16, config.width, eps=1e-5)
        self.conv1d = nn.Conv1d(config.width, config.latent, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.conv1d(self.norm_final(tokens.transpose(1, 2)))


def _pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of kernel 1 on (B, T, C), as the matrix product that it is."""
    return functional.linear(x, layer.weight[:, :, 0], layer.bias)
