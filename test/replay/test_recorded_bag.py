"""Bags of other times and other recorders."""

import sqlite3

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hearing_hands_ros.replay.recorded_bag import RecordedBag


def write(path, kinds):
    """One message on each topic, as sqlite3."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("float32 value\n", "robot_msgs/msg/Thing"))
    values = {"std_msgs/msg/String": {"data": "touch"}, "robot_msgs/msg/Thing": {"value": 1.0}}
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        for topic, kind in kinds.items():
            connection = writer.add_connection(topic, kind, typestore=store)
            writer.write(connection, 1000, store.serialize_cdr(store.types[kind](**values[kind]), kind))
    return path


def forget_types(path):
    """Make it a file as it was before recorders wrote down what messages look like."""
    with sqlite3.connect(next(path.glob("*.db3"))) as database:
        for table in ("schema", "metadata", "message_definitions"):
            database.execute(f"DROP TABLE {table}")
    database.close()
    return path


def test_an_old_recording_is_read_by_what_its_types_are_today(tmp_path):
    bag = RecordedBag(forget_types(write(tmp_path / "bag", {"/text": "std_msgs/msg/String"})))
    ((connection, stamp_ns, raw),) = bag.messages(bag.connections)
    assert (stamp_ns, bag.deserialize(connection, raw).data) == (1000, "touch")
    bag.close()


def test_of_a_type_that_nobody_knows_the_message_is_refused(tmp_path):
    bag = RecordedBag(forget_types(write(tmp_path / "bag", {"/thing": "robot_msgs/msg/Thing"})))
    ((connection, _, raw),) = bag.messages(bag.connections)
    with pytest.raises(ValueError, match="wanted robot_msgs/msg/Thing on '/thing', got 8 bytes that are none"):
        bag.deserialize(connection, raw)
    bag.close()
