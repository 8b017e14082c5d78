"""The reference: plain torch, differentiable, tile by tile, as near to the formulas as code can be.

Source: Kerbl et al. 2023, "3D Gaussian Splatting for Real-Time Radiance Field Rendering"; the projection is that of
Zwicker et al. 2002, "EWA Splatting". Constants and what is left out are those of gsplat 1.5.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hearing_hands_ros.scene.render.model import BLUR, FAINTEST, MARGIN, OPAQUE, SPENT, CameraBatch, Rendering
from hearing_hands_ros.scene.splats import SplatScene

TILE = 16
NOWHERE = 1e-10  # alpha below which there is no depth


class TorchRasterizer:
    """The reference as a backend."""

    def __init__(self, splats: SplatScene) -> None:
        self._splats = splats

    def render(
        self, cameras: CameraBatch, extras: Sequence[SplatScene | None], background: tuple[float, float, float]
    ) -> Rendering:
        """As `model.Backend` says."""
        pictures = Rendering.empty(len(cameras), cameras.height, cameras.width)
        with torch.no_grad():
            for c, extra in enumerate(extras):
                splats = self._splats if extra is None else SplatScene.concatenate([self._splats, extra])
                rgb, depth, alpha = rasterize(
                    torch.as_tensor(splats.means),
                    torch.as_tensor(splats.quats_wxyz),
                    torch.as_tensor(splats.scales),
                    torch.as_tensor(splats.opacities),
                    torch.as_tensor(splats.sh),
                    torch.as_tensor(cameras.viewmats[c], dtype=torch.float32),
                    torch.as_tensor(cameras.intrinsics[c], dtype=torch.float32),
                    cameras.width,
                    cameras.height,
                    near=cameras.near,
                    far=cameras.far,
                    background=torch.tensor(background),
                )
                pictures.rgb[c], pictures.depth[c], pictures.alpha[c] = rgb.numpy(), depth.numpy(), alpha.numpy()
        return pictures


def rasterize(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    viewmat: Tensor,
    k: Tensor,
    width: int,
    height: int,
    *,
    near: float,
    far: float,
    background: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Render one picture; gradients flow to all tensors.

    Args:
        means: (N, 3).
        quats: (N, 4) w, x, y, z, of any length but 0.
        scales: (N, 3).
        opacities: (N,).
        sh: (N, 1 | 4 | 9 | 16, 3).
        viewmat: (4, 4) T_camera_from_world.
        k: (3, 3) intrinsics.
        width: Pixels.
        height: Pixels.
        near: What is nearer is left out.
        far: What is farther is left out.
        background: (3,).

    Returns:
        rgb (H, W, 3), depth (H, W), alpha (H, W), all of the type of `means`.
    """
    centres, conics, radii, depths = project(means, quats, scales, viewmat, k, width, height)
    with torch.no_grad():
        seen = (depths >= near) & (depths <= far) & (radii > 0.0).all(dim=1) & (opacities >= FAINTEST)
        nearest_first = torch.argsort(depths[seen], stable=True)
        seen = torch.nonzero(seen)[nearest_first, 0]
    eye = -viewmat[:3, :3].T @ viewmat[:3, 3]
    centres, conics, radii, depths = centres[seen], conics[seen], radii[seen], depths[seen]
    colours = colour(sh[seen], means[seen] - eye)
    blended = torch.cat([colours, depths[:, None], torch.ones_like(depths)[:, None]], dim=1)
    rows = []
    for top in range(0, height, TILE):
        tiles = []
        for left in range(0, width, TILE):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            with torch.no_grad():
                here = (centres + radii > centres.new_tensor([left, top])).all(dim=1)
                here &= (centres - radii < centres.new_tensor([right, bottom])).all(dim=1)
                here = torch.nonzero(here)[:, 0]
            y, x = torch.meshgrid(
                torch.arange(top, bottom, dtype=means.dtype) + 0.5,
                torch.arange(left, right, dtype=means.dtype) + 0.5,
                indexing="ij",
            )
            pixels = torch.stack([x, y], dim=-1).reshape(-1, 2)
            weights = _weights(pixels, centres[here], conics[here], opacities[seen[here]])
            tiles.append((weights @ blended[here]).reshape(bottom - top, right - left, 5))
        rows.append(torch.cat(tiles, dim=1))
    picture = torch.cat(rows, dim=0)
    alpha = picture[..., 4]
    rgb = picture[..., :3] + (1.0 - alpha)[..., None] * background.to(means)
    return rgb, picture[..., 3] / alpha.clamp(min=NOWHERE), alpha


