"""Which files make up a recording, and what its metadata.yaml says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml

from hearing_hands_ros.motion.window import NANOSECONDS

SUFFIXES = (".mcap", ".db3")
PACKED = ".zstd"
METADATA = "metadata.yaml"


@dataclass(frozen=True)
class Expected:
    """What metadata.yaml says of a file: messages, and seconds from the first to the last."""

    messages: int
    seconds: float


@dataclass
class BagFolder:
    """Files of a recording, in the order in which they were written.

    Attributes:
        files: Those that are there.
        damage: What is missing, for people.
        expected: By the name of a file, where metadata.yaml says so.
        digests: Hash of each type, likewise.
    """

    files: list[Path]
    damage: list[str] = field(default_factory=list)
    expected: dict[str, Expected] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


def bag_folder(path: Path) -> BagFolder:
    """The files of a recording: a folder with or without metadata.yaml, or one file.

    Raises:
        ValueError: There is no recording, or there are several.
    """
    wanted = f"bag '{path}': wanted a rosbag2 folder, an .mcap or a .db3 file"
    if not path.exists():
        raise ValueError(f"{wanted}, found nothing")
    if path.is_file():
        if not _is_bag(path.name):
            raise ValueError(f"{wanted}, got '{path.suffix}'")
        return BagFolder([path])
    there = sorted((file for file in path.iterdir() if file.is_file() and _is_bag(file.name)), key=_number)
    metadata = path / METADATA
    if not metadata.is_file():
        if not there:
            raise ValueError(f"{wanted}, got a folder without {METADATA} and without such files")
        _refuse_several(path, there)
        return BagFolder(there, [f"{METADATA} is missing: read without it"])
    try:
        return _described(path, there, yaml.safe_load(metadata.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        if not there:
            raise ValueError(f"{wanted}, got a folder whose {METADATA} is broken, without such files") from error
        _refuse_several(path, there)
        return BagFolder(there, [f"{METADATA} is broken: read without it"])


def _described(path: Path, there: list[Path], document: Mapping[str, Any]) -> BagFolder:
    """The files that metadata.yaml lists, and those that the recorder had begun since it was written."""
    known = document["rosbag2_bagfile_information"]
    names = [PurePath(name).name for name in known["relative_file_paths"]]
    found = BagFolder([path / name for name in names if (path / name).is_file()])
    per_file = {PurePath(entry["path"]).name: entry for entry in known.get("files") or ()}
    if len(names) == 1:
        per_file.setdefault(names[0], known)
    found.expected = {
        name: Expected(int(entry["message_count"]), entry["duration"]["nanoseconds"] / NANOSECONDS)
        for name, entry in per_file.items()
    }
    for topic in known["topics_with_message_count"]:
        about = topic["topic_metadata"]
        found.digests[about["type"]] = about.get("type_description_hash") or ""
    for name in names:
        if not (path / name).is_file():
            lost = found.expected.get(name)
            much = f" with {lost.messages} messages, {lost.seconds:.1f} s" if lost else ""
            found.damage.append(f"'{name}'{much} is missing")
    listed = {name.removesuffix(PACKED) for name in names}
    stems = {_stem(name) for name in names}
    for file in there:
        if file.name.removesuffix(PACKED) not in listed and _stem(file.name) in stems:
            found.files.append(file)
            found.damage.append(f"'{file.name}' is not in {METADATA}: read too")
    if not found.files:
        raise ValueError(f"bag '{path}': wanted the files that {METADATA} lists, got none: {', '.join(found.damage)}")
    return found


def _is_bag(name: str) -> bool:
    return name.removesuffix(PACKED).endswith(SUFFIXES)


def _number(path: Path) -> tuple[str, int]:
    """Files in the order of their numbers: NAME_10 after NAME_9."""
    number = re.search(r"_(\d+)\.[a-z0-9.]+$", path.name)
    return _stem(path.name), int(number[1]) if number else -1


def _stem(name: str) -> str:
    """Name without number and suffix, which the files of a recording share, with the kind of file."""
    plain = PurePath(name.removesuffix(PACKED))
    return re.sub(r"_\d+$", "", plain.stem) + plain.suffix


def _refuse_several(path: Path, files: list[Path]) -> None:
    """Without metadata.yaml, files are of one recording if recorders name those of one so: NAME_0, NAME_1 and so on."""
    stems = {_stem(file.name) for file in files}
    if len(files) > 1 and (len(stems) > 1 or _number(files[0])[1] != 0):
        some = ", ".join(f"'{file.name}'" for file in files[:3])
        raise ValueError(
            f"bag '{path}': wanted the files of one recording (NAME_0, NAME_1 and so on, or {METADATA}), got {some}"
            f"{' and more' if len(files) > 3 else ''}: name one of them"
        )
