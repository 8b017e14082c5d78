from __future__ import annotations

import contextlib
import inspect
import math
import random
import struct
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs")

from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.serialization import serialize_message
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.ros import tf2_messages
from hearing_hands_ros.ros.tf2_buffer import Buffer
from hearing_hands_ros.ros.tf2_bytes import MalformedMessageError, edges_in_bytes
from hearing_hands_ros.ros.tf2_exceptions import ExtrapolationException, LookupException, TransformException
from hearing_hands_ros.ros.tf2_listener import TransformListener
from hearing_hands_ros.ros.tf2_messages import edge_of, message_of


def edge(parent: str, child: str, stamp_s: float = 1.0, x: float = 0.0) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(stamp_s * 1e9)).to_msg()
    message.child_frame_id = child
    message.transform.translation.x = x
    return message


def at(stamp_s: float) -> Time:
    return Time(nanoseconds=round(stamp_s * 1e9))


def test_a_lookup_gives_back_what_was_put_in():
    buffer = Buffer()
    put = edge("map", "hand", 1.5, 42.0)
    assert buffer.set_transform(put, "test") is None
    assert buffer.lookup_transform("map", "hand", at(1.5)) == put
    assert buffer.lookup_transform("map", "hand", Time()) == put
    assert buffer.lookup_transform(target_frame="map", source_frame="hand", time=TimeMessage(sec=1, nanosec=500000000))


@pytest.mark.parametrize("wrong", [1.5, None, "now"])
def test_other_times_are_a_type_error(wrong):
    with pytest.raises(TypeError):
        Buffer().lookup_transform("map", "hand", wrong)


def test_frame_names_must_be_text():
    with pytest.raises(TypeError):
        Buffer().lookup_transform(1, "hand", Time())


def test_full_lookup_of_a_moving_frame_against_itself():
    buffer = Buffer()
    for stamp in (1, 2):
        buffer.set_transform(edge("map", "hand", stamp, float(stamp)), "test")
    found = buffer.lookup_transform_full("hand", at(2), "hand", at(1), "map")
    assert found.transform.translation.x == -1.0
    assert (found.header.frame_id, found.child_frame_id, found.header.stamp.sec) == ("hand", "hand", 2)
    assert buffer.can_transform_full("hand", at(2), "hand", at(1), "map")
    assert not buffer.can_transform_full("hand", at(2), "hand", at(1), "unknown")


def test_latest_common_time_is_an_rclpy_time():
    buffer = Buffer()
    buffer.set_transform(edge("map", "hand", 3), "test")
    assert buffer.get_latest_common_time("map", "hand") == at(3)
    buffer.set_transform(edge("a", "b", 3), "test")
    with pytest.raises(TransformException) as error:
        buffer.get_latest_common_time("map", "b")
    assert type(error.value) is TransformException
    with pytest.raises(LookupException):
        buffer.get_latest_common_time("map", "c")


def test_cache_time_is_a_duration():
    buffer = Buffer(Duration(seconds=2))
    for stamp in (1, 4, 5):
        buffer.set_transform(edge("map", "hand", stamp), "test")
    assert not buffer.can_transform("map", "hand", at(1))
    assert buffer.can_transform("map", "hand", at(4.5))


def test_debug_tuple_says_why_not():
    possible, why = Buffer().can_transform("map", "hand", Time(), return_debug_tuple=True)
    assert not possible
    assert "map" in why


@pytest.mark.live
def test_a_timeout_ends_and_raises_what_is_wrong():
    begin = time.monotonic()
    with pytest.raises(LookupException):
        Buffer().lookup_transform("map", "hand", Time(), timeout=Duration(seconds=0.1))
    assert 0.09 < time.monotonic() - begin < 1.0


@pytest.mark.live
def test_a_timeout_ends_early_when_the_data_comes():
    buffer = Buffer()
    threading.Timer(0.05, lambda: buffer.set_transform(edge("map", "hand"), "test")).start()
    begin = time.monotonic()
    assert buffer.lookup_transform("map", "hand", Time(), Duration(seconds=5)).child_frame_id == "hand"
    assert time.monotonic() - begin < 2.0


def test_waiting_resolves_on_new_data_and_is_forgotten():
    buffer = Buffer()
    future = buffer.wait_for_transform_async("map", "hand", at(1.5))
    buffer.set_transform(edge("map", "hand", 1), "test")
    assert not future.done()
    buffer.set_transform(edge("map", "hand", 2, 2.0), "test")
    assert future.done()
    assert future.result().transform.translation.x == 1.0
    assert buffer._waiting == []


def test_waiting_for_what_is_there_resolves_at_once():
    buffer = Buffer()
    buffer.set_transform_static(edge("map", "hand", 1, 2.0), "test")
    assert buffer.wait_for_transform_async("map", "hand", Time()).result().transform.translation.x == 2.0
    assert buffer.wait_for_transform_full_async("map", Time(), "hand", Time(), "map").done()
    assert buffer._waiting == []


def test_a_cancelled_wait_is_forgotten():
    buffer = Buffer()
    future = buffer.wait_for_transform_async("map", "hand", Time())
    future.cancel()
    buffer.set_transform(edge("map", "hand"), "test")
    assert buffer._waiting == []


@pytest.mark.parametrize("full", [False, True])
def test_an_awaited_lookup_returns_after_the_data_came(full):
    buffer = Buffer()
    if full:
        coroutine = buffer.lookup_transform_full_async("map", at(1), "hand", at(1), "map")
    else:
        coroutine = buffer.lookup_transform_async("map", "hand", at(1))
    coroutine.send(None)
    buffer.set_transform(edge("map", "hand", 1, 3.0), "test")
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    assert end.value.value.transform.translation.x == 3.0


