"""The same function on many jobs: in this process, in several, or on the machines of a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from hearing_hands_ros.libraries import optional

J = TypeVar("J")
R = TypeVar("R")


def spread(function: Callable[[J], R], jobs: Sequence[J], processes: int, ray: bool = False) -> Iterator[tuple[int, R]]:
    """Yield the number of each job and what came of it, as they are done.

    What a job raises is passed on at once; jobs that have not begun are not begun, others are ended.

    Args:
        function: Of a module; it and its jobs can be pickled.
        jobs: What it is to do.
        processes: At a time; 1 works in this one. Of Ray, as many as its cluster has room for.
        ray: On the Ray cluster of RAY_ADDRESS, or one that is started here with so many processes.

    Raises:
        ValueError: `processes` is not positive.
        ImportError: Ray is asked for and not installed.
    """
    if processes < 1:
        raise ValueError(f"dataset build: jobs wanted 1 or more, got {processes}")
    if ray:
        yield from _on_ray(function, jobs, processes)
    elif processes == 1:
        for number, job in enumerate(jobs):
            yield number, function(job)
    elif jobs:
        yield from _in_processes(function, jobs, min(processes, len(jobs)))


def _in_processes(function: Callable[[J], R], jobs: Sequence[J], processes: int) -> Iterator[tuple[int, R]]:
    others = set(multiprocessing.active_children())
    # A fork would inherit the threads of numerical libraries and hang.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _prepare) as pool:
        futures = {pool.submit(function, job): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()  # nothing that it was writing is taken for whole
            raise


def _prepare() -> None:
    """Processes side by side must not each start as many threads as there are cores, nor outlive the one they serve."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _on_ray(function: Callable[[J], R], jobs: Sequence[J], processes: int) -> Iterator[tuple[int, R]]:
    library = optional("ray", "dataset build --ray", "ray")
    if not library.is_initialized():  # what is started here ends with this process
        where = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": processes, "include_dashboard": False}
        library.init(log_to_driver=False, **where)
    remote = library.remote(function)
    waiting = {remote.remote(job): number for number, job in enumerate(jobs)}
    try:
        while waiting:
            done, _ = library.wait(list(waiting))
            for reference in done:
                yield waiting.pop(reference), library.get(reference)
    finally:
        for reference in waiting:
            library.cancel(reference, force=True)
