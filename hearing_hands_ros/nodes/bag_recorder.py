"""Records TF, sound, images and what the graph says into a bag, and says what is missing while it can be mended."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import rclpy
import rclpy.logging
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rosbags.rosbag2 import WriterError

from hearing_hands_ros.record.bag_thread import BagThread
from hearing_hands_ros.record.choice import TopicChoice
from hearing_hands_ros.record.live_check import LiveCheck
from hearing_hands_ros.record.robot import Robot
from hearing_hands_ros.record.state import RecordingState, TopicState
from hearing_hands_ros.ros.bag_subscriptions import BagSubscriptions
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN, Updater
from hearing_hands_ros.ros.message_class import message_class
from hearing_hands_ros.ros.parameters import declare_parameters, parameter, read_parameters
from hearing_hands_ros.ros.spin import EventsExecutor

TAKE_S = 0.01
LOOK_S = 1.0
TURN_S = 0.25


@dataclass(frozen=True)
class BagRecorderParameters:
    """Parameters of the bag recorder."""

    out: str = parameter("", "Folder of the bag; must not be there. Empty: recording_ and the time, here.")
    scene: str = parameter("", "Folder of the scene that is touched: hands must be in TF below its parent frame.")
    params_file: str = parameter("", "Your parameters of the graph: frames of the hands, lag of the microphone.")
    # An empty list would be declared as one of bytes, so one empty name stands for none.
    topics: list[str] = parameter([""], "Topics to record beside those that are found; [''] for none.")
    audio_topic: str = parameter("", "The microphone's; empty: heard/audio or, without one, all topics with sound.")
    images: str = parameter(
        "found",
        "Camera images: those found, those found and at least one, none.",
        choices=("found", "required", "none"),
    )
    flush_s: float = parameter(1.0, "What is older than this is on the disk, s.", low=0.1, high=60.0)
    queue_mb: int = parameter(128, "Messages that may wait to be written, MB.", low=1, high=16_384)
    say_s: float = parameter(5.0, "Time between two lines in the log on how it goes, s; 0: none.", low=0.0, high=3600.0)


class BagRecorder(Node):
    """Records until it is closed.

    Attributes:
        state: How it goes.
    """

    def __init__(self) -> None:
        self._bag: BagThread | None = None
        super().__init__("bag_recorder")
        declare_parameters(self, BagRecorderParameters)
        self.p = read_parameters(self, BagRecorderParameters)
        try:
            self.robot = Robot.load(self.get_namespace().strip("/"), self.p.scene, self.p.params_file)
        except OSError as error:
            raise ValueError(f"bag_recorder: {error}") from error
        self.path = Path(self.p.out or time.strftime("recording_%Y_%m_%d-%H_%M_%S")).expanduser().absolute()
        if self.path.exists():
            raise ValueError(f"bag_recorder: parameter 'out' wants a folder that is not there, got '{self.path}'")
        named = tuple(self.resolve_topic_name(name) for name in self.p.topics if name)
        audio = self.resolve_topic_name(self.p.audio_topic) if self.p.audio_topic else ""
        namespace = self.get_namespace().rstrip("/") + "/"
        self._begin_s = time.monotonic()
        self._check = LiveCheck(self.robot, named, self.p.images == "required", self._begin_s)
        self.state = RecordingState(str(self.path), 0.0, 0)
        try:
            self._bag = BagThread(self.path, self.p.flush_s, self.p.queue_mb * 1_000_000)
        except (OSError, WriterError) as error:
            raise ValueError(f"bag_recorder: wanted to write '{self.path}', got: {error}") from error
        self._topics = BagSubscriptions(self, TopicChoice(namespace, named, audio, self.p.images != "none"))
        self._simulates = bool(self.get_parameter("use_sim_time").value)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = Updater(self)
        self._diagnostics.setHardwareID("hearing_hands_ros")
        self._diagnostics.add("status", self._diagnose)
        self.create_timer(TAKE_S, self._take, clock=self._steady)
        self.create_timer(LOOK_S, self._look, clock=self._steady)
        if self.p.say_s:
            self.create_timer(self.p.say_s, self._say, clock=self._steady)
        self.get_logger().info(f"recording to '{self.path}'")

    def close(self) -> RecordingState:
        """End the recording: write what waits and the bag's end; return how it went."""
        bag, self._bag = self._bag, None
        if bag is not None:
            seconds = time.monotonic() - self._begin_s
            self._record(bag)
            self._topics.close()
            bag.close()
            self.state = self._state_of(bag, seconds)
        return self.state

    def _take(self) -> None:
        if self._bag is not None:
            self._record(self._bag)

    def _record(self, bag: BagThread) -> None:
        messages = self._topics.take_waiting()
        if self._simulates:
            now_ns = self.get_clock().now().nanoseconds
            messages = [(topic, now_ns, raw) for topic, _, raw in messages]
        now_s = time.monotonic()
        for topic, _, raw in messages:
            self._check.take(topic, raw, now_s)
        bag.put(messages)

    def _look(self) -> None:
        """Follow the graph, listen whether there is sound, and sum up."""
        if self._bag is None or (self._simulates and not self.get_clock().now().nanoseconds):
            return  # a message would have no time
        self._topics.look()
        now_s = time.monotonic()
        for topic, raw in self._check.sounds.values():
            try:
                self._check.listen(topic, deserialize_message(raw, message_class(topic.type_name)), now_s)
            except Exception as error:  # noqa: BLE001, PERF203  (whatever it holds: it is recorded)
                self.get_logger().error(f"{topic.name}: {error}", throttle_duration_sec=10.0)
        self._check.sounds.clear()
        self._check.rate(now_s)
        self.state = self._state_of(self._bag, now_s - self._begin_s)

    def _state_of(self, bag: BagThread, seconds: float) -> RecordingState:
        topics = {
            name: TopicState(bag.messages[name], bag.dropped[name], self._topics.lost[name], heard.rate_hz)
            for name, heard in sorted(self._check.heard.items())
        }
        try:
            free_bytes = shutil.disk_usage(self.path).free
        except OSError:  # the folder is gone: the bag's own fault says so
            free_bytes = 0
        rate = (bag.file_bytes - self.state.file_bytes) / max(1e-3, seconds - self.state.seconds)
        lacks = self._check.lacks(self._begin_s + seconds, self._topics.troubles)
        full_in_s = free_bytes / rate if rate > 0 else float("inf")
        return RecordingState(str(self.path), seconds, bag.file_bytes, topics, tuple(lacks), bag.fault, full_in_s)

    def _say(self) -> None:
        self.get_logger().info(self.state.progress())
        for error in self.state.errors:
            self.get_logger().error(error)
        for warning in self.state.warnings:
            self.get_logger().warning(f"missing: {warning}")

    def _diagnose(self, status: Any) -> Any:
        state = self.state
        status.add("bag", state.path)
        status.add("seconds", f"{state.seconds:.0f}")
        status.add("megabytes", f"{state.file_bytes / 1e6:.1f}")
        status.add("dropped", state.dropped)
        status.add("lost", state.lost)
        for name, topic in state.topics.items():
            status.add(name, topic)
        level = ERROR if state.errors else WARN if state.warnings else OK
        status.summary(level, "; ".join([*state.errors, *state.warnings]) or "recording")
        return status


