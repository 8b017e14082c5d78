"""The order of items, and every seed of a run: functions of the step, so that nothing needs to be remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from hearing_hands_ros.train.reuse import ONCE, Reuse


@dataclass(frozen=True)
class Pick:
    """What one batch is made of.

    Attributes:
        items: (B,) int64, numbers of items.
        seed: Of what is drawn to make it, such as crops.
    """

    items: NDArray[np.int64]
    seed: int


def seed_of(*key: int) -> int:
    """A seed, 0 to 2^63 - 1, that differs wherever a part of the key does."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_of(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that draws the same for the same key."""
    return torch.Generator(device).manual_seed(seed_of(*key))


class Order(Sampler[Pick]):
    """One permutation of the items after another, cut into batches; a process takes its part of each.

    Args:
        count: Items.
        batch: Items a step, over all processes.
        steps: (first, end) that are run through.
        seed: Of the permutations.
        rank: Of this process.
        processes: In all.
        reuse: How often a batch comes.

    Raises:
        ValueError: There are no items, or the batch cannot be shared evenly.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        steps: tuple[int, int],
        seed: int,
        rank: int = 0,
        processes: int = 1,
        reuse: Reuse = ONCE,
    ) -> None:
        if count < 1:
            raise ValueError("training: wanted at least one item to train on, got none")
        if batch % processes:
            raise ValueError(f"configuration: run.batch wanted a multiple of the {processes} processes, got {batch}")
        self.count, self.batch, self.steps, self.seed = count, batch, steps, seed
        self.rank, self.processes, self.reuse = rank, processes, reuse

    def __len__(self) -> int:
        return self.steps[1] - self.steps[0]

    def __iter__(self) -> Iterator[Pick]:
        return (self.at(step) for step in range(*self.steps))

    def at(self, step: int) -> Pick:
        """The batch of a step."""
        step = self.reuse.drawn_at(step)
        share = self.batch // self.processes
        first = step * self.batch + self.rank * share
        place = np.arange(first, first + share)
        items = np.empty(share, np.int64)
        for turn in np.unique(place // self.count):
            here = place // self.count == turn
            order = np.random.default_rng((self.seed, int(turn))).permutation(self.count)
            items[here] = order[place[here] % self.count]
        return Pick(items, seed_of(self.seed, step, self.rank))
