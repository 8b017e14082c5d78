"""`Buffer` for machines without tf2_ros: the names, arguments and behaviour of `tf2_ros.Buffer`."""

from __future__ import annotations

import threading
import time as wall
from collections import Counter
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, JumpThreshold
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.task import Future
from rclpy.time import Time

from hearing_hands_ros.motion.window import NANOSECONDS

from .tf2_core import DEFAULT_CACHE_TIME_NS, TransformTree
from .tf2_messages import edge_of, message_of, time_ns

_POLL_S = 0.02


class BufferCore:
    """The tree behind the method names of `tf2_py.BufferCore`."""

    def __init__(self, cache_time: Any = None) -> None:
        self.tree = TransformTree(DEFAULT_CACHE_TIME_NS if cache_time is None else time_ns(cache_time))

    @property
    def rejected(self) -> Counter[str]:
        """How many transforms were not taken, by reason: self, child, parent, nan, quaternion, old."""
        return self.tree.rejected

    def insert(
        self, parent: str, child: str, stamp_ns: int, values: tuple[float, ...], authority: str, is_static: bool
    ) -> None:
        """As `set_transform` without a message. A rejection is counted; the 1st, 10th, 100th, ... is logged."""
        reason = self.tree.insert(parent, child, stamp_ns, values, authority, is_static)
        if reason:
            count = self.tree.rejected[reason]
            if count == 10 ** (len(str(count)) - 1):
                get_logger("tf2_buffer").warning(
                    f"Ignored a transform from '{parent}' to '{child}' by '{authority}', values {values}: "
                    f"{_REASONS[reason]} ({count} so far)"
                )

    def set_transform(self, transform: Any, authority: str) -> None:
        """Add a TransformStamped to the moving edges."""
        self.insert(*edge_of(transform), authority, False)

    def set_transform_static(self, transform: Any, authority: str) -> None:
        """Add a TransformStamped that holds at all times."""
        self.insert(*edge_of(transform), authority, True)

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: Any) -> Any:
        """`Buffer.lookup_transform` without a wait."""
        return message_of(target_frame, source_frame, self.tree.lookup(target_frame, source_frame, time_ns(time)))

    def lookup_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> Any:
        """`Buffer.lookup_transform_full` without a wait."""
        transform = self.tree.lookup_full(
            target_frame, time_ns(target_time), source_frame, time_ns(source_time), fixed_frame
        )
        return message_of(target_frame, source_frame, transform)

    def can_transform_core(self, target_frame: str, source_frame: str, time: Any) -> tuple[bool, str]:
        """Whether a look-up would succeed, and the words of the error if not."""
        return self.tree.can_transform(target_frame, source_frame, time_ns(time))

    def can_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> tuple[bool, str]:
        """Whether a full look-up would succeed, and the words of the error if not."""
        return self.tree.can_transform_full(
            target_frame, time_ns(target_time), source_frame, time_ns(source_time), fixed_frame
        )

    def get_latest_common_time(self, target_frame: str, source_frame: str) -> Any:
        """Latest rclpy Time at which all edges between the frames have data; 0 where all are static."""
        return Time(nanoseconds=self.tree.latest_common_time(target_frame, source_frame))

    def clear(self) -> None:
        """Forget the moving edges' data."""
        self.tree.clear()

    def all_frames_as_yaml(self) -> str:
        """A YAML text of all frames with data."""
        return self.tree.as_yaml()

    def all_frames_as_string(self) -> str:
        """A line for each frame."""
        return self.tree.as_string()

    def _frameExists(self, frame_id: str) -> bool:  # noqa: N802 - the name in tf2_py
        return frame_id == "NO_PARENT" or frame_id in self.tree.frame_names()

    def _getFrameStrings(self) -> list[str]:  # noqa: N802 - the name in tf2_py
        return self.tree.frame_names()


