"""A bag that is being written: whatever happens, what it has got so far can be read."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter

ROOM_BYTES = 32 << 20
"""Kept free, so that a bag on a full disk still gets its end: the index, some 100 to 300 bytes a chunk."""


class LastingFile(io.RawIOBase):
    """File whose bytes wait in memory until `push` has brought them to the disk.

    A push that finds no room keeps what is left, and the next one goes on there. So a file that was closed ends with
    a push that succeeded, and one whose process was killed holds at least all pushes that did.

    Args:
        file: Open for writing; what it holds is kept.

    Attributes:
        is_gone: It was found to be deleted: what it holds goes with the process.
    """

    def __init__(self, file: io.BufferedWriter) -> None:
        super().__init__()
        file.flush()
        self._file, self._waiting = file, bytearray()
        self._written = self._whole = file.tell()
        self.is_gone = False

    @property
    def waiting_bytes(self) -> int:
        """In memory only."""
        return len(self._waiting)

    @property
    def written_bytes(self) -> int:
        """Given to the disk."""
        return self._written

    def tell(self) -> int:  # noqa: D102
        return self._written + len(self._waiting)

    def write(self, data: Any) -> int:  # noqa: D102
        self._waiting += data
        return len(data)

    def push(self) -> None:
        """Bring everything to the disk itself, past the caches of the operating system.

        Raises:
            OSError: There is no room, the disk is broken, or the file was deleted.
        """
        self.is_gone = not os.fstat(self._file.fileno()).st_nlink
        if self.is_gone:
            raise FileNotFoundError(errno.ENOENT, "its file was deleted", self._file.name)
        while self._waiting:
            count = os.write(self._file.fileno(), self._waiting)
            del self._waiting[:count]
            self._written += count
        os.fdatasync(self._file.fileno())
        self._whole = self._written

    def close(self) -> None:
        """Push and close; what cannot be pushed is cut off.

        Raises:
            OSError: As of `push`.
        """
        if self._file.closed:
            return
        try:
            self.push()
        except OSError:
            os.ftruncate(self._file.fileno(), self._whole)
            self._waiting.clear()
            self._written = self._whole
            raise
        finally:
            self._file.close()
            super().close()


class _McapFile(McapWriter):
    """mcap with zstd in its chunks, on a `LastingFile`."""

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        super().__init__(path, compression)
        self.bio: Any = LastingFile(self.bio)

    def flush(self) -> None:
        """End the chunk, if there is a message in it, and push."""
        if self.chunk.msgs:
            self.close_chunk()
        self.bio.push()


class LastingBag(Writer):
    """A rosbag2 folder of one mcap file; `ros2 bag` reads it, version 9 as of Jazzy.

    The folder has a metadata.yaml as soon as the bag is whole, and only then.

    Args:
        path: The folder; must not be there.

    Raises:
        WriterError: It is there.
        OSError: It cannot be made, or there is not the room that is kept free (`ROOM_BYTES`).
    """

    STORAGE_PLUGINS = MappingProxyType({StoragePlugin.MCAP: _McapFile})
    storage: Any

    def __init__(self, path: Path) -> None:
        super().__init__(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            self.open()
            self._lasting: LastingFile = self.storage.bio
            self._room = tempfile.TemporaryFile(dir=path)  # noqa: SIM115  (without a name: it goes with the process)
            os.posix_fallocate(self._room.fileno(), 0, ROOM_BYTES)
            self.flush()
            for folder in (path, path.parent):
                _keep_names(folder)
        except OSError:
            with suppress(OSError):
                self.abort()
            shutil.rmtree(path, ignore_errors=True)
            raise

    @property
    def waiting_bytes(self) -> int:
        """Compressed, but in memory only."""
        return self._lasting.waiting_bytes

    @property
    def file_bytes(self) -> int:
        """On the disk."""
        return self._lasting.written_bytes

    @property
    def is_gone(self) -> bool:
        """Whether its file was found to be deleted."""
        return self._lasting.is_gone

    def flush(self) -> None:
        """Bring everything so far to the disk; after a kill it can be read.

        Raises:
            OSError: It does not work now; nothing is lost, and the next flush goes on there.
        """
        self.storage.flush()

    def close(self) -> None:
        """Write the end and metadata.yaml.

        Raises:
            OSError: There is no room even for that; the file then ends with the last flush that worked.
        """
        self._room.close()
        try:
            super().close()
        except OSError:
            self.abort()
            raise


def _keep_names(folder: Path) -> None:
    """Bring the names of the files in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
