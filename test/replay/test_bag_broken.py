"""Recordings that break off anywhere: either a clear error, or the first of the true messages and nothing else."""

import numpy as np
import pytest
from made_bags import data_of, make_messages, write_messages, write_split
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from hearing_hands_ros.replay.recorded_bag import RecordedBag

MESSAGES = make_messages(80)
SMALL = make_messages(400, size=200)


def prefix_of(path, true):
    """How many messages are read; None for a clear refusal. What is read is what was written."""
    try:
        bag = RecordedBag(path)
    except ValueError as error:
        assert str(error).startswith(f"bag '{path}': wanted ")
        return None, ""
    try:
        got = [(c.topic, t, raw) for c, t, raw in bag.messages(bag.connections)]
    finally:
        bag.close()
    assert got == true[: len(got)]
    assert got
    return len(got), "; ".join(bag.damage)


def cut_everywhere(whole, path, true, cuts=60):
    """Messages read, and what is said, by the length that is left."""
    rng, found = np.random.default_rng(7), {}
    for size in sorted(rng.integers(0, len(whole), cuts)):
        path.write_bytes(whole[:size])
        found[int(size)] = prefix_of(path, true)
    return found


@pytest.mark.parametrize("packing", ["none", "zstd", "lz4"])
@pytest.mark.parametrize("true", [MESSAGES, SMALL], ids=["large", "small"])
def test_an_mcap_that_is_cut_anywhere_gives_the_messages_before_the_cut(tmp_path, packing, true):
    packed = CompressionMode.STORAGE if packing == "zstd" else CompressionMode.NONE
    whole = (write_messages(tmp_path / "bag", true, packed=packed) / "bag.mcap").read_bytes()
    if packing == "lz4":
        whole = data_of(whole, "lz4")
    found = cut_everywhere(whole, tmp_path / "cut.mcap", true)
    for size, (count, damage) in found.items():
        lost_bytes = size - (count or 0) * len(whole) / len(true)
        assert lost_bytes <= {"none": 32_000, "zstd": 2**17 + 32_000, "lz4": 2**20 + 32_000}[packing]
        assert count is None or "breaks off" in damage or count == len(true)
    assert [count or 0 for count, _ in found.values()] == sorted(count or 0 for count, _ in found.values())
    assert any(count for count, _ in found.values())


@pytest.mark.parametrize("true", [MESSAGES, SMALL], ids=["large", "small"])
def test_a_database_that_is_cut_anywhere_gives_the_messages_before_the_cut(tmp_path, true):
    whole = (write_messages(tmp_path / "bag", true, StoragePlugin.SQLITE3) / "bag.db3").read_bytes()
    found = cut_everywhere(whole, tmp_path / "cut.db3", true)
    for count, damage in found.values():
        assert count is None or "it breaks off" in damage
    assert sum(count is not None for count, _ in found.values()) > 40


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_what_a_cut_has_cost_is_said_where_the_metadata_tell(tmp_path, plugin):
    folder = write_messages(tmp_path / "bag", MESSAGES, plugin)
    (file,) = folder.glob("bag.*")
    file.write_bytes(file.read_bytes()[: 2 * file.stat().st_size // 3])
    bag = RecordedBag(folder)
    count = len(list(bag.messages(bag.connections)))
    bag.close()
    assert 40 < count < 60
    assert (
        f"{80 - count} messages and {0.79 - 0.01 * (count - 1):.1f} s less than its metadata.yaml says" in bag.damage[0]
    )
    # Without metadata nobody knows, but it is said how far it goes.
    bag = RecordedBag(file)
    bag.close()
    assert f"{count} messages up to {0.01 * (count - 1):.1f} s were read" in bag.damage[0]


def test_zeros_that_a_disk_without_power_leaves_are_the_end(tmp_path):
    packed = write_messages(tmp_path / "bag", MESSAGES, packed=CompressionMode.STORAGE)
    whole = data_of((packed / "bag.mcap").read_bytes())
    half = len(whole) // 2
    (tmp_path / "zeros.mcap").write_bytes(whole[:half] + bytes(len(whole) - half))
    bag = RecordedBag(tmp_path / "zeros.mcap")
    got = [(c.topic, t, raw) for c, t, raw in bag.messages(bag.connections)]
    bag.close()
    assert len(got) > 20
    assert got == MESSAGES[: len(got)]


def test_of_a_split_recording_whose_last_file_is_empty_the_others_are_read(tmp_path):
    folder = write_split(tmp_path / "split", [SMALL[:200], SMALL[200:]])
    (folder / "split_1.mcap").write_bytes(b"")
    count, damage = prefix_of(folder, SMALL)
    assert count == 200
    assert damage == "nothing of 'split_1.mcap': the file is empty"


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_recording_without_messages_is_refused(tmp_path, plugin):
    with pytest.raises(ValueError, match="bag': wanted messages, found none"):
        RecordedBag(write_messages(tmp_path / "bag", [], plugin))
