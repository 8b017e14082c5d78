"""Recordings of every kind that recorders write, whole: all of them is read, in the order of time."""

import shutil
import sqlite3
from itertools import chain

import pytest
import yaml
from made_bags import START_NS, STEP_NS, data_of, make_messages, write_messages, write_split
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from hearing_hands_ros.replay.recorded_bag import RecordedBag

MESSAGES = make_messages(90)  # three chunks of a megabyte
FEW = make_messages(20, size=50)


def read(path, topics=("/a", "/b"), start_ns=None, stop_ns=None):
    """Topic, time and bytes of all messages, and the bag, closed."""
    bag = RecordedBag(path)
    try:
        chosen = [c for c in bag.connections if c.topic in topics]
        return [(c.topic, t, raw) for c, t, raw in bag.messages(chosen, start_ns, stop_ns)], bag
    finally:
        bag.close()


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize(
    ("plugin", "packed"),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
)
def test_folder_and_file_of_each_storage_packing_and_distribution_are_read(tmp_path, plugin, packed, version):
    folder = write_messages(tmp_path / "bag", FEW, plugin, version, packed)
    (file,) = (path for path in folder.iterdir() if path.name != "metadata.yaml")
    for path in (folder, file):
        got, bag = read(path)
        assert got == FEW
        assert bag.remarks == []
        assert (bag.start_ns, bag.end_ns) == (START_NS, START_NS + 19 * STEP_NS)


@pytest.mark.parametrize("packing", ["none", "lz4"])
def test_without_an_index_everything_is_read_and_nothing_is_missing(tmp_path, packing):
    folder = write_messages(tmp_path / "bag", MESSAGES)
    whole = (folder / "bag.mcap").read_bytes()
    (tmp_path / "plain.mcap").write_bytes(data_of(whole, packing))
    got, bag = read(tmp_path / "plain.mcap")
    assert got == MESSAGES
    assert bag.remarks == []
    assert [(c.topic, c.msgcount) for c in bag.connections] == [("/a", 45), ("/b", 45)]
    between = (START_NS + 20 * STEP_NS, START_NS + 70 * STEP_NS)
    assert read(tmp_path / "plain.mcap", ["/a"], *between)[0] == [m for m in MESSAGES[20:70] if m[0] == "/a"]


def test_a_chunk_that_is_broken_is_left_out_and_said(tmp_path):
    data = bytearray(data_of((write_messages(tmp_path / "bag", MESSAGES) / "bag.mcap").read_bytes(), "lz4"))
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    (tmp_path / "broken.mcap").write_bytes(data)
    got, bag = read(tmp_path / "broken.mcap")
    assert 30 <= len(got) < 90
    assert [m for m in MESSAGES if m in got] == got
    assert "1 chunks are broken and were left out" in bag.remarks[0]


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_split_recording_is_read_with_and_without_its_metadata(tmp_path, plugin):
    folder = write_split(tmp_path / "split", [FEW[:8], FEW[8:9], FEW[9:]], plugin)
    got, bag = read(folder)
    assert (got, bag.remarks) == (FEW, [])
    assert [(c.topic, c.msgcount) for c in bag.connections] == [("/a", 10), ("/b", 10)]
    (folder / "metadata.yaml").unlink()
    got, bag = read(folder)
    assert (got, bag.remarks) == (FEW, ["metadata.yaml is missing: read without it"])
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    got, bag = read(folder)
    assert (got, bag.remarks) == (FEW, ["metadata.yaml is broken: read without it"])


def test_eleven_files_are_read_in_the_order_of_their_numbers(tmp_path):
    folder = write_split(tmp_path / "split", [[message] for message in FEW[:11]])
    (folder / "metadata.yaml").unlink()
    assert read(folder)[0] == FEW[:11]


