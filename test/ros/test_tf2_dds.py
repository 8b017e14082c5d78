from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs")

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from tf2_msgs.msg import TFMessage

from hearing_hands_ros.ros.tf2_broadcaster import StaticTransformBroadcaster, TransformBroadcaster
from hearing_hands_ros.ros.tf2_buffer import Buffer
from hearing_hands_ros.ros.tf2_listener import PolledTransformListener, TransformListener

pytestmark = pytest.mark.usefixtures("ros")

PATIENCE_S = 20.0


def edge(parent: str, child: str, stamp_s: float = 1.0, x: float = 0.0) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(stamp_s * 1e9)).to_msg()
    message.child_frame_id = child
    message.transform.translation.x = x
    return message


@pytest.fixture
def graph():
    """Makes nodes and spins them until something is true."""
    executor = SingleThreadedExecutor()
    nodes = []

    class Graph:
        def node(self, name, **arguments):
            nodes.append(rclpy.create_node(name, **arguments))
            executor.add_node(nodes[-1])
            return nodes[-1]

        def until(self, true, again=None):
            end = time.monotonic() + PATIENCE_S
            while not true():
                assert time.monotonic() < end, "waited in vain"
                if again is not None:
                    again()
                executor.spin_once(timeout_sec=0.05)

    yield Graph()
    executor.shutdown()
    for node in nodes:
        node.destroy_node()


def x_of(buffer, child, time_s=1.0):
    return buffer.lookup_transform("map", child, Time(nanoseconds=round(time_s * 1e9))).transform.translation.x


def test_transforms_cross_from_node_to_node(graph):
    buffer = Buffer()
    listener = TransformListener(buffer, graph.node("listener"))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0)
    broadcaster.sendTransform(edge("map", "one", x=1.0))
    broadcaster.sendTransform([edge("map", "two", x=2.0), edge("map", "three", x=3.0)])
    graph.until(lambda: buffer.can_transform("map", "three", Time()))
    assert [x_of(buffer, child) for child in ("one", "two", "three")] == [1.0, 2.0, 3.0]
    listener.unregister()
    listener.unregister()


def test_a_late_listener_gets_all_static_edges_in_their_last_state(graph):
    sender = graph.node("broadcaster")
    broadcaster = StaticTransformBroadcaster(sender)
    message = edge("map", "one", x=1.0)
    broadcaster.sendTransform(message)
    message.child_frame_id, message.transform.translation.x = "two", 2.0
    broadcaster.sendTransform([message])
    broadcaster.sendTransform((edge("map", "three", x=3.0), edge("map", "two", x=2.5)))
    buffer = Buffer()
    TransformListener(buffer, graph.node("late"), static_only=True)
    late = TransformListener(buffer, graph.node("later"))
    graph.until(lambda: buffer.can_transform("map", "three", Time()))
    assert [x_of(buffer, child, 99.0) for child in ("one", "two", "three")] == [1.0, 2.5, 3.0]
    late.unregister()


def test_two_static_broadcasters_add_up(graph):
    first, second = (StaticTransformBroadcaster(graph.node(f"broadcaster_{i}")) for i in range(2))
    first.sendTransform(edge("map", "one"))
    second.sendTransform(edge("one", "two", x=4.0))
    buffer = Buffer()
    listener = TransformListener(buffer, graph.node("listener"))
    graph.until(lambda: buffer.can_transform("map", "two", Time()))
    assert x_of(buffer, "two") == 4.0
    listener.unregister()


def test_garbage_on_the_wire_is_counted_and_what_follows_arrives(graph):
    buffer = Buffer()
    listener = TransformListener(buffer, graph.node("listener"))
    sender = graph.node("sender")
    publisher = sender.create_publisher(TFMessage, "/tf", 100)
    graph.until(lambda: publisher.get_subscription_count() > 0)
    for garbage in (b"\x00\x01\x00\x00\xff\xff\xff\xff", b"\x00\x01\x00\x00" + b"\x07" * 60, b"\x00\x01\x00\x00"):
        publisher.publish(garbage)
    publisher.publish(TFMessage(transforms=[edge("map", "map"), edge("map", "hand", x=float("nan"))]))
    publisher.publish(TFMessage(transforms=[edge("map", "hand", x=5.0)]))
    graph.until(lambda: buffer.can_transform("map", "hand", Time()))
    assert x_of(buffer, "hand") == 5.0
    assert listener.malformed == 3
    assert dict(buffer.rejected) == {"self": 1, "nan": 1}
    listener.unregister()


