"""A recording on disk, read in the order of time. Needs neither rosbag2 nor ROS."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backports import zstd
from rosbags.interfaces import Connection

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.bag_file import BagFile, open_file
from hearing_hands_ros.replay.bag_folder import Expected, bag_folder
from hearing_hands_ros.replay.message_types import MessageTypes

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""No message begins so: those of ROS 2 begin with a zero."""

CDR = "cdr"

Message = tuple[Connection, int, bytes]


class RecordedBag:
    """A rosbag2 recording: a folder with or without metadata.yaml, or one .mcap or .db3 file, packed or not.

    A recording that breaks off, or of which files are missing, is read as far as it is there; `damage` says so.

    Args:
        path: Where it is.

    Attributes:
        path: Likewise.
        connections: What is in it; one for each topic, type and quality of service, over all files.
        start_ns: Time of the first message.
        end_ns: Time of the last one.
        damage: What is missing, a sentence each, for people; empty for a whole recording.
        skipped: Messages that nobody can read, by type: of another encoding, or not described and not known.

    Raises:
        ValueError: There is no bag, it is no ROS 2 bag or it is empty; names the file, wanted, got.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        folder = bag_folder(path)
        self.damage: list[str] = list(folder.damage)
        self.skipped: Counter[str] = Counter()
        self.connections: list[Connection] = []
        self._types = MessageTypes()
        self._unpacked = TemporaryDirectory(prefix="hearing_hands_bag_", ignore_cleanup_errors=True)
        self._files: list[tuple[BagFile, dict[int, int]]] = []  # with the ids that its connections have here
        reasons = []
        for file_path in folder.files:
            try:
                file = open_file(file_path, Path(self._unpacked.name))
            except (OSError, ValueError, zstd.ZstdError) as error:
                reasons.append(f"'{file_path.name}': {error}")
                continue
            self._add(file, folder.digests)
            self._compare(file, file_path.name, folder.expected.get(file_path.name), alone=len(folder.files) == 1)
        if not self._files:
            self.close()
            raise self._unreadable("; ".join(reasons))
        self.damage += [f"nothing of {reason}" for reason in reasons]
        for connection in self.connections:
            if connection.msgcount and not self._types.knows(connection):
                self.skipped[connection.msgtype] += connection.msgcount
        filled = [file for file, _ in self._files if file.start_ns <= file.end_ns]
        if not filled or not self.connections:
            self.close()
            others = f" but {self.skipped.total()} that are not ROS 2 messages" if self.skipped else ""
            raise ValueError(f"bag '{path}': wanted messages, found none{others}{self._because()}")
        self.start_ns = min(file.start_ns for file in filled)
        self.end_ns = max(file.end_ns for file in filled)

    def close(self) -> None:
        """Close the files."""
        for file, _ in self._files:
            file.close()
        self._files.clear()
        self._unpacked.cleanup()

    @property
    def seconds(self) -> float:
        """Time from the first message to the last."""
        return (self.end_ns - self.start_ns) / NANOSECONDS

    @property
    def topics(self) -> str:
        """What is in it, for people."""
        return ", ".join(sorted({f"{c.topic} ({c.msgtype.rpartition('/')[2]})" for c in self.connections}))

    @property
    def remarks(self) -> list[str]:
        """What is missing and what is skipped, for people; empty if there is nothing to say."""
        skipped = ", ".join(f"{count} of {name}" for name, count in sorted(self.skipped.items()))
        return [*self.damage, *([f"messages of unknown types skipped: {skipped}"] if skipped else [])]

    def messages(
        self, connections: list[Connection], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Message]:
        """Yield connection, time of recording and bytes, in order of time, from `start_ns` up to before `stop_ns`.

        Where files overlap in time they are merged; one is opened when its time comes.

        Raises:
            ValueError: The recording is broken; what came before that has been yielded.
        """
        wanted = {connection.id: connection for connection in connections}
        sources = [
            self._of(file, ids, wanted, start_ns, stop_ns)
            for file, ids in self._files
            if wanted.keys() & set(ids.values())
            and (stop_ns is None or file.start_ns < stop_ns)
            and (start_ns is None or file.end_ns >= start_ns)
        ]
        merged = sources[0] if len(sources) == 1 else heapq.merge(*sources, key=lambda item: item[1])
        while True:
            try:
                connection, stamp_ns, raw = next(merged)
            except StopIteration:
                return
            except Exception as error:  # the libraries below raise what they like on a broken file
                raise self._unreadable(f"{error}" or type(error).__name__) from error
            if connection is not None:
                yield connection, stamp_ns, raw

    def _of(
        self,
        file: BagFile,
        ids: dict[int, int],
        wanted: dict[int, Connection],
        start_ns: int | None,
        stop_ns: int | None,
    ) -> Iterator[tuple[Connection | None, int, bytes]]:
        """The messages of a file; first one that is none, so that nothing is read before its time."""
        yield None, file.start_ns, b""
        inside = [connection for connection in file.connections if ids.get(connection.id) in wanted]
        for connection, stamp_ns, raw in file.messages(inside, start_ns, stop_ns):
            content = zstd.decompress(raw) if raw[:4] == ZSTD_MAGIC else bytes(raw)
            yield wanted[ids[connection.id]], stamp_ns, content

    def deserialize(self, connection: Connection, raw: bytes) -> Any:
        """Message of the bytes that `messages` yields.

        Raises:
            ValueError: The bytes are not such a message, or the bag does not say what its type looks like.
        """
        try:
            return self._types.message(connection, raw)
        except Exception as error:  # as above
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"bag '{self.path}': wanted {connection.msgtype} on '{connection.topic}', got {len(raw)} bytes that "
                f"are none: {reason}"
            ) from error

    def _add(self, file: BagFile, digests: dict[str, str]) -> None:
        """Take a file; what it shares with those before it keeps its id."""
        ids = {}
        for connection in file.connections:
            encoding = getattr(connection.ext, "serialization_format", CDR)
            if encoding != CDR:
                self.skipped[f"{connection.msgtype or connection.topic} ({encoding})"] += connection.msgcount
                continue
            own = connection._replace(digest=connection.digest or digests.get(connection.msgtype, ""))
            number = next((i for i, known in enumerate(self.connections) if _same(known, own)), None)
            if number is None:
                number = len(self.connections)
                self.connections.append(own._replace(id=number + 1, owner=self))
            else:
                known = self.connections[number]
                self.connections[number] = known._replace(msgcount=known.msgcount + own.msgcount)
            ids[connection.id] = number + 1
        self._files.append((file, ids))

    def _compare(self, file: BagFile, name: str, expected: Expected | None, *, alone: bool) -> None:
        """Note what a file lacks."""
        texts = [file.damage] if file.damage else []
        have = sum(connection.msgcount for connection in file.connections)
        if expected and have < expected.messages:
            seconds = max(0, file.end_ns - file.start_ns) / NANOSECONDS
            texts.append(
                f"{expected.messages - have} messages and {max(0.0, expected.seconds - seconds):.1f} s less than its "
                "metadata.yaml says"
            )
        elif file.damage:
            texts.append(f"{have} messages up to {max(0, file.end_ns - file.start_ns) / NANOSECONDS:.1f} s were read")
        if texts:
            self.damage.append("; ".join(texts) if alone else f"'{name}': {'; '.join(texts)}")

    def _because(self) -> str:
        return f" ({'; '.join(self.damage)})" if self.damage else ""

    def _unreadable(self, reason: str) -> ValueError:
        return ValueError(f"bag '{self.path}': wanted a ROS 2 recording, got one that cannot be read: {reason}")


def _same(one: Connection, other: Connection) -> bool:
    return (one.topic, one.msgtype, one.digest, one.ext) == (other.topic, other.msgtype, other.digest, other.ext)