def test_one_writer_and_one_reader_do_not_disturb_each_other():
    buffer = Buffer(Duration(nanoseconds=300_000_000))
    stop = threading.Event()
    errors = []

    def write():
        for index in range(20_000):
            buffer.insert("map", "hand", 1 + index * 1_000_000, (float(index), 0, 0, 0, 0, 0, 1.0), "test", False)
        stop.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not stop.is_set():
        try:
            found = buffer.lookup_transform("map", "hand", Time())
        except (LookupException, ExtrapolationException):
            continue
        stamp = found.header.stamp
        if found.transform.translation.x != (stamp.sec * 10**9 + stamp.nanosec - 1) // 1_000_000:
            errors.append(found)
    thread.join()
    assert errors == []


def packed(*edges: TransformStamped) -> bytes:
    return serialize_message(TFMessage(transforms=edges))


def test_bytes_and_messages_say_the_same():
    rng = random.Random(3)
    for _ in range(300):
        edges = []
        for _ in range(rng.randint(0, 4)):
            name = "".join(rng.choice("aä手/_") for _ in range(rng.randint(0, 9)))
            message = edge(name, name + "x" * rng.randint(0, 9), rng.uniform(0, 2**31), rng.gauss(0, 9))
            message.transform.rotation.z = rng.gauss(0, 1)
            edges.append(message)
        assert edges_in_bytes(packed(*edges)) == [edge_of(message) for message in edges]


def test_big_endian_bytes_are_read():
    body = struct.pack(">IiII", 1, -5, 7, 2) + b"a\0" + b"\0\0" + struct.pack(">I", 2) + b"b\0"
    body += b"\0" * (-len(body) % 8) + struct.pack(">7d", 1, 2, 3, 0, 0, 0, 1)
    assert edges_in_bytes(b"\0\0\0\0" + body) == [("a", "b", -5 * 10**9 + 7, (1, 2, 3, 0, 0, 0, 1))]


def test_every_truncation_and_random_garbage_is_malformed_and_nothing_else():
    whole = packed(edge("map", "hand"), edge("hand", "finger"))
    for end in range(len(whole)):
        with pytest.raises(MalformedMessageError):
            edges_in_bytes(whole[:end])
    rng = random.Random(5)
    for _ in range(20_000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        with contextlib.suppress(MalformedMessageError):
            edges_in_bytes(bytes(damaged))
        noise = rng.randbytes(rng.randint(0, 200))
        with contextlib.suppress(MalformedMessageError):
            edges_in_bytes(noise)


def test_bad_transforms_in_a_message_do_not_keep_the_good_ones_out():
    buffer = Buffer()
    bad = edge("map", "nan", 1, math.nan)
    listener = TransformListener.__new__(TransformListener)
    listener.buffer, listener.malformed = buffer, 0
    listener.callback(packed(bad, edge("map", "map"), edge("map", "hand"), edge("", "hand")))
    listener.static_callback(TFMessage(transforms=[edge("hand", "palm")]))
    listener.callback(b"garbage")
    assert buffer.can_transform("map", "palm", at(1))
    assert dict(buffer.rejected) == {"nan": 1, "self": 1, "parent": 1}
    assert listener.malformed == 1


def test_fast_and_plain_messages_are_equal():
    transform = (12_345_678_901, 1.0, -2.0, 3.0, 0.1, 0.2, 0.3, 0.9)
    assert message_of("a", "b", transform) == tf2_messages._message("a", "b", transform)
    assert serialize_message(message_of("a", "b", transform)) == serialize_message(
        tf2_messages._message("a", "b", transform)
    )


def test_argument_names_are_those_of_tf2_ros():
    def names(method):
        return list(inspect.signature(method).parameters)[1:]

    assert names(Buffer.__init__) == ["cache_time", "node"]
    assert names(Buffer.lookup_transform) == ["target_frame", "source_frame", "time", "timeout"]
    full = ["target_frame", "target_time", "source_frame", "source_time", "fixed_frame"]
    assert names(Buffer.lookup_transform_full) == [*full, "timeout"]
    assert names(Buffer.can_transform_full) == [*full, "timeout", "return_debug_tuple"]
    assert names(Buffer.wait_for_transform_full_async) == full
    assert names(TransformListener.__init__)[:5] == ["buffer", "node", "spin_thread", "qos", "static_qos"]


SELECTION = """
import sys, types
{setup}
from hearing_hands_ros.ros import tf2
print("ours" if not tf2.IS_REAL_TF2 else "real")
"""


def selected(setup: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SELECTION.format(setup=setup)], capture_output=True, text=True, check=False
    )


def test_a_broken_tf2_is_seen_and_not_replaced(tmp_path):
    (tmp_path / "tf2_ros").mkdir()
    (tmp_path / "tf2_ros" / "__init__.py").write_text("import a_library_that_is_gone\n")
    result = selected(f"sys.path.insert(0, {str(tmp_path)!r})")
    assert result.returncode != 0
    assert "a_library_that_is_gone" in result.stderr


def test_an_absent_tf2_selects_ours():
    result = selected(
        "sys.modules.pop('tf2_ros', None); sys.meta_path.insert(0, type('F', (), {'find_spec': "
        "staticmethod(lambda name, path=None, target=None: (_ for _ in ()).throw("
        "ModuleNotFoundError(name, name='tf2_ros')) if name == 'tf2_ros' else None)})())"
    )
    assert result.stdout.strip().endswith("ours"), result.stderr
