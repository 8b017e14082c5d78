"""One file of a recording, whole or not."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backports import zstd
from rosbags.rosbag2 import Reader

from hearing_hands_ros.replay.bag_folder import PACKED
from hearing_hands_ros.replay.mcap_recovery import RecoveredMcap, has_index
from hearing_hands_ros.replay.sqlite_recovery import RecoveredSqlite, missing_bytes

if TYPE_CHECKING:
    from rosbags.interfaces import Connection


class BagFile(Protocol):
    """A file of messages that is open.

    Attributes:
        connections: What is in it, with the number of messages; ids are of this file.
        start_ns: Time of the first message; larger than `end_ns` where there is none.
        end_ns: Time of the last one.
        damage: What of it could not be read, for people; empty for a whole file.
    """

    connections: list[Connection]
    start_ns: int
    end_ns: int
    damage: str

    def messages(
        self, connections: Collection[Connection], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, time of recording and bytes in the order of time."""

    def close(self) -> None:
        """Close the file."""


class WholeFile:
    """A file that the library for bags reads; see `BagFile`."""

    def __init__(self, path: Path, damage: str) -> None:
        self.damage = damage
        self._reader = Reader(path)
        self._reader.open()
        self.connections = list(self._reader.connections)
        self.start_ns, self.end_ns = int(self._reader.start_time), int(self._reader.end_time) - 1

    def messages(
        self, connections: Collection[Connection], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """See `BagFile`."""
        return self._reader.messages(connections, start_ns, stop_ns)

    def close(self) -> None:
        """See `BagFile`."""
        self._reader.close()


def open_file(path: Path, folder: Path) -> BagFile:
    """Open a file, or of a broken one what is left.

    Args:
        path: The file.
        folder: Takes its content if it is packed as a whole.

    Raises:
        OSError: It cannot be read, or the disk is full.
        ValueError: Nothing of it can be read.
    """
    packed = path.name.endswith(PACKED)
    damage = ""
    if packed:
        plain = folder / path.name.removesuffix(PACKED)
        damage = _unpack(path, plain)
        path = plain
    if path.suffix == ".mcap":
        if has_index(path):
            try:
                return WholeFile(path, damage)
            except Exception:  # noqa: BLE001  (the library raises what it likes; there is another way to read it)
                return _with(RecoveredMcap(path), damage)
        return _with(RecoveredMcap(path), damage)
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        damage = f"what is in '{log.name}' was not read: `sqlite3 {path.name} 'PRAGMA wal_checkpoint'` puts it in"
    if not missing_bytes(path):
        try:
            return WholeFile(path, damage)
        except Exception:  # noqa: BLE001  (as above)
            return _with(RecoveredSqlite(path), damage)
    return _with(RecoveredSqlite(path), damage)


def _with(file: RecoveredMcap | RecoveredSqlite, damage: str) -> BagFile:
    file.damage = "; ".join(filter(None, (damage, file.damage)))
    return file


def _unpack(path: Path, plain: Path) -> str:
    """Write the content of a file that is packed as a whole; return what is wrong with it."""
    try:
        with zstd.open(path, "rb") as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file)
    except (zstd.ZstdError, EOFError) as error:
        return f"'{path.name}' cannot be unpacked to its end ({error})"
    return ""
