"""How long and how much memory a scene of a million Gaussians takes to load, each in a process of its own.

.venv/bin/python bench/loading.py [gaussians]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GAUSSIANS, RUNS = 1_000_000, 5


def load(path: str) -> None:
    """Load once, and print seconds, those of the processor, peak memory, and the memory that was taken before."""
    from hearing_hands_ros.scene.splats import read_splats

    before = peak_gb()
    begun, worked = time.perf_counter(), time.process_time()
    read_splats(path)
    print(time.perf_counter() - begun, time.process_time() - worked, peak_gb(), before)


def peak_gb() -> float:
    """Most memory that this process ever had; the kernel's ru_maxrss counts the parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM:"))


def main(count: int) -> None:
    """Write the files, load each some times, print the figures."""
    import numpy as np

    from hearing_hands_ros.scene.splats import SH_COUNTS, SplatScene, write_splats

    with tempfile.TemporaryDirectory() as folder:
        for degree in (0, 3):
            rng = np.random.default_rng(degree)
            quats = rng.normal(size=(count, 4)).astype(np.float32)
            scene = SplatScene(
                means=rng.normal(0.0, 3.0, (count, 3)).astype(np.float32),
                scales=rng.lognormal(-4.0, 1.0, (count, 3)).astype(np.float32),
                quats_wxyz=quats / np.linalg.norm(quats, axis=1, keepdims=True),
                opacities=rng.uniform(0.05, 0.95, count).astype(np.float32),
                sh=rng.normal(0.0, 0.2, (count, SH_COUNTS[degree], 3)).astype(np.float32),
            )
            for suffix in (".ply", ".spz"):
                path = Path(folder) / f"scene{suffix}"
                write_splats(path, scene)
                report(f"{count:,} Gaussians, degree {degree}, {suffix}, {path.stat().st_size / 1e6:.0f} MB", path)


def report(what: str, path: Path) -> None:
    """Load in fresh processes and print."""
    command = [sys.executable, __file__, "--load", str(path)]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(RUNS)]
    seconds, worked, peak, before = (sorted(float(run[i]) for run in runs) for i in range(4))
    spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}, processor {worked[RUNS // 2]:.2f}"
    print(f"{what}: median {seconds[RUNS // 2]:.2f} s ({spread}), peak {peak[-1]:.2f} GB, {before[-1]:.2f} before")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else GAUSSIANS)
