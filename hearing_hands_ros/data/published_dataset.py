"""Reads the published Hearing Hands dataset, as it was unpacked.

    SCENE/mel/ITEM.npy                              (80, frames) log-mel
    SCENE/hamer_hand_keypoints/VIDEO/ITEM.npy       (frames, 2, 21, 3), or flat
    SCENE/clip_features/ITEM.npy                    (views, D) of the scene
    SCENE/clip_features_local/ITEM.npy              (views, D) of the touched spot

and a split file {"train" | "val" | "test": [[SCENE, ITEM], ...]}. Nothing in it is a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.sequence import SequenceConfig

SPLITS: Final = ("train", "val", "test")
WINDOW_S: Final = 8.0
SLACK: Final = 2  # frames that an item may be longer or shorter: its files were cut by different programs
MOST_NAMED: Final = 20  # missing files that a message lists
PARTS: Final = {
    "mel": "mel",
    "hands": "hamer_hand_keypoints",
    "views": "clip_features",
    "local_views": "clip_features_local",
}


@dataclass(frozen=True)
class PublishedRef:
    """Which item: its scene, and its name, which says clip, view and window."""

    scene: str
    name: str

    @property
    def video(self) -> str:
        """The video that it is cut from."""
        return "_".join(self.name.split("_")[: 6 if "2024-" in self.name else 5])

    def paths(self, folder: Path) -> dict[str, Path]:
        """Its files, by field of `PublishedItem`."""
        root, file = folder / self.scene, f"{self.name}.npy"
        return {
            part: root / below / self.video / file if part == "hands" else root / below / file
            for part, below in PARTS.items()
        }


@dataclass(frozen=True, eq=False)
class PublishedItem:
    """One window of 8 s.

    Attributes:
        ref: Which.
        mel: (F, T) float32, log10 magnitude.
        hands: (T, 126) float32, both hands' keypoints, as published: not normalised.
        views: (V, D) float32 features of the scene.
        local_views: (V, D) float32 features of the touched spot.
    """

    ref: PublishedRef
    mel: NDArray[np.float32]
    hands: NDArray[np.float32]
    views: NDArray[np.float32]
    local_views: NDArray[np.float32]


@dataclass(frozen=True)
class PublishedDataset:
    """The dataset on disk; items are read when they are asked for.

    Attributes:
        folder: With a folder for each scene.
        sequence: Rates of the published model.
    """

    folder: Path
    sequence: SequenceConfig
    _items: Mapping[str, tuple[PublishedRef, ...]] = field(repr=False)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        splits: str | Path,
        held_out: Collection[str] = (),
        sequence: SequenceConfig | None = None,
    ) -> PublishedDataset:
        """Read the split file, and see that every file it names is there.

        The published split has views of one clip on both sides of train and val, and holds no scene out.

        Args:
            folder: With a folder for each scene.
            splits: The split file.
            held_out: Scenes to test on instead: all their items are 'test', and nothing else is.
            sequence: Rates; those of the published model if None.

        Raises:
            FileNotFoundError: The split file or files that it names are missing.
            ValueError: The split file is no such file, or has no items of a scene to hold out.
        """
        folder, path = Path(folder), Path(splits)
        who = f"PublishedDataset({folder.name!r})"
        if not path.is_file():
            raise FileNotFoundError(f"{who}: wanted the split file, got nothing at {path}")
        items = _read_splits(path, who)
        unknown = sorted(set(held_out) - {ref.scene for refs in items.values() for ref in refs})
        if unknown:
            raise ValueError(f"{who}: held_out wanted scenes of {path.name}, got also: {', '.join(unknown)}")
        if held_out:
            tested = tuple(ref for split in SPLITS for ref in items[split] if ref.scene in held_out)
            items = {s: tuple(ref for ref in items[s] if ref.scene not in held_out) for s in ("train", "val")}
            items["test"] = tested
        wanted = [file for refs in items.values() for ref in refs for file in ref.paths(folder).values()]
        missing = [file.relative_to(folder).as_posix() for file in wanted if not file.is_file()]
        if missing:
            named = ", ".join(missing[:MOST_NAMED]) + (", ..." if len(missing) > MOST_NAMED else "")
            raise FileNotFoundError(f"{who}: wanted {len(wanted)} files, got none for {len(missing)}: {named}")
        return cls(folder, sequence or SequenceConfig(), items)

    def items(self, split: str) -> tuple[PublishedRef, ...]:
        """Items of a split, in the order of the split file.

        Raises:
            ValueError: There is no such split.
        """
        if split not in self._items:
            raise ValueError(
                f"PublishedDataset({self.folder.name!r}): split wanted one of {', '.join(SPLITS)}, got {split!r}"
            )
        return self._items[split]

    def load(self, ref: PublishedRef) -> PublishedItem:
        """Read and check an item.

        Raises:
            FileNotFoundError: A file of it is missing.
            ValueError: An array is not as it should be; names the file.
        """
        s = self.sequence
        paths = ref.paths(self.folder)
        arrays = {part: _read(path, self.folder) for part, path in paths.items()}
        hands = arrays["hands"]
        if hands.ndim > 2 and hands.shape[1:] == (len(HANDS), KEYPOINTS, 3):
            arrays["hands"] = hands.reshape(len(hands), -1)
        shapes = {
            "mel": (s.mel_frames(WINDOW_S), s.bins),
            "hands": (s.hand_frames(WINDOW_S), len(HANDS) * KEYPOINTS * 3),
            "views": (s.view_frames(WINDOW_S), None),
            "local_views": (s.view_frames(WINDOW_S), None),
        }
        arrays["mel"] = arrays["mel"].T
        fitted = {
            part: _fitted(arrays[part], frames, width, paths[part].relative_to(self.folder).as_posix(), part == "mel")
            for part, (frames, width) in shapes.items()
        }
        return PublishedItem(ref, fitted["mel"].T, fitted["hands"], fitted["views"], fitted["local_views"])


def _read_splits(path: Path, who: str) -> dict[str, tuple[PublishedRef, ...]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{who}: {path.name} wanted JSON, got {error}") from error
    if not isinstance(document, dict) or sorted(document) != sorted(SPLITS):
        got = sorted(document) if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{who}: {path.name} wanted the splits {', '.join(SPLITS)}, got {got}")
    items = {}
    for split in SPLITS:
        for number, pair in enumerate(document[split]):
            plain = isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
            if not plain or any(Path(part).name != part for part in pair):
                raise ValueError(f"{who}: {path.name}: {split}[{number}] wanted [scene, item], got {pair!r}")
        items[split] = tuple(PublishedRef(scene, name) for scene, name in document[split])
    return items


def _read(path: Path, folder: Path) -> NDArray[np.float32]:
    who = f"PublishedDataset({folder.name!r}): {path.relative_to(folder).as_posix()}"
    if not path.is_file():
        raise FileNotFoundError(f"{who}: wanted an array, got nothing at {path}")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{who}: wanted an array without pickles, got a file that cannot be read: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim < 2:
        raise ValueError(f"{who}: wanted numbers with two axes or more, got {getattr(array, 'dtype', type(array))}")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ValueError(f"{who}: wanted finite values, got {bad} that are not")
    return array.astype(np.float32)


def _fitted(array: NDArray[np.float32], frames: int, width: int | None, name: str, turned: bool) -> NDArray[np.float32]:
    """Exactly `frames` rows: a little too long is cut, a little too short repeats its last one."""
    if array.ndim != 2 or (width is not None and array.shape[1] != width) or abs(len(array) - frames) > SLACK:
        shape = [str(frames), str(width or "any")]
        order = -1 if turned else 1
        raise ValueError(
            f"PublishedDataset: {name} wanted shape ({', '.join(shape[::order])}), frames to within {SLACK}, "
            f"got {array.shape[::order]}"
        )
    short = max(0, frames - len(array))
    return np.concatenate([array, np.repeat(array[-1:], short, axis=0)])[:frames]