def project(
    means: Tensor, quats: Tensor, scales: Tensor, viewmat: Tensor, k: Tensor, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gaussians of the world as Gaussians of the picture.

    With J the Jacobian of the perspective at the centre, the covariance is `J W S W^T J^T + BLUR`. Centres far outside
    the picture take the Jacobian of its edge, `MARGIN` farther out: that of their own place would blow them up.

    Args:
        means: (N, 3).
        quats: (N, 4).
        scales: (N, 3).
        viewmat: (4, 4).
        k: (3, 3).
        width: Pixels.
        height: Pixels.

    Returns:
        Centres (N, 2) in pixels, inverse covariances (N, 2, 2), half sizes (N, 2) of the box beyond which alpha is
        below FAINTEST, whole pixels, 0 where there is no valid covariance; depths (N,).
    """
    turn, shift = viewmat[:3, :3], viewmat[:3, 3]
    in_camera = means @ turn.T + shift
    depths = in_camera[:, 2]
    z = torch.where(depths.abs() > NOWHERE, depths, torch.full_like(depths, NOWHERE))  # those are left out anyway
    focal = torch.stack([k[0, 0], k[1, 1]])
    middle = k[:2, 2]
    size = means.new_tensor([width, height])
    tangents = in_camera[:, :2] / z[:, None]
    margin = MARGIN * 0.5 * size / focal
    t = torch.maximum(torch.minimum(tangents, (size - middle) / focal + margin), -middle / focal - margin)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([focal[0] / z, zero, -focal[0] * t[:, 0] / z], dim=-1),
            torch.stack([zero, focal[1] / z, -focal[1] * t[:, 1] / z], dim=-1),
        ],
        dim=1,
    )
    half = jacobian @ turn @ (rotations(quats) * scales[:, None, :])
    covariance = half @ half.transpose(1, 2) + BLUR * torch.eye(2).to(means)
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    det = a * c - b * b
    valid = (det > 0.0) & torch.isfinite(det)
    det = torch.where(valid, det, torch.ones_like(det))
    inverse = torch.stack([torch.stack([c, -b], dim=-1), torch.stack([-b, a], dim=-1)], dim=1) / det[:, None, None]
    reach = float(np.sqrt(2.0 * np.log(1.0 / FAINTEST)))
    radii = torch.where(valid[:, None], torch.ceil(reach * torch.stack([a, c], dim=1).sqrt()), zero[:, None])
    return tangents * focal + middle, inverse, radii.detach(), depths


def rotations(quats: Tensor) -> Tensor:
    """(N, 3, 3) rotations of (N, 4) quaternions w, x, y, z of any length."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=1).unbind(dim=1)
    return torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=-1),
            torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=-1),
            torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=-1),
        ],
        dim=1,
    )


def colour(sh: Tensor, directions: Tensor) -> Tensor:
    """(N, 3) colours, zero or more, of harmonics (N, K, 3) seen along directions (N, 3) of any length."""
    x, y, z = torch.nn.functional.normalize(directions, dim=1).unbind(dim=1)
    basis = [
        torch.full_like(x, 0.28209479177387814),
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (3 * z * z - 1),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (x * x - y * y),
        -0.5900435899266435 * y * (3 * x * x - y * y),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (5 * z * z - 1),
        0.3731763325901154 * z * (5 * z * z - 3),
        -0.4570457994644658 * x * (5 * z * z - 1),
        1.445305721320277 * z * (x * x - y * y),
        -0.5900435899266435 * x * (x * x - 3 * y * y),
    ]
    return (0.5 + torch.einsum("nk,nkc->nc", torch.stack(basis[: sh.shape[1]], dim=1), sh)).clamp(min=0.0)


def _weights(pixels: Tensor, centres: Tensor, conics: Tensor, opacities: Tensor) -> Tensor:
    """(P, M) how much each of M Gaussians, nearest first, adds to each of P pixels.

    With `alpha_i = o_i exp(-d^T conic d / 2)`, it is `alpha_i * product over j < i of (1 - alpha_j)`.
    """
    x, y = pixels[:, :1] - centres[:, 0], pixels[:, 1:] - centres[:, 1]
    sigma = 0.5 * (conics[:, 0, 0] * x * x + conics[:, 1, 1] * y * y) + conics[:, 0, 1] * x * y
    alpha = (opacities * torch.exp(-sigma.clamp(min=0.0))).clamp(max=OPAQUE)
    alpha = torch.where(alpha >= FAINTEST, alpha, torch.zeros_like(alpha))
    behind = torch.cumprod(1.0 - alpha, dim=1)
    before = torch.cat([torch.ones_like(behind[:, :1]), behind[:, :-1]], dim=1)
    return torch.where(behind > SPENT, alpha * before, torch.zeros_like(alpha))
