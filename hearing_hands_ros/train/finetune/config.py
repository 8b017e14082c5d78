"""What fine-tuning can be told, and what it is told for how much data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import soundfile

from hearing_hands_ros.data.dataset import SCENES, Dataset
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.train.checks import need_at_least, need_share
from hearing_hands_ros.train.compact_config import CompactData

SETTINGS: Final = (("finetune", 30.0), ("finetune_1h", 180.0), ("finetune_9h", float("inf")))
"""Files in config/train, and below how many minutes of training data each is taken."""


@dataclass(frozen=True)
class StartConfig:
    """What is fine-tuned.

    Attributes:
        folder: Checkpoint folder of a compact network; empty for the one that ships.
    """

    folder: str = ""


@dataclass(frozen=True)
class FinetuneObjective:
    """What is asked of the network.

    Attributes:
        parts: What of it may change by training: 'ends', the layers that give the spectrogram out and that remind of
            the conditions; 'all', everything.
        focus: Weight of mel frames in which something is touched or has just been, beside 1 for all of them.
        share: Of the way from the weights that it began with to those that were trained, so much is gone in the end.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    parts: Literal["ends", "all"] = "all"
    focus: float = 4.0
    share: float = 0.5

    def __post_init__(self) -> None:
        need_share("FinetuneObjective", "share", self.share)
        need_at_least("FinetuneObjective", "focus", 0, self.focus)


@dataclass(frozen=True)
class FinetuneTraining:
    """A trained compact network, made to fit a dataset.

    Attributes:
        data: The robot's own touches.
        start: What is fine-tuned.
        objective: What is asked.
    """

    data: CompactData = field(default_factory=lambda: CompactData(shortest_s=1.0, longest_s=2.0))
    start: StartConfig = field(default_factory=StartConfig)
    objective: FinetuneObjective = field(default_factory=FinetuneObjective)


def settings_for(minutes: float) -> Path:
    """The file of settings for so much training data."""
    name = next(name for name, below in SETTINGS if minutes < below)
    return share_directory() / "config" / "train" / f"{name}.yaml"


def minutes_of(dataset: Dataset, split: str) -> float:
    """How long the items of a split are together, min."""
    root = dataset.folder / SCENES
    seconds = (soundfile.info(root / ref.scene / f"{ref.name}.flac").duration for ref in dataset.items(split))
    return float(sum(seconds)) / 60.0
