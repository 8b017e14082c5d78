"""Recordings that tests of replay share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="session")
def demo_begin(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Copy the first seconds of the demo's recording: as mcap or sqlite3, without some of its topics."""

    def copy(seconds: float, plugin: StoragePlugin = StoragePlugin.MCAP, without: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp("recording") / "bag"
        store = get_typestore(Stores.ROS2_KILTED)
        store.register(
            get_types_from_msg((DEMO.parent / "msg" / "Audio.msg").read_text(), "hearing_hands_ros/msg/Audio")
        )
        with Reader(DEMO / "touches.mcap") as reader, Writer(folder, version=9, storage_plugin=plugin) as writer:
            connections = {
                c.id: writer.add_connection(c.topic, c.msgtype, typestore=store)
                for c in reader.connections
                if c.topic not in without
            }
            stop = reader.start_time + round(seconds * 1e9)
            for connection, stamp, raw in reader.messages(stop=stop):
                if connection.id in connections:
                    writer.write(connections[connection.id], stamp, raw)
        return folder

    return copy
