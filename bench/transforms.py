"""Time of what the transform buffer does at 1 kHz in and 30 Hz out: `python bench/transforms.py`.

Prints the median of several runs in microseconds. The buffer holds 10 s at 1 kHz on every moving edge.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from geometry_msgs.msg import TransformStamped
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.ros.tf2_buffer import Buffer
from hearing_hands_ros.ros.tf2_bytes import edges_in_bytes

RUNS = 9
DEPTH = 5
MILLISECOND_NS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def median_us(action: Callable[[int], object], count: int) -> float:
    """Median over runs of the mean time of one call."""
    runs = []
    for run in range(RUNS):
        begin = time.perf_counter()
        for index in range(run * count, (run + 1) * count):
            action(index)
        runs.append((time.perf_counter() - begin) / count * 1e6)
    return statistics.median(runs)


def message(parent: str, child: str, stamp_ns: int) -> TransformStamped:
    edge = TransformStamped()
    edge.header.frame_id, edge.child_frame_id = parent, child
    edge.header.stamp.sec, edge.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    edge.transform.translation.x = 0.1
    edge.transform.rotation.z, edge.transform.rotation.w = 0.6, 0.8
    return edge


def main() -> None:
    """Print the table."""
    buffer = Buffer()
    for index in range(10_000):
        turn = 1e-4 * index
        for depth in range(DEPTH):
            values = (0.1, turn, 0.3, 0.0, 0.1, turn, 1.0)
            buffer.insert(f"f{depth}", f"f{depth + 1}", START_NS + index * MILLISECOND_NS, values, "bench", False)
    last = START_NS + 9_999 * MILLISECOND_NS
    values = (0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.9)

    def insert(index: int) -> None:
        buffer.insert("f0", "inserted", START_NS + index * MILLISECOND_NS, values, "bench", False)

    edges = [message("f0", "by_message", START_NS + i * MILLISECOND_NS) for i in range(RUNS * 5_000)]
    packed = serialize_message(TFMessage(transforms=edges[:1]))
    ten = serialize_message(TFMessage(transforms=[message(f"arm_{i}", f"arm_{i + 1}", START_NS) for i in range(10)]))
    middle = Time(nanoseconds=last - 4_000 * MILLISECOND_NS - MILLISECOND_NS // 3)
    latest = Time()
    rows = {
        "insert, values": median_us(insert, 5_000),
        "insert, message": median_us(lambda i: buffer.set_transform(edges[i], "bench"), 5_000),
        "lookup of depth 5, interpolated": median_us(lambda _: buffer.lookup_transform("f0", "f5", middle), 2_000),
        "lookup of depth 5, latest": median_us(lambda _: buffer.lookup_transform("f0", "f5", latest), 2_000),
        "lookup of depth 5, without message": median_us(
            lambda _: buffer.tree.lookup("f0", "f5", middle.nanoseconds), 2_000
        ),
        "can_transform of depth 5": median_us(lambda _: buffer.can_transform("f0", "f5", middle), 2_000),
        "bytes of 1 transform to values": median_us(lambda _: edges_in_bytes(packed), 5_000),
        "bytes of 10 transforms to values": median_us(lambda _: edges_in_bytes(ten), 2_000),
        "bytes of 10 transforms to messages": median_us(lambda _: deserialize_message(ten, TFMessage), 500),
    }
    for name, value in rows.items():
        print(f"{name:36s} {value:7.2f} us")


if __name__ == "__main__":
    main()
