"""Version 4 of .spz: a header that is not packed, and a zstd stream for each attribute."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TABLE_ROW = struct.Struct("<QQ")  # bytes of a stream, packed and unpacked


def find_streams(packed: bytes, begin: int, count: int, sizes: Sequence[int], who: str) -> tuple[slice, ...]:
    """Where each attribute's stream is; nothing is unpacked.

    Args:
        packed: The file.
        begin: Of the table of the streams.
        count: Of streams that the header speaks of; attributes without bytes have none.
        sizes: Bytes of each attribute, unpacked.
        who: Begins messages.

    Raises:
        ValueError: The table does not fit the header, or the streams do not fit into the file.
    """
    there = [size for size in sizes if size]
    at = begin + TABLE_ROW.size * count
    if count != len(there) or at > len(packed):
        got = f"got {count} of them, from byte {begin} of {len(packed)}"
        raise ValueError(f"{who}: wanted a table of {len(there)} streams inside the file, {got}; its header lies")
    found = []
    for (size, unpacked), wanted in zip(TABLE_ROW.iter_unpack(packed[begin:at]), there, strict=True):
        if unpacked != wanted:
            raise ValueError(f"{who}: wanted a stream of {wanted} bytes, got one of {unpacked}; its header lies")
        if at + size > len(packed):
            raise ValueError(f"{who}: wanted {at + size} bytes, got {len(packed)}; the file was cut short")
        found.append(slice(at, at + size))
        at += size
    streams = iter(found)
    return tuple(next(streams) if size else slice(0) for size in sizes)


def unpack_streams(packed: bytes, streams: Sequence[slice], sizes: Sequence[int], who: str) -> list[NDArray[np.uint8]]:
    """The bytes of each attribute, never more than it should have.

    Raises:
        ValueError: A stream is broken or of another length, or the library for zstd is missing.
    """
    try:
        from backports import zstd
    except ImportError as error:
        raise ValueError(f"{who}: wanted the package backports.zstd for .spz of version 4, got none") from error
    parts = []
    for where, size in zip(streams, sizes, strict=True):
        unpacker = zstd.ZstdDecompressor()
        try:
            part = unpacker.decompress(packed[where], max_length=size + 1) if size else b""
        except zstd.ZstdError as error:
            raise ValueError(f"{who}: wanted a whole .spz, got zstd that is broken: {error}") from error
        if len(part) != size or (size and not unpacker.eof):
            got = "more" if len(part) > size else f"{len(part)}"
            raise ValueError(f"{who}: wanted a stream of {size} bytes, got {got}; its header lies, or it was cut short")
        parts.append(np.frombuffer(part, np.uint8))
    return parts
