"""Exchange parts of a network for ones that compute the same faster on a CPU."""

from __future__ import annotations

import torch
from torch import nn

from hearing_hands_ros.model.published.bigvgan import AntiAliasedSnake
from hearing_hands_ros.model.published.fused_snake import FusedSnake
from hearing_hands_ros.model.published.tiled_conv import TiledConv1d

NARROWEST = 96
"""Channels from which on a tiled convolution pays: the transforms cost as much however many there are."""


def accelerate(network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace wide convolutions and anti-aliased activations inside the network, for inference.

    In float32 the output keeps its value but for rounding (1e-6 of its std).

    Args:
        network: With its weights, on the CPU; is changed.
        dtype: Of the products in convolutions.
    """
    for name, part in network.named_children():
        if isinstance(part, AntiAliasedSnake):
            setattr(network, name, FusedSnake(part))
        elif isinstance(part, nn.Conv1d) and _pays(part):
            setattr(network, name, TiledConv1d(part, dtype))
        else:
            accelerate(part, dtype)


def _pays(conv: nn.Conv1d) -> bool:
    wide = min(conv.in_channels, conv.out_channels) >= NARROWEST
    return wide and conv.kernel_size[0] > 1 and conv.stride == (1,) and conv.groups == 1
