"""What is trained. Everything a task draws comes from the generator that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.train.config import TrainConfig
from hearing_hands_ros.train.reuse import Reuse
from hearing_hands_ros.train.sampler import Pick

Batch = Mapping[str, Tensor]


class Batches(Protocol):
    """Data of one split, in memory or nearly: a batch costs no work that could have been done before."""

    def __len__(self) -> int:
        """Items."""

    def __getitem__(self, pick: Pick) -> Batch:
        """Tensors of the picked items, first axis B, on the CPU."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network makes of one item.

    Attributes:
        name: Of the item.
        predicted: (F, T) log10 magnitude.
        true: (F, T) of the item.
    """

    name: str
    predicted: NDArray[np.float32]
    true: NDArray[np.float32]


class Task(Protocol):
    """A network, its data, and what is asked of it.

    Attributes:
        kind: Of its checkpoints.
        sequence: Rates and lengths.
        reuse: How often a batch comes.
    """

    kind: str
    sequence: SequenceConfig
    reuse: Reuse

    def build(self) -> nn.Module:
        """The network with random weights, drawn from torch's own generator, which was seeded."""

    def data(self, split: str) -> Batches:
        """Items of 'train' or 'val'."""

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take the first weights from a checkpoint.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is of another kind, or does not fit.
        """

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """What is made small, a scalar, and further scalars for the curves."""

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Means over a batch; 'loss' decides which weights are the best."""

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """A few sounds of the validation's items."""

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """Write a checkpoint folder.

        Args:
            network: With the weights to keep.
            folder: Is made if missing.
            training: What is known of the run.
        """


def make_task(config: TrainConfig) -> Task:
    """The task that a configuration names; reads no items yet.

    Raises:
        FileNotFoundError: Its data or its teacher are not there.
        ValueError: They do not fit the configuration.
    """
    from hearing_hands_ros.train.compact_config import CompactTraining
    from hearing_hands_ros.train.finetune.config import FinetuneTraining
    from hearing_hands_ros.train.published_config import PublishedTraining

    if isinstance(config.options, CompactTraining):
        from hearing_hands_ros.train.compact_task import CompactTask

        return CompactTask(config.options)
    if isinstance(config.options, PublishedTraining):
        from hearing_hands_ros.train.published_task import PublishedTask

        return PublishedTask(config.options)
    if isinstance(config.options, FinetuneTraining):
        from hearing_hands_ros.train.finetune.task import FinetuneTask

        return FinetuneTask(config.options)
    from hearing_hands_ros.train.student_task import StudentTask

    return StudentTask(config.options, "reflow" if config.task == "reflow" else "distill")
