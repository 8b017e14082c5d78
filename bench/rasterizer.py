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
import torch  # noqa: E402

from hearing_hands_ros.scene.camera import Camera  # noqa: E402
from hearing_hands_ros.scene.render import SplatRenderer  # noqa: E402
from hearing_hands_ros.scene.render.model import Backend, CameraBatch  # noqa: E402
from hearing_hands_ros.scene.render.numba_rasterizer import NumbaRasterizer  # noqa: E402
from hearing_hands_ros.scene.render.torch_reference import TorchRasterizer  # noqa: E402
from hearing_hands_ros.scene.splats import SplatScene, read_splats  # noqa: E402

SIZE = 224
ROUNDS = 6
ROUND_S = 0.5  # of repetitions, each way


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
    """Print best and median, taken in turns, so that whatever else runs slows all of them.

    The reference is compared on one core each: torch's threads wait for each other, which on a busy machine costs it a
    factor that says nothing.
    """
    torch.set_num_threads(1)
    cores = len(os.sched_getaffinity(0))
    ways: dict[str, Backend] = {f"{cores} cores": NumbaRasterizer(scene), "1 core": NumbaRasterizer(scene, threads=1)}
    if reference:
        ways["torch reference, 1 core"] = TorchRasterizer(scene)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for backend in ways.values():
        milliseconds(backend, camera)
    for _ in range(ROUNDS):
        for way, backend in ways.items():
            deadline = time.perf_counter() + ROUND_S
            while not times[way] or time.perf_counter() < deadline:
                times[way].append(milliseconds(backend, camera))
    print(name)
    for way, taken in times.items():
        print(f"    {way}: best {min(taken):.1f} ms, median {np.median(taken):.1f} ms of {len(taken)}")
    if reference:
        fast, slow = times["1 core"], times["torch reference, 1 core"]
        best, median = min(slow) / min(fast), np.median(slow) / np.median(fast)
        print(f"    the reference takes {best:.0f} times as long by the best, {median:.0f} times by the median")


def milliseconds(backend: Backend, camera: Camera) -> float:
    begun = time.perf_counter()
    backend.render(CameraBatch.of([camera]), [None], (0.0, 0.0, 0.0))
    return 1e3 * (time.perf_counter() - begun)


def first_picture() -> None:
    begun = time.perf_counter()
    SplatRenderer(cloud(100), "numba").render([Camera.look_at("a", (0, -3, 0), (0, 0, 0), (0, 0, 1), SIZE, 45.0)])
    print(f"{time.perf_counter() - begun:.1f}")


if __name__ == "__main__":
    main()
