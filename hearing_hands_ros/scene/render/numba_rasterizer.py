"""The rasteriser for CPUs: tiles of 16 x 16 pixels, Gaussians sorted once a picture, compiled with numba.

Project, sort by depth, list for every tile the Gaussians that meet it, blend each tile from near to far until nothing
shines through. Threads are Python's own, for the compiled functions free the GIL: numba's parallel loops end the
process when two threads of a program enter them, unless a library is there that pip does not bring.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.scene import memory
from hearing_hands_ros.scene.render import numba_kernels as kernels
from hearing_hands_ros.scene.render.model import FAINTEST, MARGIN, CameraBatch, Rendering
from hearing_hands_ros.scene.splats import SplatScene

SHARES = 8  # portions of the work for each thread: who is done early takes another
SMALLEST_SHARE = 2048  # Gaussians; handing out less costs more than doing it
BYTES_EACH = 4 * 6 + 4 + 4 * kernels.RECORD + 2 * 4  # covariance, reach, record, box
TILES_EACH = 2  # that a Gaussian meets, 16 bytes each; on average fewer, or it hides those behind it

Floats = NDArray[np.float32]


class NumbaRasterizer:
    """One scene, ready to be rendered.

    Args:
        splats: The scene; its arrays are used as they are and must not change.
        threads: How many to use; as many as the process may run on if None.

    Raises:
        ValueError: Rendering would need more memory than there is.
    """

    def __init__(self, splats: SplatScene, threads: int | None = None) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        memory.require(
            f"NumbaRasterizer({splats.source!r})",
            f"rendering {len(splats):,} Gaussians",
            len(splats) * (BYTES_EACH + 16 * TILES_EACH),
            "render fewer Gaussians (hearing-hands scene crop)",
        )
        self._lock = Lock()
        self._workspace = _Workspace(0)
        self._scene = self._prepare(splats)

    def render(
        self, cameras: CameraBatch, extras: Sequence[SplatScene | None], background: tuple[float, float, float]
    ) -> Rendering:
        """As `model.Backend` says."""
        pictures = Rendering.empty(len(cameras), cameras.height, cameras.width)
        behind = np.array(background, np.float32)
        prepared: dict[int, _Prepared] = {}
        with self._lock:
            for c in range(len(cameras)):
                parts = [self._scene]
                if (extra := extras[c]) is not None:
                    if id(extra) not in prepared:
                        prepared[id(extra)] = self._prepare(extra)
                    parts.append(prepared[id(extra)])
                self._draw(parts, pack(cameras, c), behind, pictures.rgb[c], pictures.depth[c], pictures.alpha[c])
        return pictures

    def _prepare(self, splats: SplatScene) -> _Prepared:
        covs = np.empty((len(splats), 6), np.float32)
        prepared = _Prepared(splats, covs)
        quats, scales = _floats(splats.quats_wxyz), _floats(splats.scales)
        self._all(kernels.covariances, [(*c, quats, scales, covs) for c in _chunks(len(splats), 65536)])
        return prepared

    def _draw(
        self,
        parts: Sequence[_Prepared],
        camera: NDArray[np.float64],
        background: Floats,
        rgb: Floats,
        depth: Floats,
        alpha: Floats,
    ) -> None:
        total = sum(len(part.means) for part in parts)
        if self._workspace.size < total:
            self._workspace = _Workspace(total)
        work = self._workspace
        columns, rows = -(-rgb.shape[1] // kernels.TILE), -(-rgb.shape[0] // kernels.TILE)
        size = max(-(-total // (SHARES * self._threads)), SMALLEST_SHARE)
        spans = [(part, *chunk) for part in parts for chunk in _chunks(len(part.means), size)]
        counts = np.zeros((len(spans), rows * columns), np.int64)
        begins = np.cumsum([0, *(last - first for _, first, last in spans)])[:-1].tolist()
        calls = [
            (first, last, *part.columns, camera, work.records, work.boxes, counts[i], begins[i])
            for i, (part, first, last) in enumerate(spans)
        ]
        ends = self._all(kernels.project, calls)
        offsets = np.zeros(rows * columns + 1, np.int64)
        np.cumsum(counts.sum(axis=0), out=offsets[1:])
        cursors = offsets[:-1] + np.cumsum(counts, axis=0) - counts
        entries, spare = work.entries(int(offsets[-1]))
        seen = zip(begins, ends, cursors, strict=True)
        shared = (work.records, work.boxes, columns)
        self._all(kernels.fill_tiles, [(begin, end, *shared, cursor, entries) for begin, end, cursor in seen])
        step = SHARES * self._threads
        picture = (offsets, entries, spare, work.records, columns, background, rgb, depth, alpha)
        self._all(kernels.draw_tiles, [(first, step, *picture) for first in range(step)])

    def _all(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call the function with each of the arguments, on all threads; results in the order of the calls."""
        if self._threads == 1 or len(calls) < 2:
            return [function(*call) for call in calls]
        return list(self._pool.map(lambda call: function(*call), calls))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, "rasterizer")


class _Prepared:
    """Columns of a scene as the kernels want them."""

    def __init__(self, splats: SplatScene, covs: Floats) -> None:
        with np.errstate(divide="ignore"):
            reaches = np.log(splats.opacities / np.float32(FAINTEST), dtype=np.float32)
        self.means = _floats(splats.means)
        self.columns = (self.means, covs, reaches, _floats(splats.sh))


class _Workspace:
    """Scratch for so many Gaussians; kept, for fresh memory costs a page fault every 4 KiB."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.records = np.empty((size, kernels.RECORD), np.float32)
        self.boxes = np.empty((size, 4), np.int16)
        self._entries = np.empty((2, 0), np.uint64)

    def entries(self, size: int) -> NDArray[np.uint64]:
        """(2, size or more)."""
        if self._entries.shape[1] < size:
            wanted = size + size // 4
            memory.require("NumbaRasterizer", f"{size:,} Gaussians in tiles", 16 * wanted, "take a smaller picture")
            self._entries = np.empty((2, wanted), np.uint64)
        return self._entries


def pack(cameras: CameraBatch, index: int) -> NDArray[np.float64]:
    """(CAMERA,) of one camera: rotation, translation, position, fx fy cx cy, size, near, far, margins of the view."""
    viewmat, k = cameras.viewmats[index], cameras.intrinsics[index]
    turn, shift = viewmat[:3, :3], viewmat[:3, 3]
    margins = MARGIN * 0.5 * np.array([cameras.width / k[0, 0], cameras.height / k[1, 1]])
    lens = [k[0, 0], k[1, 1], k[0, 2], k[1, 2], cameras.width, cameras.height, cameras.near, cameras.far]
    return np.concatenate([turn.ravel(), shift, -turn.T @ shift, lens, margins])


def _floats(values: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(values, np.float32)


def _chunks(count: int, size: int) -> Iterable[tuple[int, int]]:
    return ((first, min(first + size, count)) for first in range(0, count, size))
