"""Bags on disks that fill up, and queues that do."""

import os
import resource
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from hearing_hands_ros.record.bag_thread import BagThread, Topic
from hearing_hands_ros.record.definitions import definition_of
from hearing_hands_ros.replay.recorded_bag import RecordedBag

ROOT = Path(__file__).parents[2]
NOW_NS = 1_800_000_000_000_000_000
QOS = Qos(
    QosHistory.UNKNOWN, 0, QosReliability.BEST_EFFORT, QosDurability.VOLATILE, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)  # fmt: skip


def topic(name="/spoken", is_picture=False):
    return Topic(
        name, "std_msgs/msg/UInt8MultiArray", *definition_of("std_msgs/msg/UInt8MultiArray"), (QOS,), is_picture
    )


def message(number, size=50_000):
    """Noise that cannot be compressed, in the bytes of a UInt8MultiArray."""
    head = bytes([0, 1, 0, 0, *(0,) * 8])
    return head + size.to_bytes(4, "little") + number.to_bytes(4, "little") + os.urandom(size - 4)


def numbers(path):
    """Numbers of the messages that a bag has."""
    bag = RecordedBag(path)
    found = [int.from_bytes(raw[16:20], "little") for _, _, raw in bag.messages(bag.connections)]
    bag.close()
    return found


def wait_for(condition, what, timeout_s=10.0):
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, what
        time.sleep(0.01)


@contextmanager
def files_no_larger_than(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_recorded_comes_back_with_type_and_quality_of_service(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=10_000_000)
    sent = [(topic(), NOW_NS + 1000 * k, message(k)) for k in range(30)]
    thread.put(sent)
    thread.close()
    assert thread.ended
    assert not thread.fault
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]
    with AnyReader([tmp_path / "bag"]) as reader:
        assert [(stamp, bytes(raw)) for _, stamp, raw in reader.messages()] == [(stamp, raw) for _, stamp, raw in sent]
        (connection,) = reader.connections
        assert (connection.topic, connection.msgtype) == ("/spoken", "std_msgs/msg/UInt8MultiArray")
        assert connection.ext.offered_qos_profiles == [QOS]
        assert reader.deserialize(sent[3][2], connection.msgtype).data[:4].tolist() == [3, 0, 0, 0]


def test_what_is_older_than_the_flush_is_on_the_disk_before_the_bag_is_closed(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.2, queue_bytes=10_000_000)
    thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5)])
    time.sleep(0.6)
    (tmp_path / "copy.mcap").write_bytes((tmp_path / "bag" / "bag.mcap").read_bytes())
    assert numbers(tmp_path / "copy.mcap") == [0, 1, 2, 3, 4]
    assert not (tmp_path / "bag" / "metadata.yaml").exists()
    thread.close()


def test_a_full_disk_is_said_and_the_recording_goes_on_in_the_same_file_when_there_is_room(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=2_000_000)
    with files_no_larger_than(333_333):  # in the middle of a chunk
        thread.put([(topic(), NOW_NS + k, message(k)) for k in range(10)])
        wait_for(lambda: "File too large" in thread.fault, "no fault is said")
        thread.put([(topic(), NOW_NS + k, message(k)) for k in range(10, 100)])
        assert 40 < thread.dropped["/spoken"] < 90
        assert not thread.ended
    wait_for(lambda: not thread.fault, thread.fault)
    kept = 100 - thread.dropped["/spoken"]
    thread.put([(topic(), NOW_NS + 1000, message(1000))])
    thread.close()
    assert thread.ended
    assert numbers(tmp_path / "bag") == [*range(kept), 1000]
    assert thread.messages["/spoken"] == kept + 1


def test_a_bag_that_is_closed_on_a_full_disk_keeps_what_it_has(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=2_000_000)
    thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5)])
    wait_for(lambda: thread.file_bytes > 250_000, "nothing is flushed")
    with files_no_larger_than(thread.file_bytes + 20_000):
        thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5, 10)])
        wait_for(lambda: thread.fault, "no fault is said")
        thread.put([(topic(), NOW_NS + k, message(k)) for k in range(10, 15)])
        thread.close()
    assert "the bag has no end" in thread.fault
    assert not thread.ended
    assert numbers(tmp_path / "bag") == [0, 1, 2, 3, 4]
    assert (thread.messages["/spoken"], thread.dropped["/spoken"]) == (5, 10)


