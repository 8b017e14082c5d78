"""Items of the compact network: spectrograms and conditions are computed once, and kept in half precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.model.compact.conditions import TOUCH_CHANNELS, Conditions, conditions_of
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig
from hearing_hands_ros.motion.hands import HANDS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.progress import progress
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.train.compact_config import CompactData
from hearing_hands_ros.train.sampler import Pick

UNNAMED = -1  # a touch of a material that has no name or number, and no touch
LONG_AGO = 5 * PATCH  # touch channels from here on tell how long ago the last touch began


def check_fits(dataset: Dataset, sequence: SequenceConfig, network: CompactConfig) -> None:
    """Compare a dataset with a configuration.

    Raises:
        ValueError: They do not fit; the message names the field.
    """
    info = dataset.info
    for part in fields(SequenceConfig):
        wanted, got = getattr(sequence, part.name), getattr(info.sequence, part.name)
        if wanted != got:
            raise ValueError(f"Dataset({info.name!r}): sequence.{part.name} wanted {wanted}, got {got}")
    if info.encoder_dim != network.feature_dim:
        raise ValueError(
            f"Dataset({info.name!r}): features of {info.encoder!r} wanted network.feature_dim "
            f"{network.feature_dim}, got {info.encoder_dim}"
        )
    if sequence.bins != network.bins:
        raise ValueError(f"configuration: network.bins wanted {sequence.bins} (sequence.bins), got {network.bins}")


class CompactBatches:
    """All items of a split, end to end in one array each; a batch is cut out of them.

    Args:
        dataset: Opened and checked.
        split: Of the dataset.
        data: Lengths of crops, and views.
        crop: At random; else each item from its beginning, and bare views.
        materials: Names that are told apart; None for all that the split has.
    """

    def __init__(
        self, dataset: Dataset, split: str, data: CompactData, crop: bool, materials: Sequence[str] | None = None
    ) -> None:
        self.data, self.crop, self.sequence = data, crop, dataset.info.sequence
        self.refs = dataset.items(split)
        self.names = [f"{ref.scene}/{ref.name}" for ref in self.refs]
        told = progress(self.refs, f"reading {split}")
        parts = [_parts(dataset.load(ref), self.sequence) for ref in told]
        dim = dataset.info.encoder_dim
        self.tokens = np.array([len(part["hands"]) for part in parts], np.int64)
        self.first = np.concatenate([[0], np.cumsum(self.tokens)[:-1]]).astype(np.int64)
        joined = {name: [part[name] for part in parts] for name in (parts[0] if parts else ())}
        self.by_token = {name: _joined(joined, name) for name in ("mel", "hands", "touches", "touched")}
        self.scene = np.array(joined.get("scene", []), np.float16).reshape(len(parts), dim)
        # Row 0 stands for no touch.
        self.looks = np.concatenate([np.zeros((1, 2, dim), np.float16), *joined.get("looks", [])])
        names = [str(name) for part in parts for name in part["materials"]]
        self.materials = sorted({*names} - {""}) if materials is None else list(materials)
        known = {name: index for index, name in enumerate(self.materials)}
        self.material = np.array([UNNAMED, *(known.get(name, UNNAMED) for name in names)], np.int64)
        counts = [len(part["looks"]) for part in parts]
        most = max([1, *counts])
        self.look = np.zeros((len(parts), most), np.int64)
        self.hand = np.zeros((len(parts), most), np.int64)
        self.spans_s = np.full((2, len(parts), most), -np.inf)
        row = 1
        for number, count in enumerate(counts):
            self.look[number, :count] = range(row, row + count)
            self.hand[number, :count] = parts[number]["hand"]
            self.spans_s[:, number, :count] = parts[number]["spans_s"]
            row += count

    def __len__(self) -> int:
        return len(self.refs)

    def __getitem__(self, pick: Pick) -> Mapping[str, Tensor]:
        """Cut out a batch.

        Returns:
            mel (B, T, F) and scene (B, D) in half precision, what `ConditionBatch` holds, the same length N of all, and
            materials (B, C), numbers in `materials` or `UNNAMED`.
        """
        rng = np.random.default_rng(pick.seed)
        most = int(self.tokens[pick.items].min())
        rate = self.sequence.mel_rate_hz / PATCH
        shortest, longest = (min(most, round(s * rate)) for s in (self.data.shortest_s, self.data.longest_s))
        length = int(rng.integers(shortest, longest + 1)) if self.crop else longest
        spare = self.tokens[pick.items] - length
        offset = rng.integers(0, spare + 1) if self.crop else np.zeros_like(spare)
        rows = (self.first[pick.items] + offset)[:, None] + np.arange(length)
        cut = {name: values[rows] for name, values in self.by_token.items()}
        cut["mel"] = cut["mel"].reshape(len(rows), length * PATCH, -1)
        with_hand = rng.random(self.look[pick.items].shape) < (self.data.hand_in_view if self.crop else 0.0)
        looks = self._forget(pick.items, offset / rate, length / rate, cut)
        chosen = np.take_along_axis(with_hand.astype(np.int64), looks["order"], axis=1)
        cut["looks"] = self.looks[looks["rows"], chosen[:, : looks["rows"].shape[1]]]
        cut["materials"] = self.material[looks["rows"]]
        cut["scene"] = self.scene[pick.items]
        cut["tokens"] = np.full(len(rows), length)
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in cut.items()}

    def _forget(
        self, items: NDArray[np.int64], start_s: NDArray[np.float64], length_s: float, cut: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[np.int64]]:
        """Take away what a window that begins here would not know: touches that are not in it.

        Changes touches and touched of `cut`.

        Returns:
            order (B, C) of the item's touches with those in the window first, and rows (B, C') of their looks.
        """
        begins, ends = self.spans_s[:, items]
        inside = (ends > start_s[:, None]) & (begins < start_s[:, None] + length_s)
        order = np.argsort(~inside, axis=1, kind="stable")
        rows = np.take_along_axis(np.where(inside, self.look[items], 0), order, axis=1)[:, : inside.sum(axis=1).max()]
        # Number of each touch in the window, from 1; 0 for none.
        number = np.where(inside, np.argsort(order, axis=1) + 1, 0)
        number = np.concatenate([np.zeros((len(number), 1), np.int64), number], axis=1)
        which = cut["touched"].astype(np.int64)
        cut["touched"] = np.take_along_axis(number, which.reshape(len(which), -1), axis=1).reshape(which.shape)
        by_hand = cut["touches"].reshape(*which.shape[:2], len(HANDS), TOUCH_CHANNELS)
        centre_s = start_s[:, None] + (np.arange(which.shape[1]) + 0.5) * PATCH * self.sequence.hop_s
        for hand in range(len(HANDS)):
            first_s = np.where(inside & (self.hand[items] == hand), begins, np.inf).min(axis=1)
            by_hand[:, :, hand, LONG_AGO:] *= (centre_s >= first_s[:, None])[..., None]
        return {"order": order, "rows": rows}


def _parts(item: Item, sequence: SequenceConfig) -> dict[str, NDArray[Any]]:
    """Arrays of one item; a mel frame that fills no token is left out."""
    mel = log_mel(item.audio, sequence)
    tokens = mel.shape[1] // PATCH
    bare = item.contact_local.astype(np.float32)
    found = conditions_of(item.motion, bare, item.scene_views.astype(np.float32), sequence)
    hand = np.where(np.isfinite(item.contact_local_hand), item.contact_local_hand, item.contact_local)
    contacts = item.motion.contacts
    spans_ns = np.array([[c.start_ns for c in contacts], [c.end_ns for c in contacts]], np.float64).reshape(2, -1)
    return {
        "mel": mel[:, : tokens * PATCH].T.reshape(tokens, -1).astype(np.float16),
        **_halves(found, tokens),
        "touched": found.touched[:tokens].astype(np.int16),
        "scene": found.scene.astype(np.float16),
        "looks": np.stack([item.contact_local, hand], axis=1).astype(np.float16),
        "hand": np.array([c.hand for c in contacts], np.int64),
        "spans_s": spans_ns / NANOSECONDS,
        "materials": np.array([c.material for c in contacts], np.str_),
    }


def _halves(found: Conditions, tokens: int) -> dict[str, NDArray[np.float16]]:
    largest = float(np.finfo(np.float16).max)  # a hand that TF throws about
    return {
        name: np.clip(getattr(found, name)[:tokens], -largest, largest).astype(np.float16)
        for name in ("hands", "touches")
    }


def _joined(parts: Mapping[str, list[NDArray[Any]]], name: str) -> NDArray[Any]:
    return np.concatenate(parts[name]) if parts.get(name) else np.zeros((0, 1), np.float16)
