"""Reads .mcap files that have no index: those whose recorder was killed, that were cut off, or are written so.

The library for bags finds messages by the index at the end of a file. Here the file is passed once from its begin to
learn what is in it, and again for the messages; of a record that breaks off, whatever came before the break is read.

Source: https://mcap.dev/spec
"""

from __future__ import annotations

import io
import struct
from binascii import crc32
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backports import zstd
from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos

from hearing_hands_ros.replay.bag_order import Tally, in_order

MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK, CHUNK_INDEX, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x08, 0x0F
FOOTER = struct.Struct("<BQQQI8s")
"""Opcode, length, begin of the summary, of its offsets, its checksum, and the magic bytes again."""

STRETCH_BYTES = 1 << 20
LARGEST_CHUNK = 1 << 30
"""What claims to be larger is no chunk, but bytes that are wrong."""

_HEAD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_CHUNK = struct.Struct("<QQQI")
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}


def has_index(path: Path) -> bool:
    """Whether a file ends as it should and has an index of its chunks."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        if size < len(MAGIC) + FOOTER.size:
            return False
        file.seek(size - FOOTER.size)
        _, length, summary, _, _, magic = FOOTER.unpack(file.read())
        if magic != MAGIC or length != 20 or not len(MAGIC) <= summary < size:
            return False
        return any(op == CHUNK_INDEX for op, _, _ in _records(file, summary, size - FOOTER.size))


@dataclass(frozen=True)
class _Stretch:
    """A chunk, or messages outside chunks that follow each other.

    Attributes:
        at: Where its bytes begin in the file.
        size: How many they are.
        packed: It is a chunk.
        start_ns: Time of its first message.
        end_ns: Of its last one.
    """

    at: int
    size: int
    packed: bool
    start_ns: int
    end_ns: int


class RecoveredMcap:
    """As much of an .mcap file as there is; see `BagFile`.

    Raises:
        ValueError: It is no .mcap file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if self._file.read(len(MAGIC)) != MAGIC:
            self._file.close()
            raise ValueError("it does not begin as an .mcap file does" if self._size else "the file is empty")
        self._schemas: dict[int, tuple[str, MessageDefinition]] = {}
        self._channels: dict[int, Connection] = {}
        self._tally = Tally()
        self._broken_chunks = 0
        self._stretches: list[_Stretch] = []
        self.damage = "; ".join(filter(None, (self._scan(), str(self._tally))))
        self.start_ns, self.end_ns = self._tally.start_ns, self._tally.end_ns
        self.connections = [c._replace(msgcount=self._tally.counts.get(c.id, 0)) for c in self._channels.values()]

    def close(self) -> None:
        """See `BagFile`."""
        self._file.close()

    def messages(
        self, connections: Collection[Connection], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """See `BagFile`."""
        wanted = {connection.id: connection for connection in connections}
        first_ns = -1 if start_ns is None else start_ns
        last_ns = 2**64 if stop_ns is None else stop_ns - 1
        for channel, stamp_ns, raw in in_order(self._written(wanted, first_ns, last_ns)):
            yield wanted[channel], stamp_ns, raw

    def _written(self, channels: Collection[int], first_ns: int, last_ns: int) -> Iterator[tuple[int, int, bytes]]:
        """Channel, time and bytes of messages, as they were written."""
        for stretch in self._stretches:
            if stretch.end_ns >= first_ns and stretch.start_ns <= last_ns:
                for op, body in _inside(self._bytes_of(stretch.at, stretch.size, stretch.packed)):
                    if op == MESSAGE:
                        channel, _, stamp_ns, _ = _MESSAGE.unpack_from(body)
                        if channel in channels and first_ns <= stamp_ns <= last_ns:
                            yield channel, stamp_ns, bytes(body[_MESSAGE.size :])

    def _scan(self) -> str:
        """Find out what is in the file; return what is wrong with it."""
        at = last = len(MAGIC)
        loose = 0  # begin of messages outside chunks, 0 for none
        ended = False
        for op, begin, size in _records(self._file, at, self._size):
            if op == CHUNK or at - (loose or at) > STRETCH_BYTES:
                self._note(loose, at - loose, packed=False)
                loose = 0
            if op == CHUNK:
                self._note(begin, size, packed=True)
            elif op in (SCHEMA, CHANNEL, MESSAGE):
                loose = loose or at
            at = last = begin + size
            if ended := op == DATA_END:
                break
        self._note(loose, at - loose, packed=False)
        if not ended and self._begins(CHUNK, at):
            self._note(at + _HEAD.size, self._size - at - _HEAD.size, packed=True)
        texts = []
        if self._broken_chunks:
            texts.append(f"{self._broken_chunks} chunks are broken and were left out")
        if not ended:
            texts.append(
                f"it breaks off at byte {self._size}: the last {self._size - last} bytes are no whole record"
                if self._size > last
                else f"it breaks off at byte {self._size}, after a whole record"
            )
        return "; ".join(texts)

    def _begins(self, op: int, at: int) -> bool:
        """Whether a record of a kind begins at a place."""
        self._file.seek(at)
        head = self._file.read(_HEAD.size)
        return len(head) == _HEAD.size and head[0] == op

    def _note(self, at: int, size: int, *, packed: bool) -> None:
        """Take down what is in a stretch."""
        if not at or size <= 0:
            return
        try:
            content = self._bytes_of(at, size, packed)
        except (ValueError, RuntimeError, EOFError, struct.error, zstd.ZstdError):
            self._broken_chunks += 1
            return
        try:
            first_ns, last_ns = self._read_down(content)
        except (ValueError, struct.error):
            self._broken_chunks += 1
            return
        if last_ns >= 0:
            self._stretches.append(_Stretch(at, size, packed, first_ns, last_ns))

    def _read_down(self, content: memoryview) -> tuple[int, int]:
        """Take down schemas, channels and counts of a stretch; the first and last stamp of its messages."""
        first_ns, last_ns = 2**64, -1
        for op, body in _inside(content):
            if op == SCHEMA:
                key, name, encoding, text = _schema(body)
                kind = _FORMATS.get(encoding, MessageDefinitionFormat.NONE)
                self._schemas[key] = (name, MessageDefinition(kind, text if encoding in _FORMATS else ""))
            elif op == CHANNEL:
                self._add_channel(body)
            elif op == MESSAGE and len(body) >= _MESSAGE.size:
                channel, _, stamp_ns, _ = _MESSAGE.unpack_from(body)
                if channel in self._channels:
                    self._tally.add(channel, stamp_ns)
                    first_ns, last_ns = min(first_ns, stamp_ns), max(last_ns, stamp_ns)
        return first_ns, last_ns

    def _add_channel(self, body: memoryview) -> None:
        key, schema = struct.unpack_from("<HH", body)
        topic, at = _text(body, 4)
        encoding, at = _text(body, at)
        pairs, at = {}, at + 4
        while at < len(body):
            name, at = _text(body, at)
            pairs[name], at = _text(body, at)
        name, definition = self._schemas.get(schema, ("", MessageDefinition(MessageDefinitionFormat.NONE, "")))
        try:
            offers = parse_qos(pairs.get("offered_qos_profiles", ""))
        except (ReaderError, KeyError, TypeError):  # what a recorder of another kind has written there
            offers = []
        extra = ConnectionExtRosbag2(encoding, offers)
        self._channels.setdefault(key, Connection(key, topic, name, definition, "", 0, extra, self))

    def _bytes_of(self, at: int, size: int, packed: bool) -> memoryview:
        """Records of a stretch, as many as are whole.

        Raises:
            ValueError: It is packed in a way that is unknown, or its checksum is wrong.
        """
        self._file.seek(at)
        content = memoryview(self._file.read(size))
        if not packed:
            return content
        _, _, plain_size, checksum = _CHUNK.unpack_from(content)
        packing, begin = _text(content, _CHUNK.size)
        (length,) = struct.unpack_from("<Q", content, begin)
        if max(plain_size, length) > LARGEST_CHUNK:
            raise ValueError(f"a chunk wanted at most {LARGEST_CHUNK} bytes, got {max(plain_size, length)}")
        there = content[begin + 8 : begin + 8 + length]
        plain = _unpacked(there, packing)
        if len(there) == length and (len(plain) != plain_size or (checksum and crc32(plain) != checksum)):
            raise ValueError("a chunk has other bytes than its checksum is of")
        return plain


def _unpacked(data: memoryview, packing: str) -> memoryview:
    """Bytes of a chunk, as many as can be had if it breaks off."""
    if not packing:
        return data
    unpackers: dict[str, Any] = {"zstd": zstd.ZstdDecompressor, "lz4": LZ4FrameDecompressor}
    if packing not in unpackers:
        raise ValueError(f"a chunk wanted packing by zstd, lz4 or none, got {packing!r}")
    return memoryview(unpackers[packing]().decompress(bytes(data)))


def _records(file: io.BufferedReader, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield opcode, begin and size of the whole records between two places of a file."""
    while at + _HEAD.size <= end:
        file.seek(at)
        op, size = _HEAD.unpack(file.read(_HEAD.size))
        at += _HEAD.size
        if not op or at + size > end:  # no record has the number 0: a disk that lost power leaves zeros
            return
        yield op, at, size
        at += size


def _inside(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield opcode and content of the whole records in a stretch."""
    at = 0
    while at + _HEAD.size <= len(content):
        op, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        if not op or at + size > len(content):
            return
        yield op, content[at : at + size]
        at += size


def _schema(body: memoryview) -> tuple[int, str, str, str]:
    """Number, name, encoding and text of a schema."""
    (key,) = struct.unpack_from("<H", body)
    name, at = _text(body, 2)
    encoding, at = _text(body, at)
    return key, name, encoding, _text(body, at)[0]


def _text(body: memoryview, at: int) -> tuple[str, int]:
    """A text in a record, and where it ends."""
    (size,) = struct.unpack_from("<I", body, at)
    return bytes(body[at + 4 : at + 4 + size]).decode(errors="replace"), at + 4 + size
