"""Datasets of touches on disk, simulated or recorded, and how they are read.

    dataset.yaml               format, name, sequence, encoder, origin, licences, splits
    scenes/SCENE/ITEM.npz      hands, touches, features; see `hearing_hands_ros.data.item`
    scenes/SCENE/ITEM.flac     the sound, one channel of PCM_16

A scene is whole on one side of the split.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item, contacts_of, faults
from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.sequence import SequenceConfig

FORMAT: Final = "hearing_hands_ros/dataset/1"
SPLITS: Final = ("train", "val", "test")
ORIGINS: Final = ("simulated", "recorded")
MANIFEST: Final = "dataset.yaml"
SCENES: Final = "scenes"


@dataclass(frozen=True)
class ItemRef:
    """Where an item is."""

    split: str
    scene: str
    name: str


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.yaml` says.

    Attributes:
        name: Of the dataset.
        sequence: Rates of sound and hands.
        encoder: Name of the image encoder.
        encoder_dim: D, length of its features.
        origin: 'simulated' or 'recorded'.
        licences: What of it is under which licence.
        splits: 'train', 'val' or 'test' by scene.
        made_by: How it came about, for people and for whoever goes on with it.

    Raises:
        ValueError: A field is not possible; all that are wrong are listed.
    """

    name: str
    sequence: SequenceConfig
    encoder: str
    encoder_dim: int
    origin: str
    licences: Mapping[str, str]
    splits: Mapping[str, str]
    made_by: str = ""

    def __post_init__(self) -> None:
        wrong = [
            f"splits: {scene}: wanted one of {', '.join(SPLITS)}, got {split!r}"
            for scene, split in self.splits.items()
            if split not in SPLITS
        ]
        wrong += [
            f"splits: wanted a plain folder name for a scene, got {scene!r}"
            for scene in self.splits
            if not isinstance(scene, str) or Path(scene).name != scene or scene in ("", ".", "..")
        ]
        if self.origin not in ORIGINS:
            wrong.append(f"origin: wanted one of {', '.join(ORIGINS)}, got {self.origin!r}")
        if isinstance(self.encoder_dim, bool) or not isinstance(self.encoder_dim, int) or self.encoder_dim < 1:
            wrong.append(f"encoder.dim: wanted an integer of at least 1, got {self.encoder_dim!r}")
        if wrong:
            raise ValueError(f"Dataset({self.name!r}): {'; '.join(wrong)}")

    def document(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "format": FORMAT,
            "name": self.name,
            "origin": self.origin,
            "made_by": self.made_by,
            "sequence": {part.name: getattr(self.sequence, part.name) for part in fields(self.sequence)},
            "encoder": {"name": self.encoder, "dim": self.encoder_dim},
            "licences": dict(self.licences),
            "splits": dict(self.splits),
        }


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk; items are read when they are asked for.

    Attributes:
        folder: Where it is.
        info: What `dataset.yaml` says.
    """

    folder: Path
    info: DatasetInfo
    _items: Mapping[str, tuple[ItemRef, ...]] = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Read `dataset.yaml` and list the items.

        Raises:
            FileNotFoundError: There is no `dataset.yaml`, or scenes or sounds are missing (all are listed).
            ValueError: A field is wrong, or a scene is in no split.
        """
        folder = Path(folder)
        info = read_info(folder)
        who = f"Dataset({info.name!r})"
        root = folder / SCENES
        missing = [f"{SCENES}/{scene}" for scene in info.splits if not (root / scene).is_dir()]
        items: dict[str, list[ItemRef]] = {split: [] for split in SPLITS}
        for scene, split in info.splits.items():
            for path in sorted((root / scene).glob("*.npz")):
                items[split].append(ItemRef(split, scene, path.stem))
                if not path.with_suffix(".flac").is_file():
                    missing.append(f"{SCENES}/{scene}/{path.stem}.flac")
        if missing:
            raise FileNotFoundError(f"{who}: wanted every scene and sound, got none for: {', '.join(missing)}")
        present = {path.name for path in root.iterdir() if path.is_dir() and not path.name.endswith(".part")}
        extra = sorted(present - set(info.splits))
        if extra:
            raise ValueError(f"{who}: wanted a split for every scene, got none for: {', '.join(extra)}")
        return cls(folder, info, {split: tuple(refs) for split, refs in items.items()})

    def items(self, split: str) -> tuple[ItemRef, ...]:
        """Items of a split, in order of scene and name.

        Raises:
            ValueError: There is no such split.
        """
        if split not in self._items:
            raise ValueError(f"Dataset({self.info.name!r}): split wanted one of {', '.join(SPLITS)}, got {split!r}")
        return self._items[split]

    def load(self, ref: ItemRef) -> Item:
        """Read and check an item.

        Raises:
            FileNotFoundError: A file of it is missing.
            ValueError: Something in it is wrong; names file and field.
        """
        path = self.folder / SCENES / ref.scene / f"{ref.name}.npz"
        who = f"Dataset({self.info.name!r}): {ref.scene}/{path.name}"
        arrays = _read_arrays(path, who)
        audio = self._read_audio(path.with_suffix(".flac"))
        wrong = list(faults(arrays, len(audio), self.info.sequence, self.info.encoder_dim))
        if wrong:
            raise ValueError(f"{who}: {'; '.join(wrong)}")
        try:
            motion = HandMotion(
                start_ns=0,
                rate_hz=float(arrays["rate_hz"]),
                keypoints=arrays["hands"].astype(np.float32, copy=False),
                valid=arrays["valid"],
                contacts=contacts_of(arrays),
            )
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from error
        return Item(
            scene=ref.scene,
            name=ref.name,
            action=str(arrays["action"]),
            motion=motion,
            audio=audio,
            contact_local=arrays["contact_local"],
            contact_local_hand=arrays["contact_local_hand"],
            scene_views=arrays["scene"],
            views_global=arrays.get("views_global"),
            views_local=arrays.get("views_local"),
        )

    def _read_audio(self, path: Path) -> NDArray[np.float32]:
        who = f"Dataset({self.info.name!r}): {path.parent.name}/{path.name}"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted a sound, got nothing at {path}")
        try:
            audio, rate = soundfile.read(path, dtype="float32")
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise ValueError(f"{who}: wanted a sound, got a file that cannot be read: {error}") from error
        if audio.ndim != 1 or rate != self.info.sequence.sample_rate_hz:
            channels = 1 if audio.ndim == 1 else audio.shape[1]
            raise ValueError(
                f"{who}: wanted one channel at {self.info.sequence.sample_rate_hz} Hz, got {channels} at {rate} Hz"
            )
        bad = int(np.count_nonzero(~np.isfinite(audio)))
        if bad:
            raise ValueError(f"{who}: wanted finite samples, got {bad} that are not")
        return audio


