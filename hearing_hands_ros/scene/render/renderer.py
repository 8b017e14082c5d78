"""Splats in, pictures out, whatever computes them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.render.model import FAR, NEAR, Backend, CameraBatch, Rendering
from hearing_hands_ros.scene.splats import C0, SH_COUNTS, SplatScene

BLACK = (0.0, 0.0, 0.0)


class SplatRenderer:
    """A scene, prepared once, rendered often; may be shared between threads.

    Args:
        splats: The scene.
        backend: 'gsplat' (needs CUDA), 'numba', 'torch' (the slow reference), or 'auto': gsplat where it can run, else
            numba.

    Raises:
        ValueError: There is no such backend, or less memory than it needs.
        RuntimeError: The backend cannot run here.
    """

    def __init__(self, splats: SplatScene, backend: str = "auto") -> None:
        self.backend = _chosen(backend)
        self._backend = BACKENDS[self.backend](splats)

    def render(
        self,
        cameras: Sequence[Camera],
        extra: SplatScene | Sequence[SplatScene | None] | None = None,
        background: tuple[float, float, float] = BLACK,
    ) -> Rendering:
        """Render the scene.

        Args:
            cameras: C of one size, in the world and unit of the splats.
            extra: Gaussians drawn with the scene, a hand: the same for all cameras, or one each.
            background: Colour behind everything.

        Raises:
            ValueError: No cameras, cameras of different sizes, or as many extras as cameras are not given.
        """
        extras: Sequence[SplatScene | None]
        if extra is None or isinstance(extra, SplatScene):
            extras = [extra] * len(cameras)
        elif len(extra) != len(cameras):
            raise ValueError(f"SplatRenderer: wanted an extra for each of {len(cameras)} cameras, got {len(extra)}")
        else:
            extras = extra
        return self._backend.render(CameraBatch.of(cameras), extras, _colour(background))


def rasterization(
    means: ArrayLike,
    quats: ArrayLike,
    scales: ArrayLike,
    opacities: ArrayLike,
    colors: ArrayLike,
    viewmats: ArrayLike,
    Ks: ArrayLike,  # noqa: N803 - as gsplat names it
    width: int,
    height: int,
    *,
    sh_degree: int | None = None,
    near_plane: float = NEAR,
    far_plane: float = FAR,
    background: Sequence[float] | None = None,
    backend: str = "auto",
) -> Rendering:
    """Render Gaussians, in the manner of `gsplat.rasterization`; for more than one picture take `SplatRenderer`.

    Args:
        means: (N, 3) centres.
        quats: (N, 4) rotations (w, x, y, z), of any length but 0.
        scales: (N, 3) standard deviations, positive.
        opacities: (N,) in 0..1.
        colors: (N, 3) zero or more, or with `sh_degree` (N, K, 3) spherical harmonics, K at least (sh_degree + 1)^2.
        viewmats: (C, 4, 4) T_camera_from_world; x right, y down, z forward.
        Ks: (C, 3, 3) intrinsics; the middle of the first pixel is at 0.5.
        width: Pixels.
        height: Pixels.
        sh_degree: 0 to 3: `colors` are harmonics and this many degrees of them are used; None: they are colours.
        near_plane: What is nearer is left out.
        far_plane: What is farther is left out.
        background: (3,) colour behind everything; black if None.
        backend: As of `SplatRenderer`.

    Raises:
        ValueError: Shapes, types or values are not as above; the message says which and what came.
        RuntimeError: The backend cannot run here.
    """
    who = "rasterization"
    columns = {
        name: _numbers(who, name, values)
        for name, values in (
            ("means", means),
            ("quats", quats),
            ("scales", scales),
            ("opacities", opacities),
            ("colors", colors),
        )
    }
    splats = _splats(who, sh_degree=sh_degree, **columns)
    cameras = CameraBatch(
        _numbers(who, "viewmats", viewmats, np.float64),
        _numbers(who, "Ks", Ks, np.float64),
        width,
        height,
        near_plane,
        far_plane,
    )
    prepared = BACKENDS[_chosen(backend)](splats)
    return prepared.render(cameras, [None] * len(cameras), _colour(BLACK if background is None else background))


def _splats(
    who: str,
    means: NDArray[np.float32],
    quats: NDArray[np.float32],
    scales: NDArray[np.float32],
    opacities: NDArray[np.float32],
    colors: NDArray[np.float32],
    sh_degree: int | None,
) -> SplatScene:
    n = len(means)
    if sh_degree is None:
        wanted_colors = f"({n}, 3), for sh_degree is None"
        good_colors = colors.shape == (n, 3)
    elif sh_degree not in range(len(SH_COUNTS)):
        raise ValueError(f"{who}: wanted sh_degree None or 0 to {len(SH_COUNTS) - 1}, got {sh_degree!r}")
    else:
        wanted_colors = f"({n}, {SH_COUNTS[sh_degree]} or more, 3), for sh_degree is {sh_degree}"
        good_colors = colors.ndim == 3 and len(colors) == n and colors.shape[2] == 3
        good_colors = good_colors and colors.shape[1] >= SH_COUNTS[sh_degree]
    wrong = [
        f"{name} {wanted}, got {got.shape}"
        for name, got, wanted, good in (
            ("means", means, "(N, 3), N at least 1", means.shape == (n, 3) and n > 0),
            ("quats", quats, f"({n}, 4)", quats.shape == (n, 4)),
            ("scales", scales, f"({n}, 3)", scales.shape == (n, 3)),
            ("opacities", opacities, f"({n},)", opacities.shape == (n,)),
            ("colors", colors, wanted_colors, good_colors),
        )
        if not good
    ]
    if wrong:
        raise ValueError(f"{who}: wanted " + "; ".join(wrong))
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    if not (length > 0.0).all():
        raise ValueError(
            f"{who}: wanted quats of any length but 0, got {np.count_nonzero(~(length > 0.0))} of length 0"
        )
    if sh_degree is None:
        if colors.min() < 0.0:
            raise ValueError(f"{who}: wanted colors of zero or more, got {colors.min():g}")
        sh = ((colors - np.float32(0.5)) / np.float32(C0))[:, None]
    else:
        sh = colors[:, : SH_COUNTS[sh_degree]]
    return SplatScene(means, scales, quats / length, opacities, sh, who)


def _numbers(who: str, name: str, values: ArrayLike, dtype: type = np.float32) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim == 0:
        raise ValueError(f"{who}: wanted {name} as an array of numbers, got {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{who}: wanted finite {name}, got {np.count_nonzero(~np.isfinite(array))} values that are not"
        )
    return array.astype(dtype, copy=False)


def _colour(values: Sequence[float]) -> tuple[float, float, float]:
    colour = np.asarray(values, np.float64)
    if colour.shape != (3,) or not np.isfinite(colour).all():
        raise ValueError(f"rasterization: wanted a background of 3 finite numbers, got {values!r}")
    return float(colour[0]), float(colour[1]), float(colour[2])


def _chosen(backend: str) -> str:
    if backend == "auto":
        return "gsplat" if _gsplat_renders() else "numba"
    if backend not in BACKENDS:
        raise ValueError(f"SplatRenderer: wanted a backend of auto, {', '.join(BACKENDS)}, got {backend!r}")
    return backend


def _cuda() -> bool:
    if find_spec("torch") is None or find_spec("gsplat") is None:
        return False
    import torch  # optional, and takes seconds

    return torch.cuda.is_available()


@functools.cache
def _gsplat_renders() -> bool:
    """Whether gsplat works here: it compiles its kernels at first use, and that may fail where CUDA itself does not."""
    if not _cuda():
        return False
    camera = CameraBatch(np.eye(4)[None], np.array([[[8.0, 0.0, 4.0], [0.0, 8.0, 4.0], [0.0, 0.0, 1.0]]]), 8, 8)
    dot = SplatScene.from_rgb(
        means=np.array([[0, 0, 1]], np.float32),
        scales=np.ones((1, 3), np.float32),
        quats_wxyz=np.array([[1, 0, 0, 0]], np.float32),
        opacities=np.full(1, 0.9, np.float32),
        rgb=np.ones((1, 3), np.float32),
    )
    try:
        _gsplat(dot).render(camera, [None], BLACK)
    except Exception as error:  # noqa: BLE001  (a compiler, a driver, a kernel: whatever it is, there is numba)
        warnings.warn(f"SplatRenderer: CUDA is here, but gsplat fails ({error}); rendering with numba", stacklevel=2)
        return False
    return True


def _gsplat(splats: SplatScene) -> Backend:
    from hearing_hands_ros.scene.render.gsplat_cuda import GsplatRasterizer

    return GsplatRasterizer(splats)


def _numba(splats: SplatScene) -> Backend:
    from hearing_hands_ros.scene.render.numba_rasterizer import NumbaRasterizer

    return NumbaRasterizer(splats)


def _torch(splats: SplatScene) -> Backend:
    from hearing_hands_ros.scene.render.torch_reference import TorchRasterizer

    return TorchRasterizer(splats)


BACKENDS: dict[str, Callable[[SplatScene], Backend]] = {"gsplat": _gsplat, "numba": _numba, "torch": _torch}
