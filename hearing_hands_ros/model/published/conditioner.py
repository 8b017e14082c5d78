"""What is seen and how the hands move, as one context on the latent's grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hearing_hands_ros.model.published.config import ConditionerConfig


class Conditioner(nn.Module):
    """context = nearest(linear(global, local)) + nearest(unit(linear(hands))); unit divides a frame by its length."""

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self.config = config
        seen = config.global_dim + config.local_dim
        # The names are those of the published checkpoint, here and in the other networks.
        self.video_feat_embedder = nn.Sequential(nn.Linear(seen, config.width))
        self.hand_pose_embedder = nn.Sequential(nn.Linear(config.hand_dim, config.width))

    def forward(self, hands: Tensor, global_features: Tensor, local_features: Tensor, frames: int) -> Tensor:
        """Return the context.

        Args:
            hands: (B, Th, 126) keypoints as the published loader has them, not normalised.
            global_features: (B, Tv, 512).
            local_features: (B, Tv, 1024).
            frames: T of the latent.

        Returns:
            (B, T, 768).

        Raises:
            ValueError: A shape is not as above.
        """
        self._check(hands, global_features, local_features)
        seen = self.video_feat_embedder(torch.cat([global_features, local_features], dim=-1))
        moved = functional.normalize(self.hand_pose_embedder(hands), dim=-1)
        return _stretch(seen, frames) + _stretch(moved, frames)

    def null(self, like: Tensor, frames: int) -> Tensor:
        """Context of seeing and moving nothing: that of zeros, so made of biases.

        Args:
            like: Any tensor of the type and on the device that is wanted.
            frames: T of the latent.

        Returns:
            (1, T, 768).
        """
        nothing = (
            like.new_zeros(1, 1, width)
            for width in (self.config.hand_dim, self.config.global_dim, self.config.local_dim)
        )
        return self(*nothing, frames)

    def _check(self, hands: Tensor, global_features: Tensor, local_features: Tensor) -> None:
        wanted = {
            "hands": (hands, self.config.hand_dim),
            "global_features": (global_features, self.config.global_dim),
            "local_features": (local_features, self.config.local_dim),
        }
        for name, (tensor, width) in wanted.items():
            if tensor.ndim != 3 or tensor.shape[1] < 1 or tensor.shape[2] != width or len(tensor) != len(hands):
                raise ValueError(
                    f"Conditioner: {name} wanted shape ({len(hands)}, frames, {width}) with at least one frame, got "
                    f"{tuple(tensor.shape)}"
                )
        if global_features.shape[1] != local_features.shape[1]:
            raise ValueError(
                f"Conditioner: global_features and local_features wanted as many views, got {global_features.shape[1]} "
                f"and {local_features.shape[1]}"
            )


def _stretch(x: Tensor, frames: int) -> Tensor:
    """(B, T, C) to (B, frames, C), each frame the nearest one."""
    return functional.interpolate(x.transpose(1, 2), size=frames, mode="nearest").transpose(1, 2)
