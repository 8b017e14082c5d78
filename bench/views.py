"""What views and their features cost: rendered and encoded, or looked up. The demo's scene, a simulated hand.

.venv/bin/python bench/views.py                     # figures
.venv/bin/python bench/views.py --picture FILE.png  # only the picture of docs/views.md
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from hearing_hands_ros.demo import hand  # noqa: E402
from hearing_hands_ros.scene.bundle import SceneBundle  # noqa: E402
from hearing_hands_ros.scene.cells import SurfaceCells  # noqa: E402
from hearing_hands_ros.scene.surface import SplatSurface  # noqa: E402
from hearing_hands_ros.scene.viewpoint import LocalView  # noqa: E402
from hearing_hands_ros.scene.views import Moment, SceneViews, ViewSettings  # noqa: E402
from hearing_hands_ros.vision.baked import BakedFeatures, identity  # noqa: E402
from hearing_hands_ros.vision.encoder import load_encoder  # noqa: E402

RUNS = 9


def milliseconds(work: Callable[[], object], runs: int = RUNS) -> str:
    """Median and spread of several runs."""
    work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begun))
    return f"{np.median(times):8.3f} ms (median of {runs}; {min(times):.3f} to {max(times):.3f})"


def main() -> None:
    """Measure and print."""
    bundle = SceneBundle.load(ROOT / "demo" / "scene")
    surface = SplatSurface(bundle)
    views = SceneViews(bundle, surface, ViewSettings(local=LocalView()))
    encoder = load_encoder("efficientnet_lite0")
    cells = SurfaceCells.of(bundle, surface, 0.03)
    rng = np.random.default_rng(0)
    moments = []
    for cell in rng.integers(0, len(cells), 32):
        point, normal = cells.points_m[cell], cells.normals[cell]
        keypoints = hand.touching(point, normal, np.cross(normal, rng.normal(size=3)))
        both = np.stack([np.full((21, 3), np.nan), keypoints])
        moments.append(Moment(both, np.array([False, True]), 1, point, normal))
    if sys.argv[1:2] == ["--picture"]:
        seen = views.look(moments[:6])
        rows = [np.concatenate(list(row), axis=1) for row in (seen.global_rgb, seen.local_rgb)]
        Image.fromarray(np.concatenate(rows)).save(sys.argv[2])
        return
    features = rng.normal(size=(len(cells), encoder.dim)).astype(
        np.float32
    )  # a look-up costs the same whatever it finds
    baked = BakedFeatures(cells, features, encoder.name, identity(bundle, views.settings.local))
    pictures = views.look(moments[:8]).local_rgb
    point, normal = cells.points_m[:1], cells.normals[:1]
    print(f"{len(bundle.splats)} Gaussians, {views.settings.local.size} pixels, renderer {views.backend}")
    print(f"encoder {encoder.name}, {encoder.dtype}, on {encoder.device}")
    print("choose a local camera     ", milliseconds(lambda: views.stage(moments[0])))
    print("render both views         ", milliseconds(lambda: views.look(moments[:1])))
    print("encode a view (of 8)      ", milliseconds(lambda: encoder.encode(pictures)), "/ 8")
    print("look up a baked feature   ", milliseconds(lambda: baked.find(point, normal), 200))
    print("8 s: 64 views             ", milliseconds(lambda: views.look(moments), 3))
    print("8 s: 64 views, encoded    ", milliseconds(lambda: [encoder.encode(v) for v in _both(views, moments)], 3))


def _both(views: SceneViews, moments: list[Moment]) -> tuple[np.ndarray, np.ndarray]:
    seen = views.look(moments)
    return seen.global_rgb, seen.local_rgb


if __name__ == "__main__":
    main()
