"""The anti-aliased activation in one pass over memory; compiled for CPUs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hearing_hands_ros.model.published.bigvgan import FILTER, AntiAliasedSnake
from hearing_hands_ros.scene.render.compiled import compiled

Floats = NDArray[np.float32]

CHUNK_VALUES = 1 << 15
"""Values at twice the rate that are worked on at a time: they stay in a core's cache."""

# sin(pi r) / r as a polynomial in r^2 on |r| <= 1/2, Chebyshev interpolation; error 2e-9.
_NODES = 0.125 + 0.125 * np.polynomial.chebyshev.chebpts1(6)
_FIT = np.polynomial.Chebyshev.fit(_NODES, np.sin(np.pi * np.sqrt(_NODES)) / np.sqrt(_NODES), 5, domain=[0.0, 0.25])
_S0, _S1, _S2, _S3, _S4, _S5 = (np.float32(c) for c in _FIT.convert(kind=np.polynomial.Polynomial).coef)


class FusedSnake(nn.Module):
    """What an `AntiAliasedSnake` computes, (B, C, T) in memory as (B, T, C); for inference on a CPU."""

    def __init__(self, snake: AntiAliasedSnake) -> None:
        super().__init__()
        self._per_turn = _array(torch.exp(snake.act.alpha) / torch.pi)
        self._amount = _array(1.0 / (torch.exp(snake.act.beta) + 1e-9))
        self._up = _array(2.0 * snake.upsample.filter.flatten())
        self._down = _array(snake.downsample.lowpass.filter.flatten())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        signal = x.detach().transpose(1, 2).contiguous().numpy()
        out = np.empty_like(signal)
        threads = torch.get_num_threads()
        edges = np.linspace(0, signal.shape[1], threads + 1).astype(int)

        def work(item: int, first: int, last: int) -> None:
            _activate(signal[item], self._per_turn, self._amount, self._up, self._down, first, last, out[item])

        shares = [(item, *share) for item in range(len(signal)) for share in pairwise(edges)]
        if threads == 1:
            for share in shares:
                work(*share)
        else:
            list(_pool().map(lambda share: work(*share), shares))
        return torch.from_numpy(out).transpose(1, 2)


@compiled(fastmath={"contract"})
def _activate(
    x: Floats, per_turn: Floats, amount: Floats, up: Floats, down: Floats, first: int, last: int, out: Floats
) -> None:
    """Frames first..last of x (T, C) into out (T, C)."""
    frames, channels = x.shape
    step = max(CHUNK_VALUES // (2 * channels), 8)
    wide = np.empty((2 * step + FILTER, channels), np.float32)
    for begin in range(first, last, step):
        end = min(begin + step, last)
        # Sample n of the signal at twice the rate, and enough on both sides for the filter back.
        for n in range(2 * begin - 5, 2 * end + 6):
            inside = min(max(n, 0), 2 * frames - 1)
            odd = inside & 1
            newest = (inside >> 1) + 2 + odd
            x0, x1 = x[min(max(newest, 0), frames - 1)], x[min(max(newest - 1, 0), frames - 1)]
            x2, x3 = x[min(max(newest - 2, 0), frames - 1)], x[min(max(newest - 3, 0), frames - 1)]
            x4, x5 = x[min(max(newest - 4, 0), frames - 1)], x[min(max(newest - 5, 0), frames - 1)]
            f0, f1, f2 = up[1 - odd], up[3 - odd], up[5 - odd]
            f3, f4, f5 = up[7 - odd], up[9 - odd], up[11 - odd]
            row = wide[n - 2 * begin + 5]
            for c in range(channels):
                value = f0 * x0[c] + f1 * x1[c] + f2 * x2[c] + f3 * x3[c] + f4 * x4[c] + f5 * x5[c]
                turns = per_turn[c] * value
                r = turns - np.rint(turns)
                s = r * r
                sine = r * (_S0 + s * (_S1 + s * (_S2 + s * (_S3 + s * (_S4 + s * _S5)))))
                row[c] = value + amount[c] * (sine * sine)
        for t in range(begin, end):
            row = out[t]
            at = 2 * (t - begin)
            for c in range(channels):
                row[c] = (
                    down[0] * wide[at, c]
                    + down[1] * wide[at + 1, c]
                    + down[2] * wide[at + 2, c]
                    + down[3] * wide[at + 3, c]
                    + down[4] * wide[at + 4, c]
                    + down[5] * wide[at + 5, c]
                    + down[6] * wide[at + 6, c]
                    + down[7] * wide[at + 7, c]
                    + down[8] * wide[at + 8, c]
                    + down[9] * wide[at + 9, c]
                    + down[10] * wide[at + 10, c]
                    + down[11] * wide[at + 11, c]
                )


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), "snake")


def _array(tensor: Tensor) -> Floats:
    values: Floats = tensor.detach().float().cpu().numpy()
    return np.ascontiguousarray(values)
