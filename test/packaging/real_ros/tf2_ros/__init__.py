"""`tf2_ros` with the names and arguments of Jazzy: a buffer that offers a service, and listeners to message objects."""

import time as wall

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, JumpThreshold
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from tf2_py import *  # noqa: F403
from tf2_py import BufferCore

NO_TIME = Duration()


class Buffer(BufferCore):
    def __init__(self, cache_time=None, node=None):
        super().__init__(*([] if cache_time is None else [cache_time]))
        self.used = False
        if node is not None:
            # The real one is of type FrameGraph, which is part of the real tf2_msgs.
            self.srv = node.create_service(Trigger, "tf2_frames", self._frames)
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def _frames(self, request, response):
        response.message = self.all_frames_as_yaml()
        return response

    def time_jump_callback(self, time_jump):
        self.clear()

    def lookup_transform(self, target_frame, source_frame, time, timeout=NO_TIME):
        self.can_transform(target_frame, source_frame, time, timeout)
        found = self.lookup_transform_core(target_frame, source_frame, time)
        if not self.used:
            self.used = True
            get_logger("tf2_ros").info(f"of ROS: first transform from '{source_frame}' to '{target_frame}'")
        return found

    def can_transform(self, target_frame, source_frame, time, timeout=NO_TIME, return_debug_tuple=False):
        until_s = wall.monotonic() + timeout.nanoseconds * 1e-9
        while not self.can_transform_core(target_frame, source_frame, time)[0] and wall.monotonic() < until_s:
            wall.sleep(0.02)
        found = self.can_transform_core(target_frame, source_frame, time)
        return found if return_debug_tuple else found[0]


class TransformListener:
    def __init__(
        self,
        buffer,
        node,
        *,
        spin_thread=False,
        qos=None,
        static_qos=None,
        tf_topic="/tf",
        tf_static_topic="/tf_static",
    ):
        self.buffer, self.node, self.group = buffer, node, ReentrantCallbackGroup()
        qos = qos or _quality(100, DurabilityPolicy.VOLATILE)
        static_qos = static_qos or _quality(100, DurabilityPolicy.TRANSIENT_LOCAL)
        make = node.create_subscription
        self.tf_sub = make(TFMessage, tf_topic, self.callback, qos, callback_group=self.group)
        self.tf_static_sub = make(
            TFMessage, tf_static_topic, self.static_callback, static_qos, callback_group=self.group
        )

    def __del__(self):
        self.unregister()

    def unregister(self):
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data):
        for transform in data.transforms:
            self.buffer.set_transform(transform, "default_authority")

    def static_callback(self, data):
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, "default_authority")


class TransformBroadcaster:
    def __init__(self, node, qos=QoSProfile(depth=100)):  # noqa: B008
        self.pub_tf = node.create_publisher(TFMessage, "/tf", qos)

    def sendTransform(self, transform):  # noqa: N802
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Unlike ours, it forgets what was sent before."""

    def __init__(self, node, qos=None):
        self.pub_tf = node.create_publisher(
            TFMessage, "/tf_static", qos or _quality(1, DurabilityPolicy.TRANSIENT_LOCAL)
        )

    def sendTransform(self, transform):  # noqa: N802
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


def _quality(depth, durability):
    return QoSProfile(depth=depth, durability=durability, history=HistoryPolicy.KEEP_LAST)


def _as_list(transform):
    return list(transform) if hasattr(transform, "__iter__") else [transform]