def test_a_bag_that_is_deleted_meanwhile_is_said_at_once_and_all_of_it_counts_as_dropped(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=2_000_000)
    thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5)])
    wait_for(lambda: thread.file_bytes > 250_000, "nothing is flushed")
    shutil.rmtree(tmp_path / "bag")
    thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5, 8)])
    wait_for(lambda: "deleted" in thread.fault, "no fault is said")
    assert thread.file_bytes > 250_000  # can be asked for all the same
    thread.put([(topic(), NOW_NS + 8, message(8))])
    thread.close()
    assert "the bag has no end" in thread.fault
    assert (thread.messages["/spoken"], thread.dropped["/spoken"]) == (0, 9)


def test_what_waits_when_the_writing_breaks_off_counts_as_dropped(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=2_000_000)
    thread.put([(topic(), NOW_NS + k, message(k)) for k in range(5)])
    wait_for(lambda: thread.file_bytes > 250_000, "nothing is flushed")
    no_stamp = -1  # does not fit into the file
    thread.put([(topic(), stamp, message(k)) for k, stamp in enumerate([NOW_NS + 5, no_stamp, NOW_NS + 7], start=5)])
    wait_for(lambda: thread.fault, "no fault is said")
    thread.put([(topic(), NOW_NS + 8, message(8))])
    thread.close()
    assert "the bag has no end" in thread.fault
    assert numbers(tmp_path / "bag") == [0, 1, 2, 3, 4]
    assert (thread.messages["/spoken"], thread.dropped["/spoken"]) == (5, 4)


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from test_lasting_bag import *
thread = BagThread(Path("bag"), flush_s=0.05, queue_bytes=2_000_000)
count = 0
while "No space left on device" not in thread.fault:
    thread.put([(topic(), NOW_NS + count, message(count))])
    count += 1
    time.sleep(0.002)
thread.close()
found = numbers(Path("bag"))
print(thread.ended, Path("bag/metadata.yaml").exists(), found == list(range(len(found))), len(found) > 20)
print(thread.messages["/spoken"] == len(found) == count - thread.dropped["/spoken"], thread.fault)
"""


def test_a_bag_gets_its_end_on_a_disk_that_is_full(tmp_path):
    """Needs a disk of its own: a tmpfs in a namespace of its own."""
    script = ON_A_SMALL_DISK.format(root=str(ROOT), here=str(Path(__file__).parent))
    mount = f'mount -t tmpfs -o size=36m none "{tmp_path}" && cd "{tmp_path}" && exec "$0" -c "$1"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("wants user namespaces")
    done = subprocess.run([*command, mount, sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True"] * 5, done.stdout + done.stderr


@pytest.mark.parametrize("size", [0, 1_000_000])
def test_a_disk_without_room_for_the_end_is_refused_and_nothing_is_left(tmp_path, size):
    with files_no_larger_than(size), pytest.raises(OSError, match="File too large"):
        BagThread(tmp_path / "bag", flush_s=1.0, queue_bytes=2_000_000)
    assert not list(tmp_path.iterdir())


def test_pictures_are_dropped_before_sound(tmp_path):
    thread = BagThread(tmp_path / "bag", flush_s=0.1, queue_bytes=2_000_000)
    with files_no_larger_than(0):
        thread.put([(topic(), NOW_NS, message(0))])
        wait_for(lambda: thread.fault, "no fault is said")
        thread.put([(topic("/camera", is_picture=True), NOW_NS + k, message(k)) for k in range(40)])
        thread.put([(topic(), NOW_NS + k, message(k)) for k in range(1, 10)])
    thread.close()
    assert thread.dropped["/spoken"] == 0
    assert 15 < thread.dropped["/camera"] < 25
