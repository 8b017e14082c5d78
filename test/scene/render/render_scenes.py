"""Random scenes, cameras, and the reference in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.render import Rendering
from hearing_hands_ros.scene.render.model import FAR, NEAR
from hearing_hands_ros.scene.render.torch_reference import rasterize
from hearing_hands_ros.scene.splats import SplatScene

GREY = (0.2, 0.3, 0.4)


def cloud(
    n: int, degree: int = 0, seed: int = 0, sizes: tuple[float, float] = (0.005, 0.1), **changes: Any
) -> SplatScene:
    """Gaussians in a box of side 2 about the origin."""
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(n, 4))
    columns = {
        "means": rng.uniform(-1.0, 1.0, (n, 3)),
        "scales": np.exp(rng.uniform(*np.log(sizes), (n, 3))),
        "quats_wxyz": quats / np.linalg.norm(quats, axis=1, keepdims=True),
        "opacities": rng.uniform(0.0, 1.0, n),
        "sh": rng.normal(0.0, 0.5, (n, (degree + 1) ** 2, 3)),
        **changes,
    }
    return SplatScene(**{name: np.asarray(values, np.float32) for name, values in columns.items()}, source="cloud")


def camera(width: int = 96, height: int = 80, position: Any = (0.3, -3.0, 0.4), fov_deg: float = 50.0) -> Camera:
    """Looks at the origin; its middle is not that of the picture."""
    square = Camera.look_at("test", position, (0.05, 0.02, 0.01), (0, 0, 1), max(width, height), fov_deg)
    return Camera(
        "test",
        width,
        height,
        square.fx,
        1.1 * square.fy,
        0.45 * width,
        0.55 * height,
        square.rotation_wxyz,
        square.position,
    )


def reference(splats: SplatScene, *cameras: Camera, background: tuple[float, float, float] = GREY) -> Rendering:
    """What the pictures should be."""
    columns = [getattr(splats, name) for name in ("means", "quats_wxyz", "scales", "opacities", "sh")]
    with torch.no_grad():
        pictures = [
            rasterize(
                *(torch.as_tensor(column, dtype=torch.float64) for column in columns),
                torch.as_tensor(c.viewmat),
                torch.as_tensor(c.intrinsics),
                c.width,
                c.height,
                near=NEAR,
                far=FAR,
                background=torch.tensor(background, dtype=torch.float64),
            )
            for c in cameras
        ]
    return Rendering(*(np.stack([p[i].numpy() for p in pictures]).astype(np.float32) for i in range(3)))


def assert_agree(got: Rendering, wanted: Rendering, tolerance: float = 0.0005) -> None:
    """Mean absolute differences; of depth where there is something to see, relative."""
    assert got.rgb.shape == wanted.rgb.shape
    assert got.alpha.shape == wanted.alpha.shape == got.depth.shape
    assert np.abs(got.rgb - wanted.rgb).mean() <= tolerance
    assert np.abs(got.alpha - wanted.alpha).mean() <= tolerance
    seen = (wanted.alpha > 0.01) & (got.alpha > 0.01)
    if seen.any():
        assert (np.abs(got.depth - wanted.depth)[seen] / wanted.depth[seen]).mean() <= tolerance
