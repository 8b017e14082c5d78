"""Milliseconds a picture of the CPU rasteriser and of the torch reference, and how many times faster it is.

.venv/bin/python bench/rasterizer.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from hearing_hands_ros.scene.camera import Camera  # noqa: E402
from hearing_hands_ros.scene.render import SplatRenderer  # noqa: E402
from hearing_hands_ros.scene.splats import SplatScene, read_splats  # noqa: E402

SIZE = 224
BUDGET_S = 6.0  # of repetitions, each scene
REFERENCE_RUNS = 5


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["first"]:
        first_picture()
        return
    print(f"{SIZE} x {SIZE}, {len(os.sched_getaffinity(0))} cores, load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as cache:
        for state in ("compiling", "compiled before"):
            command = [sys.executable, __file__, "first"]
            done = subprocess.run(
                command, env={**os.environ, "NUMBA_CACHE_DIR": cache}, check=True, capture_output=True, text=True
            )
            print(f"imports and first picture of a process, {state}: {done.stdout.strip()} s")
    front = Camera.look_at("front", (0.0, -3.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), SIZE, 45.0)
    for count in (50_000, 200_000, 1_000_000):
        measure(f"random, {count:,} Gaussians", cloud(count), front, reference=count <= 200_000)
    demo = read_splats(ROOT / "demo" / "scene" / "scene.spz")
    middle, reach = demo.means.mean(axis=0), float(np.ptp(demo.means, axis=0).max())
    above = Camera.look_at("demo", middle + [0.2 * reach, 0.15 * reach, 0.4 * reach], middle, (0, 0, 1), SIZE, 60.0)
    measure(f"demo, {len(demo):,} Gaussians", demo, above, reference=True)


def cloud(count: int) -> SplatScene:
    """All in view, harmonics of degree 3; the picture is nearly opaque at 50 000."""
    rng = np.random.default_rng(0)
    quats = rng.normal(size=(count, 4))
    columns = (
        rng.uniform(-1.0, 1.0, (count, 3)),
        np.exp(rng.uniform(np.log(0.002), np.log(0.02), (count, 3))),
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
        rng.uniform(0.1, 0.95, count),
        rng.normal(0.0, 0.3, (count, 16, 3)),
    )
    return SplatScene(*(column.astype(np.float32) for column in columns))


def measure(name: str, scene: SplatScene, camera: Camera, reference: bool) -> None:
    """Print best and median of both, taken in turns, so that whatever else runs slows both."""
    fast = SplatRenderer(scene, "numba")
    fast.render([camera])
    ours: list[float] = []
    theirs: list[float] = []
    if reference:
        slow = SplatRenderer(scene, "torch")
        slow.render([camera])
    for _ in range(REFERENCE_RUNS):
        deadline = time.perf_counter() + BUDGET_S / REFERENCE_RUNS
        while time.perf_counter() < deadline:
            ours.append(seconds(fast, camera))
        if reference:
            theirs.append(seconds(slow, camera))
    print(f"{name}: best {1e3 * min(ours):.1f} ms, median {1e3 * np.median(ours):.1f} ms", end="")
    if reference:
        print(f"; torch reference best {1e3 * min(theirs):.0f} ms, median {1e3 * np.median(theirs):.0f} ms", end="")
        print(
            f"; {min(theirs) / min(ours):.0f} times by the best, {np.median(theirs) / np.median(ours):.0f} by the median",
            end="",
        )
    print()


def seconds(renderer: SplatRenderer, camera: Camera) -> float:
    begun = time.perf_counter()
    renderer.render([camera])
    return time.perf_counter() - begun


def first_picture() -> None:
    begun = time.perf_counter()
    SplatRenderer(cloud(100), "numba").render([Camera.look_at("a", (0, -3, 0), (0, 0, 0), (0, 0, 1), SIZE, 45.0)])
    print(f"{time.perf_counter() - begun:.1f}")


if __name__ == "__main__":
    main()