def record(args: list[str] | None, tell: Callable[[RecordingState], object] = lambda _: None) -> RecordingState:
    """Record until SIGINT or SIGTERM; return how it went.

    Args:
        args: Command line with the node's ROS arguments; None for the process's.
        tell: Called a few times a second.

    Raises:
        ValueError: A parameter is wrong, or the bag cannot be written; names the node, wanted, got.
    """
    # The context stays valid until the bag has its end: what was sent before the signal belongs into it.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    stop = Event()
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    node = None
    try:
        node = BagRecorder()
        executor = EventsExecutor()
        executor.add_node(node)
        while not stop.is_set():
            executor.spin_until_future_complete(Future(), timeout_sec=TURN_S)
            tell(node.state)
        return node.close()
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        rclpy.try_shutdown()


def main(args: list[str] | None = None) -> None:
    """Run the node; exit code 1 if something of what came is not in the bag, 2 if it cannot be recorded at all."""
    logger = rclpy.logging.get_logger("bag_recorder")
    try:
        state = record(args)
    except ValueError as error:
        logger.fatal(str(error))
        raise SystemExit(2) from None
    for error_text in state.errors:
        logger.error(error_text)
    logger.info(f"recorded '{state.path}': {state.progress()}")
    raise SystemExit(int(bool(state.errors)))


if __name__ == "__main__":
    main()
