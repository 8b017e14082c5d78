"""Queries a second of the splat surface, on one core.

.venv/bin/python bench/surface.py
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from hearing_hands_ros.scene.bundle import SceneBundle  # noqa: E402
from hearing_hands_ros.scene.surface import SplatSurface  # noqa: E402

POINTS, RUNS = 20_000, 5


def main() -> None:
    """Measure and print."""
    bundle = SceneBundle.load(ROOT / "demo" / "scene")
    surface = SplatSurface(bundle)
    rng = np.random.default_rng(0)
    means = bundle.means_m
    anywhere = rng.uniform(means.min(axis=0), means.max(axis=0), (POINTS, 3))
    near = means[rng.integers(0, len(means), POINTS)] + rng.normal(0.0, 0.01, (POINTS, 3))
    for name, points in (("anywhere over the bench", anywhere), ("near a surface", near), ("21 at a time, near", near)):
        step = 21 if name.startswith("21") else POINTS
        rates = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            for first in range(0, POINTS, step):
                surface.query(points[first : first + step])
            rates.append(POINTS / (time.perf_counter() - begun))
        print(f"{name}: median {np.median(rates):,.0f} queries/s ({min(rates):,.0f} to {max(rates):,.0f})")


if __name__ == "__main__":
    main()
