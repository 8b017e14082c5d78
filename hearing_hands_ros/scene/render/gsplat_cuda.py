"""gsplat's own rasteriser, for machines with CUDA."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene.render.model import BLUR, CameraBatch, Rendering
from hearing_hands_ros.scene.splats import SplatScene

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = ("means", "quats_wxyz", "scales", "opacities", "sh")


class GsplatRasterizer:
    """One scene on the GPU.

    Args:
        splats: The scene; copied to the GPU once.

    Raises:
        RuntimeError: torch or gsplat is missing, or there is no CUDA.
    """

    def __init__(self, splats: SplatScene) -> None:
        missing = [name for name in ("torch", "gsplat") if find_spec(name) is None]
        if missing:
            raise RuntimeError(
                f"GsplatRasterizer: wanted torch and gsplat, got no {' and no '.join(missing)}; "
                'pip install "hearing_hands_ros[scene]", or take the backend numba'
            )
        import torch  # optional, and takes seconds

        if not torch.cuda.is_available():
            raise RuntimeError(
                f"GsplatRasterizer: wanted CUDA, got torch {torch.__version__} that finds none; take the backend numba"
            )
        self._splats = splats
        self._scene = _on_gpu(splats)
        self._lock = threading.Lock()

    def render(
        self, cameras: CameraBatch, extras: Sequence[SplatScene | None], background: tuple[float, float, float]
    ) -> Rendering:
        """As `model.Backend` says; cameras with the same extra are rendered at once."""
        pictures = Rendering.empty(len(cameras), cameras.height, cameras.width)
        groups: dict[int, list[int]] = {}
        for c, extra in enumerate(extras):
            groups.setdefault(id(extra), []).append(c)
        for group in groups.values():
            extra = extras[group[0]]
            with self._lock:
                scene = self._scene if extra is None else self._with(extra)
                _render(scene, cameras, np.array(group), background, pictures)
        return pictures

    def _with(self, extra: SplatScene) -> list[Tensor]:
        import torch

        degree = max(extra.sh_degree, self._splats.sh_degree)
        if degree > self._splats.sh_degree:
            self._splats = self._splats.with_sh_degree(degree)
            self._scene = _on_gpu(self._splats)
        added = _on_gpu(extra.with_sh_degree(degree))
        return [torch.cat(pair) for pair in zip(self._scene, added, strict=True)]


def _on_gpu(splats: SplatScene) -> list[Tensor]:
    import torch

    return [torch.as_tensor(np.ascontiguousarray(getattr(splats, name)), device="cuda") for name in COLUMNS]


def _render(
    scene: list[Tensor],
    cameras: CameraBatch,
    which: NDArray[np.int64],
    background: tuple[float, float, float],
    pictures: Rendering,
) -> None:
    import torch
    from gsplat import rasterization  # type: ignore[import-untyped]

    means, quats, scales, opacities, sh = scene
    with torch.no_grad():
        colours, alphas, _ = rasterization(
            means,
            quats,
            scales,
            opacities,
            sh,
            torch.as_tensor(cameras.viewmats[which], dtype=torch.float32, device="cuda"),
            torch.as_tensor(cameras.intrinsics[which], dtype=torch.float32, device="cuda"),
            cameras.width,
            cameras.height,
            near_plane=cameras.near,
            far_plane=cameras.far,
            eps2d=BLUR,
            sh_degree=int(np.sqrt(sh.shape[1])) - 1,
            backgrounds=torch.tensor([background] * len(which), device="cuda"),
            render_mode="RGB+ED",
        )
    pictures.rgb[which] = colours[..., :3].cpu().numpy()
    pictures.depth[which] = colours[..., 3].cpu().numpy()
    pictures.alpha[which] = alphas[..., 0].cpu().numpy()
