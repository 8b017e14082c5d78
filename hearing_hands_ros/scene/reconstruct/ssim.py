"""Structural similarity of images, differentiable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, SIGMA_PX = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity.

    Args:
        a: (B, 3, H, W) in 0..1, H and W at least 11.
        b: Likewise.

    Returns:
        A number, 1 for equal images.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """
    import torch
    from torch.nn.functional import conv2d

    channels = a.shape[1]
    offset = torch.arange(WINDOW, dtype=a.dtype, device=a.device) - WINDOW // 2
    window = torch.exp(-(offset**2) / (2 * SIGMA_PX**2))
    window = (window / window.sum()).expand(channels, 1, 1, WINDOW)

    def blur(x: Tensor) -> Tensor:
        return conv2d(conv2d(x, window, groups=channels), window.transpose(2, 3), groups=channels)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return (top / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))).mean()
