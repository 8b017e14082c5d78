"""Makes recordings as recorders write them, with rosbags' writer; of several files, and with other packing."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

import lz4.frame
import numpy as np
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

BYTES = "std_msgs/msg/UInt8MultiArray"
START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000

Message = tuple[str, int, bytes]


def make_messages(count: int, size: int = 30_000) -> list[Message]:
    """Messages of random bytes on /a and /b in turn, every 10 ms."""
    rng, store = np.random.default_rng(0), get_typestore(Stores.ROS2_KILTED)
    layout = store.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
    made = []
    for number in range(count):
        data = rng.integers(0, 256, size, np.uint8)
        raw = bytes(store.serialize_cdr(store.types[BYTES](layout=layout, data=data), BYTES))
        made.append(("/a" if number % 2 else "/b", START_NS + number * STEP_NS, raw))
    return made


def write_messages(
    path: Path,
    messages: Iterable[Message],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    version: int = 9,
    packed: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write messages, in the order in which they are given, as a Jazzy (8) or a Kilted (9) recording."""
    store = get_typestore(Stores.ROS2_KILTED if version == 9 else Stores.ROS2_JAZZY)
    writer = Writer(path, version=version, storage_plugin=plugin)
    writer.set_compression(packed, CompressionFormat.ZSTD)
    with writer:
        connections = {topic: writer.add_connection(topic, BYTES, typestore=store) for topic in ("/a", "/b")}
        for topic, stamp_ns, raw in messages:
            writer.write(connections[topic], stamp_ns, raw)
    return path


def write_split(path: Path, parts: Sequence[Sequence[Message]], plugin: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """Write a recording of several files, with the metadata.yaml that a recorder writes beside them."""
    path.mkdir()
    whole = None
    for number, part in enumerate(parts):
        folder = write_messages(path / f"part_{number}", part, plugin)
        described = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        (written,) = (folder / name for name in described["relative_file_paths"])
        name = f"{path.name}_{number}{written.suffix}"
        written.rename(path / name)
        shutil.rmtree(folder)
        described["relative_file_paths"] = [name]
        described["files"][0]["path"] = name
        if whole is None:
            whole = described
            continue
        for key in ("relative_file_paths", "files"):
            whole[key] += described[key]
        whole["message_count"] += described["message_count"]
    (path / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": whole}))
    return path


def data_of(mcap: bytes, packing: str = "zstd") -> bytes:
    """An .mcap file up to the end of its data, without its index; its chunks packed in another way, if they are not."""
    at, out = 8, mcap[:8]
    while True:
        op, size = struct.unpack_from("<BQ", mcap, at)
        body = mcap[at + 9 : at + 9 + size]
        at += 9 + size
        if op == 0x0F:
            return out + struct.pack("<BQI", op, 4, 0)
        if op == 0x06 and packing == "lz4":
            (length,) = struct.unpack_from("<I", body, 28)
            assert length == 0
            packed = lz4.frame.compress(body[40:])
            body = (
                body[:24] + struct.pack("<II", crc32(body[40:]), 3) + b"lz4" + struct.pack("<Q", len(packed)) + packed
            )
        out += struct.pack("<BQ", op, len(body)) + body
