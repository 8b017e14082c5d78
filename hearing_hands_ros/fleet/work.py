"""Cells side by side: on this machine, or on a Ray cluster that shares the folder."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hearing_hands_ros.fleet.cell import FAILED, Cell, Outcome, replayed
from hearing_hands_ros.fleet.leash import Leash
from hearing_hands_ros.libraries import optional


def on_this_machine(cells: Sequence[Cell], folder: Path, jobs: int) -> Generator[Outcome, None, None]:
    """Yield outcomes as they come, at most `jobs` replays at a time; each is a process of its own.

    Args:
        cells: What is replayed.
        folder: Where results are kept.
        jobs: At least 1.
    """
    processors = max(1, (os.cpu_count() or 1) // jobs)
    with Leash() as leash, ThreadPoolExecutor(jobs) as pool:
        try:
            for done in as_completed([pool.submit(replayed, cell, folder, processors, leash) for cell in cells]):
                yield done.result()
        except BaseException:  # Ctrl-C, too
            leash.let_go()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def on_ray(cells: Sequence[Cell], folder: Path) -> Generator[Outcome, None, None]:
    """Yield outcomes as they come from a Ray cluster, or from one that is started here; what is left is called off.

    Every worker must see recordings, models and `folder` under the same paths.

    Args:
        cells: What is replayed.
        folder: Where results are kept.

    Raises:
        ImportError: Ray is not installed.
    """
    ray: Any = optional("ray", "fleet", "ray")
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    task = ray.remote(num_cpus=1)(_on_a_worker)
    waiting = {task.remote(cell, folder): cell for cell in cells}
    try:
        while waiting:
            for done in ray.wait(list(waiting))[0]:
                cell = waiting.pop(done)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayError as error:
                    yield Outcome(cell, FAILED, f"Ray: {str(error).splitlines()[0]}")
    finally:
        for begun in waiting:
            ray.cancel(begun, force=True)


def _on_a_worker(cell: Cell, folder: Path) -> Outcome:
    with Leash() as leash:
        return replayed(cell, folder, 1, leash)
