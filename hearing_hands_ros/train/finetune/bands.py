"""Level and range of each mel band: what a microphone and a room change most, and what needs no training."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.solvers import integrate
from hearing_hands_ros.train.compact_data import CompactBatches
from hearing_hands_ros.train.compact_task import CompactModel, conditions_in
from hearing_hands_ros.train.sampler import Pick, generator_of

MOST_ITEMS: Final = 128
BATCH: Final = 8
LEAST_STD: Final = 0.02  # of log10 magnitudes: a band in which nothing is ever heard
SEED: Final = 20


@torch.no_grad()
def fit_bands(model: CompactModel, batches: CompactBatches, grid: Tensor) -> None:
    """Give each band of the network's draws the mean and deviation that it has in what was heard of the same touches.

    The network draws numbers z, and 10 ** (mean + std * z) is heard. A microphone's response adds to the logarithm what
    `mean` can take; noise that hides what is faint, or lets less of it through, narrows the range as `std` does.

    Args:
        model: Its `mel_mean` and `mel_std` are changed.
        batches: Whole items.
        grid: (S + 1,) times of the network's steps.
    """
    chosen = np.unique(np.linspace(0, len(batches) - 1, min(MOST_ITEMS, len(batches))).round().astype(np.int64))
    drawn, heard = _Moments(), _Moments()
    for first in range(0, len(chosen), BATCH):
        batch = batches[Pick(chosen[first : first + BATCH], SEED)]
        mel = batch["mel"].float()
        context = model.network.context(conditions_in(batch))
        noise = draw_noise(mel.transpose(1, 2).shape, generator_of(SEED, first))
        with torch.autocast("cpu", torch.bfloat16):
            draws = integrate(lambda x, t, c=context: model.network(x, t, c).float(), noise, grid)  # type: ignore[misc]
        drawn.add(draws.transpose(1, 2))
        heard.add(mel)
    ratio = heard.std.clamp(min=LEAST_STD) / drawn.std.clamp(min=LEAST_STD)
    model.mel_std.copy_(ratio)
    model.mel_mean.copy_(heard.mean - ratio * drawn.mean)


class _Moments:
    """Mean and deviation of each band."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, torch.zeros(()).double(), torch.zeros(()).double()

    def add(self, values: Tensor) -> None:
        """Take (B, T, F)."""
        rows = values.flatten(0, 1).double()
        self._count += len(rows)
        self._sum, self._squares = self._sum + rows.sum(0), self._squares + rows.square().sum(0)

    @property
    def mean(self) -> Tensor:
        """(F,)."""
        return (self._sum / self._count).float()

    @property
    def std(self) -> Tensor:
        """(F,)."""
        mean = self._sum / self._count
        return (self._squares / self._count - mean.square()).clamp(min=0.0).sqrt().float()