def test_files_that_overlap_in_time_are_merged(tmp_path):
    assert read(write_split(tmp_path / "split", [FEW[:10:2] + FEW[12:], FEW[1:10:2] + FEW[10:12]]))[0] == FEW


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_of_a_file_that_is_missing_name_and_length_are_said_and_the_rest_is_read(tmp_path, plugin):
    folder = write_split(tmp_path / "split", [FEW[:8], FEW[8:15], FEW[15:]], plugin)
    (missing,) = folder.glob("split_1.*")
    missing.unlink()
    got, bag = read(folder)
    assert got == FEW[:8] + FEW[15:]
    assert bag.remarks == [f"'{missing.name}' with 7 messages, 0.1 s is missing"]
    for file in folder.glob("split_*"):
        file.unlink()
    with pytest.raises(
        ValueError, match=rf"split': wanted the files that metadata.yaml lists, got none: .*'{missing.name}'"
    ):
        RecordedBag(folder)


def test_a_file_that_was_begun_after_the_metadata_was_written_is_read_too(tmp_path):
    folder = write_split(tmp_path / "split", [FEW[:8], FEW[8:]])
    document = yaml.safe_load((folder / "metadata.yaml").read_text())
    document["rosbag2_bagfile_information"]["relative_file_paths"].pop()
    (folder / "metadata.yaml").write_text(yaml.safe_dump(document))
    got, bag = read(folder)
    assert got == FEW
    assert bag.remarks == ["'split_1.mcap' is not in metadata.yaml: read too"]


def test_a_folder_of_several_recordings_is_refused(tmp_path):
    for name in ("one", "two"):
        shutil.copy(write_messages(tmp_path / name, FEW) / f"{name}.mcap", tmp_path)
    with pytest.raises(ValueError, match=r"wanted the files of one recording .* got 'one.mcap', 'two.mcap': name one"):
        RecordedBag(tmp_path)


def test_messages_that_were_written_out_of_order_come_in_order(tmp_path):
    jumbled = list(chain.from_iterable(zip(FEW[5:10], FEW[:5], strict=True))) + FEW[10:]
    data = data_of((write_messages(tmp_path / "bag", jumbled) / "bag.mcap").read_bytes())
    (tmp_path / "plain.mcap").write_bytes(data)
    got, bag = read(tmp_path / "plain.mcap")
    assert (got, bag.remarks) == (FEW, [])


def test_those_that_are_seconds_late_are_given_when_they_come_and_counted(tmp_path):
    late = ("/a", START_NS - 5_000_000_000, FEW[0][2])
    data = data_of((write_messages(tmp_path / "bag", [*FEW, late, FEW[0]]) / "bag.mcap").read_bytes())
    (tmp_path / "plain.mcap").write_bytes(data)
    got, bag = read(tmp_path / "plain.mcap")
    assert sorted(got) == sorted([*FEW, late, FEW[0]])
    assert bag.remarks[0].startswith("1 messages were written over 2 s out of order, up to 5.2 s")


def test_what_lies_in_a_write_ahead_log_is_said(tmp_path):
    folder = write_messages(tmp_path / "bag", FEW, StoragePlugin.SQLITE3)
    (folder / "bag.db3-wal").write_bytes(b"messages")
    assert "PRAGMA wal_checkpoint" in read(folder)[1].remarks[0]


def test_messages_of_unknown_types_and_encodings_are_skipped_and_counted(tmp_path):
    folder = write_messages(tmp_path / "bag", FEW, StoragePlugin.SQLITE3)
    with sqlite3.connect(folder / "bag.db3") as database:
        database.execute("UPDATE topics SET serialization_format = 'json' WHERE name = '/b'")
    database.close()
    got, bag = read(folder)
    assert got == [message for message in FEW if message[0] == "/a"]
    assert bag.skipped == {"std_msgs/msg/UInt8MultiArray (json)": 10}
    with sqlite3.connect(folder / "bag.db3") as database:
        database.execute("UPDATE topics SET type = 'robot_msgs/msg/Thing' WHERE name = '/a'")
    database.close()
    _, bag = read(folder)
    assert bag.skipped["robot_msgs/msg/Thing"] == 10
    assert "10 of robot_msgs/msg/Thing" in bag.remarks[-1]
