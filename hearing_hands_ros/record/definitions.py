"""Message definitions as a recording carries them, so that whoever reads it needs no ROS."""

from __future__ import annotations

import sys
from pathlib import Path

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

_RULE = "=" * 80


def definition_of(type_name: str) -> tuple[str, str]:
    """Definition of an installed message type with those of all types in it, and its hash.

    Args:
        type_name: Such as 'sensor_msgs/msg/Image'.

    Returns:
        Text as rosbag2 writes it (schema encoding 'ros2msg'), and the hash (RIHS01).

    Raises:
        ValueError: One of the types is not installed as a .msg file.
    """
    texts: dict[str, str] = {}
    names = [type_name]
    for name in names:
        texts[name] = _text(name)
        for _, (kind, inner) in get_types_from_msg(texts[name], name)[name][1]:
            found = inner[0] if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE) else (kind, inner)
            if found[0] == Nodetype.NAME and found[1] not in names:
                names.append(str(found[1]))
    parts = [f"{_RULE}\nMSG: {name.replace('/msg/', '/')}\n{text}" for name, text in texts.items() if name != type_name]
    text = "\n".join([texts[type_name], *parts])
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(text, type_name))
    return text, store.hash_rihs01(type_name)


def _text(type_name: str) -> str:
    package, kind, name = type_name.split("/")
    path = _share(package) / kind / f"{name}.msg"
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ValueError(f"message type '{type_name}': wanted its definition, got nothing at '{path}'") from error


def _share(package: str) -> Path:
    try:
        from ament_index_python.packages import get_package_share_directory

        return Path(get_package_share_directory(package))
    except (ImportError, LookupError, OSError):  # the PyPI wheels set no AMENT_PREFIX_PATH
        return Path(sys.prefix) / "share" / package
