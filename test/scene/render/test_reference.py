"""The torch reference follows gsplat's formulas and is differentiable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from render_scenes import GREY, camera, cloud, reference

from hearing_hands_ros.scene.render.model import FAINTEST, FAR, NEAR, OPAQUE, SPENT
from hearing_hands_ros.scene.render.torch_reference import colour, project, rasterize, rotations
from hearing_hands_ros.scene.splats import SplatScene


def double(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def columns(scene: SplatScene) -> list[torch.Tensor]:
    return [double(getattr(scene, name)) for name in ("means", "quats_wxyz", "scales", "opacities", "sh")]


def test_projection_is_that_of_gsplat() -> None:
    gsplat = pytest.importorskip("gsplat.cuda._torch_impl")
    means, quats, scales, _, _ = columns(cloud(500, sizes=(0.01, 1.0)))
    for view in (camera(), camera(position=(0.2, 0.1, 0.3), fov_deg=100.0)):
        viewmat, k = double(view.viewmat), double(view.intrinsics)
        centres, conics, radii, depths = project(means, quats, scales, viewmat, k, view.width, view.height)
        half = rotations(quats) * scales[:, None]
        theirs = gsplat._fully_fused_projection(
            means, half @ half.transpose(1, 2), viewmat[None], k[None], view.width, view.height
        )
        seen = (theirs[0][0] > 0).all(dim=1)
        assert seen.sum() > 100
        torch.testing.assert_close(centres[seen], theirs[1][0][seen])
        torch.testing.assert_close(depths[seen], theirs[2][0][seen])
        torch.testing.assert_close(conics[seen].reshape(-1, 4)[:, [0, 1, 3]], theirs[3][0][seen])
        torch.testing.assert_close(radii[seen], theirs[0][0][seen].double(), atol=1.0, rtol=1e-3)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_are_those_of_gsplat(degree: int) -> None:
    gsplat = pytest.importorskip("gsplat.cuda._torch_impl")
    rng = np.random.default_rng(degree)
    sh, directions = double(rng.normal(0, 0.2, (300, (degree + 1) ** 2, 3))), double(rng.normal(size=(300, 3)))
    theirs = (gsplat._spherical_harmonics(degree, directions, sh) + 0.5).clamp(min=0.0)
    torch.testing.assert_close(colour(sh, directions), theirs)


def test_pixels_are_blended_one_by_one_as_gsplat_does() -> None:
    """Its CUDA kernel in words: a loop over Gaussians from near to far, for each pixel."""
    scene, view = cloud(300, 1, sizes=(0.1, 0.6)), camera(9, 7)
    means, quats, scales, opacities, sh = columns(scene)
    viewmat = double(view.viewmat)
    centres, conics, _, depths = project(means, quats, scales, viewmat, double(view.intrinsics), 9, 7)
    colours = colour(sh, means - double(view.position)).numpy()
    centres, conics, depths, opacities = (t.numpy() for t in (centres, conics, depths, opacities))
    got = reference(scene, view)
    ended_early = 0
    for row in range(7):
        for column in range(9):
            left, rgb, depth = 1.0, np.zeros(3), 0.0
            for n in np.argsort(depths):
                d = np.array([column + 0.5, row + 0.5]) - centres[n]
                alpha = min(OPAQUE, opacities[n] * np.exp(-0.5 * d @ conics[n] @ d))
                if not depths[n] > NEAR or alpha < FAINTEST:
                    continue
                if left * (1.0 - alpha) <= SPENT:
                    ended_early += 1
                    break
                rgb += alpha * left * colours[n]
                depth += alpha * left * depths[n]
                left *= 1.0 - alpha
            np.testing.assert_allclose(got.rgb[0, row, column], rgb + left * np.array(GREY), atol=1e-6)
            np.testing.assert_allclose(got.alpha[0, row, column], 1.0 - left, atol=1e-6)
            np.testing.assert_allclose(got.depth[0, row, column], depth / (1.0 - left), rtol=1e-6)
    assert ended_early


def test_gradients_reach_every_input() -> None:
    scene, view = cloud(5, 1, seed=2, sizes=(0.3, 0.6), opacities=np.linspace(0.3, 0.7, 5)), camera(6, 5)
    sh = columns(scene)[4] * 0.1  # dark colours are cut off at 0, where there is no gradient
    inputs = [*columns(scene)[:4], sh, double(view.viewmat)]
    for tensor in inputs:
        tensor.requires_grad_()
    background = torch.zeros(3, dtype=torch.float64)

    def picture(*tensors: torch.Tensor) -> torch.Tensor:
        rgb, depth, alpha = rasterize(
            *tensors, double(view.intrinsics), 6, 5, near=NEAR, far=FAR, background=background
        )
        return torch.cat([rgb.flatten(), (depth * alpha).flatten(), alpha.flatten()])

    picture(*inputs).sum().backward()
    assert all(tensor.grad is not None and tensor.grad.abs().max() > 0.0 for tensor in inputs)
    assert torch.autograd.gradcheck(picture, inputs, eps=1e-7, atol=1e-5, rtol=1e-4, fast_mode=True)
