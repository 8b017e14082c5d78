"""Reads .db3 files that break off: the rows that are there, in the order in which they were written."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import apsw
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos

from hearing_hands_ros.replay.bag_order import Tally, in_order

MAGIC = b"SQLite format 3\x00"
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}


def missing_bytes(path: Path) -> int:
    """How many bytes a database should have and has not; 0 where it does not say.

    Source: https://www.sqlite.org/fileformat2.html#the_database_header
    """
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(MAGIC):
        return 0
    (page,) = struct.unpack_from(">H", head, 16)
    changed, pages = struct.unpack_from(">II", head, 24)
    (valid_for,) = struct.unpack_from(">I", head, 92)
    whole = pages * (65536 if page == 1 else page)
    return max(0, whole - path.stat().st_size) if changed == valid_for else 0


class _HonestFile(apsw.VFSFile):
    """A file that refuses to read beyond its end; SQLite itself takes what is missing for zeros, and those for data."""

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if offset + amount > self.xFileSize():
            raise apsw.IOError(f"wanted {amount} bytes at {offset}, got the end of the file")
        return super().xRead(amount, offset)


class _HonestFiles(apsw.VFS):
    """Opens files so."""

    NAME = "hearing_hands_honest"

    def __init__(self) -> None:
        super().__init__(self.NAME, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _HonestFile("", name, flags)


_FILES = _HonestFiles()
"""SQLite knows it for as long as it lives."""


class RecoveredSqlite:
    """As much of a .db3 file as there is; see `BagFile`.

    Raises:
        ValueError: It is no database of messages.
    """

    def __init__(self, path: Path) -> None:
        self._database = apsw.Connection(
            f"{path.absolute().as_uri()}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs=_FILES.NAME,
        )
        try:
            # Without this nothing is read of a file that is shorter than it says. The file stays as it is.
            self._database.execute("PRAGMA writable_schema = ON")
            topics = self._topics()
        except (apsw.Error, UnicodeDecodeError) as error:
            self._database.close()
            raise ValueError(f"it is no database of messages: {error}") from error
        self._tally = Tally()
        self._count = 0
        missing = missing_bytes(path)
        texts = [f"it breaks off: {missing} bytes of the database are missing"] if missing else []
        try:
            for topic, stamp_ns, _ in self._rows(-1):
                if topic in topics:
                    self._tally.add(topic, stamp_ns)
                self._count += 1
        except apsw.Error:
            texts.append(f"nothing can be read beyond message {self._count}")
        self.damage = "; ".join([*texts, *filter(None, (str(self._tally),))])
        self.start_ns, self.end_ns = self._tally.start_ns, self._tally.end_ns
        self.connections = [c._replace(msgcount=self._tally.counts.get(c.id, 0)) for c in topics.values()]

    def close(self) -> None:
        """See `BagFile`."""
        self._database.close()

    def messages(
        self, connections: Collection[Connection], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """See `BagFile`."""
        wanted = {connection.id: connection for connection in connections}
        first_ns = -1 if start_ns is None else start_ns
        last_ns = 2**63 - 1 if stop_ns is None else stop_ns - 1
        written = (row for row in self._rows(self._count) if row[0] in wanted and first_ns <= row[1] <= last_ns)
        for topic, stamp_ns, raw in in_order(written):
            yield wanted[topic], stamp_ns, raw

    def _rows(self, most: int) -> Iterator[tuple[int, int, bytes]]:
        """Topic, time and bytes of so many messages, -1 for all, as they were written."""
        yield from self._database.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id LIMIT ?", (most,))

    def _topics(self) -> dict[int, Connection]:
        """What was recorded, by its id."""
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(topics)")}
        offers = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
        digest = "type_description_hash" if "type_description_hash" in columns else "''"
        definitions: dict[str, MessageDefinition] = {}
        if self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'message_definitions'").fetchone():
            for name, encoding, text in self._database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            ):
                if encoding in _FORMATS:
                    definitions[name] = MessageDefinition(_FORMATS[encoding], text)
        found = {}
        none = MessageDefinition(MessageDefinitionFormat.NONE, "")
        query = f"SELECT id, name, type, serialization_format, {offers}, {digest} FROM topics"  # noqa: S608
        for key, topic, name, encoding, profiles, hashed in self._database.execute(query):
            try:
                extra = ConnectionExtRosbag2(encoding, parse_qos(profiles))
            except (ReaderError, KeyError, TypeError):
                extra = ConnectionExtRosbag2(encoding, [])
            found[key] = Connection(key, topic, name, definitions.get(name, none), hashed or "", 0, extra, self)
        return found
