"""The velocity network: a transformer over tokens of two mel frames.

Shapes: B batch, F mel bands, T = PATCH * N mel frames, N tokens, C touches, D image features, W width, L blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from hearing_hands_ros.model.compact.conditions import HAND_CHANNELS, TOUCH_CHANNELS, Conditions
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig

TIME_CHANNELS = 128
STEPS = 1000.0  # of the sinusoids: t runs from 0 to 1
LEAST_FEATURE_STD, FEATURE_LIMIT = 1e-3, 5.0


@dataclass(frozen=True)
class ConditionBatch:
    """Conditions of B windows, filled up to one length.

    Attributes:
        hands: (B, N, 2 * HAND_CHANNELS).
        touches: (B, N, 2 * TOUCH_CHANNELS).
        touched: (B, N, 2) int64, 0 to C.
        looks: (B, C, D).
        scene: (B, D).
        tokens: (B,) int64, how many of the N each window has.
    """

    hands: Tensor
    touches: Tensor
    touched: Tensor
    looks: Tensor
    scene: Tensor
    tokens: Tensor

    @classmethod
    def of(cls, conditions: Sequence[Conditions], device: torch.device | str = "cpu") -> ConditionBatch:
        """Stack conditions; shorter windows are filled with zeros."""
        pad = nn.utils.rnn.pad_sequence

        def stacked(name: str) -> Tensor:
            return pad([torch.from_numpy(getattr(c, name)) for c in conditions], batch_first=True).to(device)

        tokens = torch.tensor([len(c.hands) for c in conditions], device=device)
        scene = torch.stack([torch.from_numpy(c.scene) for c in conditions]).to(device)
        return cls(stacked("hands"), stacked("touches"), stacked("touched"), stacked("looks"), scene, tokens)


class CompactNetwork(nn.Module):
    """Velocity of a normalised log-mel.

    Positions are relative and attention reaches `config.reach` tokens to each side, so a window of any length is
    treated alike. What depends on the conditions alone is computed once, by `context`, for all steps of a solver.

    Args:
        config: Sizes.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        width, look = config.dim, config.dim // 2
        self.looks, self.scene = _seeing(config.feature_dim, look), _seeing(config.feature_dim, look)
        self.no_look = nn.Parameter(torch.zeros(look))  # no touch yet
        self.blind = nn.Parameter(torch.zeros(2, look))  # vision was left out: of the touched place, of the scene
        self.numb = nn.Parameter(torch.zeros(width))  # hands were left out
        self.motion = nn.Linear(2 * (HAND_CHANNELS + TOUCH_CHANNELS), width)
        self.join = nn.Sequential(nn.Linear(width + 3 * look, width), nn.GELU(), nn.Linear(width, width))
        self.null = nn.Parameter(torch.zeros(width))  # in place of all conditions
        self.remind = nn.Linear(width, config.depth * width)  # each block of the conditions
        self.enter = nn.Linear(PATCH * config.bins + width, width)
        self.time = nn.Sequential(nn.Linear(TIME_CHANNELS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, config.heads) for _ in range(config.depth))
        self.last = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, PATCH * config.bins)
        for layer in (self.last, self.leave, self.remind):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def stepped(self) -> list[nn.Linear]:
        """The linear layers that are asked in each step of a solver; `context` is computed once, by the others."""
        parts = (self.enter, self.time, self.modulation, self.blocks, self.last, self.leave)
        return [layer for part in parts for layer in part.modules() if isinstance(layer, nn.Linear)]

    def context(self, batch: ConditionBatch, see: Tensor | None = None, feel: Tensor | None = None) -> Tensor:
        """What the conditions say of each token.

        Args:
            batch: Of B windows.
            see: (B,) bool, whose vision is taken; all if None.
            feel: (B,) bool, whose hands and touches are taken; all if None.

        Returns:
            (B, N, (1 + L) * W).
        """
        looks, scene = self.looks(batch.looks), self.scene(batch.scene)
        motion = self.motion(torch.cat([batch.hands, batch.touches], dim=-1))
        if see is not None:
            looks = torch.where(see[:, None, None], looks, self.blind[0])
            scene = torch.where(see[:, None], scene, self.blind[1])
        touched = batch.touched
        if feel is not None:
            motion = torch.where(feel[:, None, None], motion, self.numb)
            # Nobody says which place is touched when: the first one stands for all.
            touched = torch.where(feel[:, None, None], touched, touched.flatten(1).amax(1).clamp(max=1)[:, None, None])
        looks = torch.cat([self.no_look.to(looks.dtype).expand(len(looks), 1, -1), looks], dim=1)
        which = touched.flatten(1)[..., None].expand(-1, -1, looks.shape[-1])
        seen = looks.gather(1, which).reshape(*touched.shape[:2], -1)
        everywhere = scene[:, None].expand(-1, seen.shape[1], -1)
        joined = self.join(torch.cat([motion, seen, everywhere], dim=-1))
        return torch.cat([joined, self.remind(joined)], dim=-1)

    def null_context(self, context: Tensor) -> Tensor:
        """Context of no conditions at all, of the shape of `context`."""
        return torch.cat([self.null, self.remind(self.null)]).to(context.dtype).expand_as(context)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Velocity at x.

        Args:
            x: (B, F, T) normalised log-mel, T = PATCH * N.
            t: (B,) in 0..1.
            context: (B, N, (1 + L) * W).
            tokens: (B,) how many of the N each window has; all if None.

        Returns:
            (B, F, T).

        Raises:
            ValueError: The shapes do not fit.
        """
        batch, bins, frames = x.shape
        count = context.shape[1]
        if bins != self.config.bins or frames != PATCH * count or context.shape[0] != batch:
            raise ValueError(
                f"CompactNetwork: x wanted ({context.shape[0]}, {self.config.bins}, {PATCH * count}) for a context of "
                f"{count} tokens, got {tuple(x.shape)}"
            )
        patches = x.reshape(batch, bins, count, PATCH).permute(0, 2, 3, 1).flatten(2)
        joined, *reminders = context.to(patches.dtype).chunk(1 + len(self.blocks), dim=-1)
        h = self.enter(torch.cat([patches, joined], dim=-1))
        step = self.time(_sinusoids(t).to(h.dtype))
        shifts = self._shifts(self.modulation(step))
        mask = _band(count, self.config.reach, x.device)
        if tokens is not None:
            there = torch.arange(count, device=x.device) < tokens[:, None]
            mask = mask & (there[:, None, :] | torch.eye(count, dtype=torch.bool, device=x.device))
            mask = mask[:, None]
        turns = _turns(count, self.config.dim // self.config.heads, x.device)
        for block, reminder, shift in zip(self.blocks, reminders, shifts.unbind(), strict=True):
            h = block(h + reminder, shift, mask, turns)
        scale, move = self.last(step)[:, None].chunk(2, dim=-1)
        h = self.leave(fn.layer_norm(h, h.shape[-1:]) * (1 + scale) + move)
        return h.reshape(batch, count, PATCH, bins).permute(0, 3, 1, 2).flatten(2)

    def _shifts(self, shift: Tensor) -> Tensor:
        """What each block scales and moves by at a step: (B, 6 W) to (L, 6, B, 1, W), scale, move, gate and again."""
        offsets = torch.stack([block.get_parameter("offset") for block in self.blocks])
        shifts = shift.reshape(len(shift), 6, 1, -1).transpose(0, 1) + offsets[:, :, None, None]
        # Scales and gates are factors around 1, moves are not. Made on the device, for a CUDA graph takes no other.
        is_factor = torch.arange(6, device=shift.device) % 3 != 1
        return shifts + is_factor.to(shifts.dtype)[:, None, None, None]


class Normalise(nn.Module):
    """Image features to zero mean and unit variance of each number over the training's; limited, as what is far from
    everything that was seen in training says nothing but that.

    Args:
        dim: D.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def learn(self, features: Tensor) -> None:
        """Take mean and deviation of features (M, D), M at least 1."""
        std, mean = torch.std_mean(features.float(), dim=0, correction=0)
        self.mean.copy_(mean)
        self.std.copy_(std.clamp(min=LEAST_FEATURE_STD))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return ((x.float() - self.mean) / self.std).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)

    def undone(self, x: Tensor) -> Tensor:
        """Features (..., D) that would be normalised to x."""
        return x * self.std + self.mean


