"""Sizes of the compact network."""

from __future__ import annotations

from dataclasses import dataclass

PATCH = 2
"""Mel frames under one token: 31.25 tokens a second, the published latent's rate."""


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of `CompactNetwork`; checked when made.

    Attributes:
        bins: Mel bands F.
        feature_dim: D, length of an image feature.
        dim: Width of a token.
        depth: Blocks.
        heads: Attention heads; `dim` is a multiple of twice their number.
        reach: Tokens that a token attends to on each side, in each block.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    bins: int = 80
    feature_dim: int = 928
    dim: int = 256
    depth: int = 6
    heads: int = 4
    reach: int = 32

    def __post_init__(self) -> None:
        for name in ("bins", "feature_dim", "dim", "depth", "heads", "reach"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"CompactConfig: {name} wanted an integer of at least 1, got {value!r}")
        if self.dim % (2 * self.heads):
            raise ValueError(f"CompactConfig: dim wanted a multiple of {2 * self.heads} (2 x heads), got {self.dim}")
