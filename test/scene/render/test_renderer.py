"""What the renderer says to wrong input, and how it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from render_scenes import camera, cloud

from hearing_hands_ros.scene import memory
from hearing_hands_ros.scene.render import SplatRenderer, rasterization

ROOT = Path(__file__).parents[3]


def arguments(**changes: Any) -> dict[str, Any]:
    scene, view = cloud(50, 1), camera(20, 16)
    return {
        "means": scene.means,
        "quats": scene.quats_wxyz,
        "scales": scene.scales,
        "opacities": scene.opacities,
        "colors": scene.sh,
        "viewmats": view.viewmat[None],
        "Ks": view.intrinsics[None],
        "width": 20,
        "height": 16,
        "sh_degree": 1,
        "backend": "numba",
        **changes,
    }


def test_function_and_renderer_make_one_picture() -> None:
    got = rasterization(**arguments(background=[0.1, 0.2, 0.3]))
    wanted = SplatRenderer(cloud(50, 1), "numba").render([camera(20, 16)], background=(0.1, 0.2, 0.3))
    np.testing.assert_allclose(got.rgb, wanted.rgb, atol=1e-6)
    assert got.rgb.dtype == got.depth.dtype == got.alpha.dtype == np.float32


def test_lower_degree_ignores_higher_harmonics_and_plain_colours_are_shown_as_they_are() -> None:
    low = rasterization(**arguments(sh_degree=0))
    plain = rasterization(**arguments(sh_degree=None, colors=np.maximum(0.5 + 0.28209479 * cloud(50, 1).sh[:, 0], 0.0)))
    np.testing.assert_allclose(low.rgb, plain.rgb, atol=1e-6)
    assert np.abs(low.rgb - rasterization(**arguments()).rgb).max() > 0.01


def test_planes_cut_what_is_nearer_and_farther() -> None:
    everything = rasterization(**arguments())
    middle = rasterization(**arguments(near_plane=2.5, far_plane=3.5))
    assert 0.0 < middle.alpha.sum() < everything.alpha.sum()
    depth = middle.depth[middle.alpha > 0.0]
    assert 2.5 <= depth.min() <= depth.max() <= 3.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"means": np.zeros((50, 2))}, r"means \(N, 3\).*got \(50, 2\)"),
        ({"means": np.zeros((0, 3))}, r"means \(N, 3\), N at least 1, got \(0, 3\)"),
        ({"quats": np.zeros((49, 4))}, r"quats \(50, 4\), got \(49, 4\)"),
        ({"quats": np.zeros((50, 4))}, r"quats of any length but 0, got 50 of length 0"),
        ({"scales": np.zeros((50, 3))}, r"150 values that are zero or negative"),
        ({"scales": np.ones(50)}, r"scales \(50, 3\), got \(50,\)"),
        ({"opacities": np.ones((50, 1))}, r"opacities \(50,\), got \(50, 1\)"),
        ({"opacities": np.full(50, 1.5)}, r"opacity has 50 values outside 0..1"),
        ({"colors": np.zeros((50, 3))}, r"colors \(50, 4 or more, 3\), for sh_degree is 1, got \(50, 3\)"),
        ({"sh_degree": None}, r"colors \(50, 3\), for sh_degree is None, got \(50, 4, 3\)"),
        ({"sh_degree": 2}, r"colors \(50, 9 or more, 3\)"),
        ({"sh_degree": 4}, r"sh_degree None or 0 to 3, got 4"),
        ({"means": np.full((50, 3), np.nan)}, r"finite means, got 150"),
        ({"means": np.full((50, 3), "a")}, r"means as an array of numbers, got <U1"),
        ({"viewmats": np.eye(4)}, r"viewmats \(C, 4, 4\) and Ks \(C, 3, 3\).*got \(4, 4\) and \(1, 3, 3\)"),
        ({"viewmats": 2 * np.eye(4)[None]}, r"camera 0: wanted viewmats to begin with a rotation"),
        ({"Ks": np.zeros((1, 3, 3))}, r"camera 0: wanted positive focal lengths, got 0.0 and 0.0"),
        ({"width": 0}, r"width and height in whole pixels, at least 1, got 0 x 16"),
        ({"near_plane": 2.0, "far_plane": 1.0}, r"0 < near_plane < far_plane, got 2.0 and 1.0"),
        ({"background": [1.0]}, r"background of 3 finite numbers, got \[1.0\]"),
        ({"backend": "cuda"}, r"backend of auto, gsplat, numba, torch, got 'cuda'"),
    ],
)
def test_wrong_input_is_named_with_what_was_wanted_and_what_came(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rasterization(**arguments(**changes))


def test_cameras_and_extras_must_fit() -> None:
    renderer = SplatRenderer(cloud(50), "numba")
    with pytest.raises(ValueError, match="one size"):
        renderer.render([camera(20, 16), camera(16, 16)])
    with pytest.raises(ValueError, match="an extra for each of 1 cameras, got 2"):
        renderer.render([camera()], [cloud(5), cloud(5)])


def test_gsplat_without_cuda_says_what_to_do() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    with pytest.raises(RuntimeError, match="wanted CUDA, got torch .* take the backend numba"):
        SplatRenderer(cloud(5), "gsplat")
    assert SplatRenderer(cloud(5)).backend == "numba"


def test_more_gaussians_than_memory_are_refused_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000)
    with pytest.raises(ValueError, match=r"wanted .* for rendering 100,000 Gaussians, got 1 MB free; .*crop"):
        SplatRenderer(cloud(100_000), "numba")


def test_threads_of_a_program_may_share_a_renderer() -> None:
    renderer = SplatRenderer(cloud(3000, sizes=(0.02, 0.2)), "numba")
    views = [camera(position=(3 * np.sin(a), -3 * np.cos(a), 0.4)) for a in np.linspace(0.0, 6.0, 8)]
    alone = [renderer.render([view]).rgb for view in views]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(lambda view: renderer.render([view]).rgb, views), strict=True):
            assert (one == other).all()


START = """
import sys
from hearing_hands_ros.scene.render import rasterization
import numpy as np
rasterization(np.zeros((1, 3)), [[1.0, 0, 0, 0]], np.ones((1, 3)), [0.5], np.ones((1, 3)),
    [[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]], [[[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]], 8, 8,
    backend="numba")
print("torch" in sys.modules)
"""


def start(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
    )
    return done.stdout.strip()


def test_a_second_start_does_not_compile_again_and_needs_no_torch(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert start(NUMBA_CACHE_DIR=str(tmp_path)) == "False"
    cold = time.monotonic() - begun
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert kept
    begun = time.monotonic()
    start(NUMBA_CACHE_DIR=str(tmp_path))
    assert time.monotonic() - begun < cold
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept


def test_where_no_cache_can_be_kept_it_compiles_at_every_start() -> None:
    source = """
from hearing_hands_ros.scene.render.compiled import compiled

@compiled()
def twice(x):
    return 2 * x

print(twice(21), twice.nopython_signatures)
"""  # code without a file has no place for a cache either
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("42 [(int64")