def test_a_listener_with_its_own_thread_fills_the_buffer_and_ends(graph):
    buffer = Buffer()
    listener = TransformListener(buffer, None, spin_thread=True)
    thread = listener.dedicated_listener_thread
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0)
    broadcaster.sendTransform(edge("map", "hand", x=6.0))
    end = time.monotonic() + PATIENCE_S
    while not buffer.can_transform("map", "hand", Time()):
        assert time.monotonic() < end
        time.sleep(0.01)
    listener.unregister()
    assert not thread.is_alive()


def test_a_polled_listener_takes_what_waits_when_it_is_told_to(graph):
    node = graph.node("looks_by_itself")
    buffer = Buffer(node=node)
    listener = PolledTransformListener(buffer, node)
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    fixed = StaticTransformBroadcaster(graph.node("fixed"))
    graph.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0)
    fixed.sendTransform(edge("map", "table", x=1.0))
    for number in range(300):
        broadcaster.sendTransform(edge("table", "hand", 1.0 + 0.001 * number, x=2.0))
    time.sleep(0.5)
    assert not buffer.can_transform("map", "hand", Time())
    listener.take_waiting()
    assert [x_of(buffer, "hand", time_s) for time_s in (1.0, 1.299)] == [3.0, 3.0]
    listener.unregister()
    listener.unregister()


def test_what_waits_at_a_polled_listener_is_forgotten_when_time_jumps_back(graph):
    node = graph.node("simulated", parameter_overrides=[Parameter("use_sim_time", value=True)])
    buffer = Buffer(node=node)
    listener = PolledTransformListener(buffer, node)
    set_time = simulated_time(graph, node)
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    graph.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0)
    set_time(50.0)
    broadcaster.sendTransform(edge("map", "hand", 50.0))
    time.sleep(0.5)
    set_time(10.0)
    listener.take_waiting()
    assert not buffer.can_transform("map", "hand", Time())
    broadcaster.sendTransform(edge("map", "hand", 10.0, x=8.0))
    time.sleep(0.5)
    listener.take_waiting()
    assert x_of(buffer, "hand", 10.0) == 8.0
    listener.unregister()


def simulated_time(graph, node):
    """A function that sets the clock of a node."""
    clock = graph.node("clock").create_publisher(
        Clock, "/clock", QoSProfile(depth=1, durability=DurabilityPolicy.VOLATILE)
    )

    def set_time(seconds):
        wanted = Time(nanoseconds=round(seconds * 1e9))
        graph.until(
            lambda: node.get_clock().now().nanoseconds == wanted.nanoseconds,
            lambda: clock.publish(Clock(clock=wanted.to_msg())),
        )

    return set_time


def test_waiting_resolves_when_the_wire_brings_it(graph):
    buffer = Buffer()
    listener = TransformListener(buffer, graph.node("listener"))
    broadcaster = TransformBroadcaster(graph.node("broadcaster"))
    future = buffer.wait_for_transform_async("map", "hand", Time())
    graph.until(lambda: broadcaster.pub_tf.get_subscription_count() > 0)
    broadcaster.sendTransform(edge("map", "hand", x=7.0))
    graph.until(future.done)
    assert future.result().transform.translation.x == 7.0
    listener.unregister()


def test_only_a_jump_back_of_more_than_a_second_of_simulated_time_clears(graph):
    node = graph.node("simulated", parameter_overrides=[Parameter("use_sim_time", value=True)])
    buffer = Buffer(node=node)
    set_time = simulated_time(graph, node)
    set_time(50.0)
    buffer.set_transform(edge("map", "hand", 50.0), "test")
    buffer.set_transform_static(edge("map", "table"), "test")
    set_time(60.0)
    set_time(59.5)
    assert buffer.can_transform("map", "hand", Time())
    set_time(58.0)
    assert not buffer.can_transform("map", "hand", Time())
    assert buffer.can_transform("map", "table", Time())
