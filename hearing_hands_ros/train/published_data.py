"""Items of the published dataset, in memory; some are joined from two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hearing_hands_ros.data.published_dataset import PublishedDataset
from hearing_hands_ros.model.published.config import ConditionerConfig
from hearing_hands_ros.progress import progress
from hearing_hands_ros.train.published_config import WINDOW_S, PublishedData
from hearing_hands_ros.train.sampler import Pick


class PublishedBatches:
    """All items of a split; spectrograms and features in half precision.

    Args:
        dataset: Opened.
        split: Of the dataset.
        widths: Of its features.
        data: How items are joined.
        splice: Join some; else each item is whole.

    Raises:
        ValueError: The split has no items, or one does not fit.
    """

    def __init__(
        self, dataset: PublishedDataset, split: str, widths: ConditionerConfig, data: PublishedData, splice: bool
    ) -> None:
        self.data, self.splice = data, splice
        refs = dataset.items(split)
        if not refs:
            held_out = ", ".join(data.held_out) or "nothing"
            raise ValueError(f"PublishedBatches: '{split}' wanted at least one item, got none; held out: {held_out}")
        self.names = [f"{ref.scene}/{ref.name}" for ref in refs]
        s, count = dataset.sequence, len(refs)
        shapes = {
            "mel": (s.mel_frames(WINDOW_S), s.bins),
            "hands": (s.hand_frames(WINDOW_S), widths.hand_dim),
            "views": (s.view_frames(WINDOW_S), widths.global_dim),
            "local_views": (s.view_frames(WINDOW_S), widths.local_dim),
        }
        # Hands are not normalised, and may be too large for half precision.
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.empty((count, *shape), np.float32 if name == "hands" else np.float16)
            for name, shape in shapes.items()
        }
        for number, ref in enumerate(progress(refs, f"reading {split}")):
            item = dataset.load(ref)
            for name, shape in shapes.items():
                values = item.mel.T if name == "mel" else getattr(item, name)
                if values.shape != shape:
                    raise ValueError(f"{self.names[number]}: {name} wanted shape {shape}, got {values.shape}")
                self.arrays[name][number] = values

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, pick: Pick) -> Mapping[str, Tensor]:
        """Take a batch.

        Returns:
            mel (B, T, F), hands (B, Th, 126), views (B, Tv, D) and local_views (B, Tv, D').
        """
        rng = np.random.default_rng(pick.seed)
        count = len(pick.items)
        joined = rng.random(count) < (self.data.splice if self.splice else 0.0)
        other = np.where(joined, rng.integers(0, len(self), count), pick.items)
        cut = rng.uniform(self.data.splice_least_s, WINDOW_S - self.data.splice_least_s, count) / WINDOW_S
        batch = {}
        for name, values in self.arrays.items():
            frames = values.shape[1]
            late = np.arange(frames) >= np.round(cut[:, None] * frames)
            source = np.where(late, other[:, None], pick.items[:, None])
            batch[name] = torch.from_numpy(values[source, np.arange(frames)])
        return batch
