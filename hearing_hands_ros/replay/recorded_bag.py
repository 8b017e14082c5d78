"""A recording on disk, read in the order of time. Needs neither rosbag2 nor ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag2 import ReaderError
from rosbags.typesys import Stores, get_typestore

if TYPE_CHECKING:
    from rosbags.interfaces import Connection


class RecordedBag:
    """A rosbag2 recording: a folder with metadata.yaml, or one .mcap or .db3 file.

    Raises:
        ValueError: There is no bag, it is no ROS 2 bag, it is truncated or it is empty; names the file, wanted, got.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise ValueError(f"bag '{path}': wanted a rosbag2 folder, an .mcap or a .db3 file, found nothing")
        if path.is_file() and path.suffix not in (".mcap", ".db3"):
            raise ValueError(f"bag '{path}': wanted a rosbag2 folder, an .mcap or a .db3 file, got '{path.suffix}'")
        try:
            self._reader = _opened(path)
        except Exception as error:  # the libraries below raise what they like on a broken file
            raise self._unreadable(error) from error
        self.connections: list[Connection] = list(self._reader.connections)
        if not self._reader.message_count:
            self.close()
            raise ValueError(f"bag '{path}': wanted messages, found none")
        self.start_ns = int(self._reader.start_time)
        self.end_ns = int(self._reader.end_time) - 1  # the reader's end lies after the last message

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def messages(
        self, connections: list[Connection], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield connection, time of recording and bytes, in order of time, from `start_ns` up to before `stop_ns`."""
        if not connections:
            return
        iterator = self._reader.messages(connections, start=start_ns, stop=stop_ns)
        while True:
            try:
                connection, stamp, raw = next(iterator)
            except StopIteration:
                return
            except Exception as error:
                raise self._unreadable(error) from error
            yield connection, stamp, bytes(raw)

    def deserialize(self, connection: Connection, raw: bytes) -> Any:
        """Message of the bytes that `messages` yields.

        Raises:
            ValueError: The bytes are not such a message, or the bag does not say what its type looks like.
        """
        try:
            return self._reader.deserialize(raw, connection.msgtype)
        except Exception as error:  # as above
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"bag '{self.path}': wanted {connection.msgtype} on '{connection.topic}', got {len(raw)} bytes that "
                f"are none: {reason}"
            ) from error

    def _unreadable(self, error: Exception) -> ValueError:
        kinds = (AnyReaderError, ReaderError, OSError, AssertionError)
        reason = f"{error}" if isinstance(error, kinds) and str(error) else f"{type(error).__name__}: {error}"
        return ValueError(
            f"bag '{self.path}': wanted a complete ROS 2 recording, got one that cannot be read: {reason}"
        )


def _opened(path: Path) -> AnyReader:
    reader = AnyReader([path])
    try:
        reader.open()
    except AnyReaderError as error:
        if "no type definitions" not in str(error):
            raise
        # Of before 2023: it does not say what its messages look like, but most types have not changed.
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    return reader