def read_info(folder: Path) -> DatasetInfo:
    """Read and check `dataset.yaml`.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is no YAML, a field is missing or wrong.
    """
    path = folder / MANIFEST
    who = f"Dataset({folder.name!r})"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted {MANIFEST}, got nothing at {path}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{who}: {MANIFEST} wanted YAML, got {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{who}: {MANIFEST} wanted a mapping, got {type(document).__name__}")  # noqa: TRY004
    if document.get("format") != FORMAT:
        raise ValueError(f"{who}: {MANIFEST}: format wanted {FORMAT!r}, got {document.get('format')!r}")
    for name in ("sequence", "encoder", "licences", "splits"):
        if not isinstance(document.get(name), dict):
            raise ValueError(f"{who}: {MANIFEST}: {name} wanted a mapping, got {document.get(name)!r}")  # noqa: TRY004
    unknown = sorted(set(document["sequence"]) ^ {part.name for part in fields(SequenceConfig)})
    if unknown:
        raise ValueError(f"{who}: {MANIFEST}: sequence wanted the fields of SequenceConfig, differs in {unknown}")
    return DatasetInfo(
        name=str(document.get("name", folder.name)),
        sequence=SequenceConfig(**document["sequence"]),
        encoder=str(document["encoder"].get("name")),
        encoder_dim=document["encoder"].get("dim"),
        origin=str(document.get("origin")),
        licences=document["licences"],
        splits=document["splits"],
        made_by=str(document.get("made_by", "")),
    )


def _read_arrays(path: Path, who: str) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted an item, got nothing at {path}")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{who}: wanted arrays without pickles, got a file that cannot be read: {error}") from error