def _seeing(dim: int, width: int) -> nn.Sequential:
    return nn.Sequential(Normalise(dim), nn.Linear(dim, width), nn.GELU(), nn.Linear(width, width))


class _Block(nn.Module):
    """Attention and a gated feed-forward, both scaled and shifted by the step."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.offset = nn.Parameter(torch.zeros(6, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.widen = nn.Linear(width, 2 * (8 * width // 3 // 8 * 8))
        self.narrow = nn.Linear(self.widen.out_features // 2, width)

    def forward(self, h: Tensor, shift: Tensor, mask: Tensor, turns: Tensor) -> Tensor:
        """(B, N, W) to (B, N, W); `shift` is (6, B, 1, W), of `CompactNetwork`."""
        scale1, move1, gate1, scale2, move2, gate2 = shift.unbind()
        normal = fn.layer_norm(h, h.shape[-1:]) * scale1 + move1
        qkv = self.qkv(normal).reshape(*h.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = _turned(qkv[:2], turns).unbind()
        attended = fn.scaled_dot_product_attention(q, k, qkv[2], attn_mask=mask)
        h = h + gate1 * self.mix(attended.transpose(1, 2).flatten(2))
        normal = fn.layer_norm(h, h.shape[-1:]) * scale2 + move2
        value, gate = self.widen(normal).chunk(2, dim=-1)
        return h + gate2 * self.narrow(value * fn.silu(gate))


def _sinusoids(t: Tensor) -> Tensor:
    """(B,) times to (B, TIME_CHANNELS)."""
    half = TIME_CHANNELS // 2
    rates = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device) / half)
    angle = t.float()[:, None] * STEPS * rates
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def _band(count: int, reach: int, device: torch.device) -> Tensor:
    """(N, N) bool: who sees whom."""
    place = torch.arange(count, device=device)
    return (place[:, None] - place[None]).abs() <= reach


def _turns(count: int, channels: int, device: torch.device) -> Tensor:
    """(2, N, channels / 2) cosines and sines of rotary positions."""
    half = channels // 2
    rates = torch.exp(-math.log(1000.0) * torch.arange(half, device=device) / half)
    angle = torch.arange(count, device=device)[:, None] * rates
    return torch.stack([angle.cos(), angle.sin()])


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Rotate pairs of channels of (..., N, channels) by their position (Su et al. 2021)."""
    cos, sin = turns.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
