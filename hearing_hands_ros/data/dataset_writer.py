"""Writes a dataset a scene at a time; a scene is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import yaml

from hearing_hands_ros.data.dataset import MANIFEST, SCENES, DatasetInfo
from hearing_hands_ros.data.item import Item, faults
from hearing_hands_ros.whole_file import whole_folder, write_text

SOURCES: Final = "sources.yaml"


def write_info(folder: str | Path, info: DatasetInfo) -> None:
    """Write `dataset.yaml`, at once."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / MANIFEST, yaml.safe_dump(info.document(), sort_keys=False, width=120))


def scene_folder(folder: str | Path, scene: str) -> Path:
    """Where a scene's items are."""
    return Path(folder) / SCENES / scene


def write_scene(
    folder: str | Path, info: DatasetInfo, scene: str, items: Iterable[Item], sources: Mapping[str, Any] | None = None
) -> int:
    """Write the items of one scene; what was cut off before is replaced, what was finished is not.

    Args:
        folder: The dataset.
        info: Of the dataset.
        scene: One of `info.splits`.
        items: Of that scene; sound beyond full scale is refused, not clipped.
        sources: What the scene was made of, for people and for checks of the split; written to `sources.yaml`.

    Returns:
        How many items.

    Raises:
        FileExistsError: The scene is there already.
        ValueError: The scene is in no split, or an item is wrong; names item and field.
    """
    target = scene_folder(folder, scene)
    who = f"Dataset({info.name!r})"
    if scene not in info.splits:
        raise ValueError(f"{who}: scene wanted one that is in a split, got {scene!r}")
    if target.exists():
        raise FileExistsError(f"{who}: wanted a new scene, got {target}, which is there already")
    count = 0
    with whole_folder(target) as draft:
        for item in items:
            arrays = item.arrays()
            wrong = list(faults(arrays, len(item.audio), info.sequence, info.encoder_dim))
            peak = float(np.abs(item.audio).max(initial=0.0))
            if not peak <= 1.0:
                wrong.append(f"audio: wanted finite samples of -1 to 1, got a peak of {peak:g}")
            if wrong:
                raise ValueError(f"{who}: {scene}/{item.name}: {'; '.join(wrong)}")
            with (draft / f"{item.name}.npz").open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]
            soundfile.write(draft / f"{item.name}.flac", item.audio, info.sequence.sample_rate_hz, subtype="PCM_16")
            count += 1
        if sources is not None:
            text = yaml.safe_dump(dict(sources), sort_keys=False, width=120, default_flow_style=None)
            (draft / SOURCES).write_text(text, encoding="utf-8")
    return count