class Buffer(BufferCore):
    """Transforms received so far, for look-ups at any time within the last `cache_time`.

    Args:
        cache_time: rclpy Duration for which data is kept; 10 s by default.
        node: Node whose clock is watched: when simulated time jumps back by more than 1 s or the source of time
            changes, moving edges are forgotten.
    """

    def __init__(self, cache_time: Any = None, node: Any = None) -> None:
        super().__init__(cache_time)
        self._waiting: list[Callable[[], None]] = []
        self._waiting_lock = threading.RLock()
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        # Kept: the clock holds it only as long as we do.
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: Any) -> None:  # noqa: ARG002 - the name in tf2_ros
        """Forget the moving edges: their stamps are of another time."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def insert(
        self, parent: str, child: str, stamp_ns: int, values: tuple[float, ...], authority: str, is_static: bool
    ) -> None:
        """As in the core, then resolve what waits for new data."""
        super().insert(parent, child, stamp_ns, values, authority, is_static)
        if self._waiting:
            with self._waiting_lock:
                waiting = list(self._waiting)
            for try_again in waiting:
                try_again()

    def lookup_transform(self, target_frame: str, source_frame: str, time: Any, timeout: Any = None) -> Any:
        """Transform that maps points of `source_frame` into `target_frame`.

        Args:
            target_frame: Frame to transform into.
            source_frame: Frame to transform from.
            time: rclpy Time or Time message; 0 is the latest time common to all edges between.
            timeout: rclpy Duration to wait for the data; it blocks the caller, not an executor in another thread.

        Returns:
            TransformStamped: frame_id is the target, child_frame_id the source.

        Raises:
            TransformException: One of its kinds, as soon as the timeout is over.
        """
        if timeout is not None:
            self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Any = None,
    ) -> Any:
        """As `lookup_transform`, from one time to another by way of a frame that is at rest meanwhile."""
        if timeout is not None:
            self.can_transform_full(target_frame, target_time, source_frame, source_time, fixed_frame, timeout)
        return self.lookup_transform_full_core(target_frame, target_time, source_frame, source_time, fixed_frame)

    def can_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Any = None, return_debug_tuple: bool = False
    ) -> Any:
        """Whether a look-up would succeed; with `return_debug_tuple` also why not."""
        answer = _poll(timeout, lambda: self.can_transform_core(target_frame, source_frame, time))
        return answer if return_debug_tuple else answer[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Any = None,
        return_debug_tuple: bool = False,
    ) -> Any:
        """As `can_transform` for a full look-up."""
        answer = _poll(
            timeout,
            lambda: self.can_transform_full_core(target_frame, target_time, source_frame, source_time, fixed_frame),
        )
        return answer if return_debug_tuple else answer[0]

    async def lookup_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Any:
        """As `lookup_transform`, after waiting for the data for as long as it takes."""
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    async def lookup_transform_full_async(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> Any:
        """As `lookup_transform_full`, after waiting for the data for as long as it takes."""
        await self.wait_for_transform_full_async(target_frame, target_time, source_frame, source_time, fixed_frame)
        return self.lookup_transform_full_core(target_frame, target_time, source_frame, source_time, fixed_frame)

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Any:
        """Future of the TransformStamped, resolved when new data makes it possible."""
        return self._wait(
            lambda: self.can_transform_core(target_frame, source_frame, time)[0],
            lambda: self.lookup_transform_core(target_frame, source_frame, time),
        )

    def wait_for_transform_full_async(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> Any:
        """Future of the TransformStamped of a full look-up."""
        times = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return self._wait(
            lambda: self.can_transform_full_core(*times)[0], lambda: self.lookup_transform_full_core(*times)
        )

    def _wait(self, possible: Callable[[], bool], look_up: Callable[[], Any]) -> Any:
        future: Any = Future()

        def try_again() -> None:
            with self._waiting_lock:
                if future.done() or future.cancelled():
                    return
                try:
                    if possible():
                        future.set_result(look_up())
                except Exception as error:  # noqa: BLE001 - whoever waits learns of it, not the subscription
                    future.set_exception(error)

        def forget(_: Any) -> None:
            with self._waiting_lock:
                if try_again in self._waiting:
                    self._waiting.remove(try_again)

        # Waiting starts before the first try, so no data can come between the two unseen.
        with self._waiting_lock:
            self._waiting.append(try_again)
        future.add_done_callback(forget)
        if possible():
            try_again()
        return future


def _poll(timeout: Any, ask: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    answer = ask()
    wait_ns = 0 if timeout is None else time_ns(timeout)
    end = wall.monotonic_ns() + wait_ns
    while not answer[0] and (left_ns := end - wall.monotonic_ns()) > 0:
        wall.sleep(min(_POLL_S, left_ns / NANOSECONDS))
        answer = ask()
    return answer


_REASONS = {
    "self": "frame_id and child_frame_id are the same",
    "child": "child_frame_id not set",
    "parent": "frame_id not set",
    "nan": "a value is not a number",
    "quaternion": "the quaternion is no rotation",
    "old": "older than the newest data of this frame by more than the cache time",
}
