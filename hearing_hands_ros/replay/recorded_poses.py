"""Where frames are in the scene, by the TF of a recording."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.follower import Pose, PoseMissingError
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.tf_layout import TfLayout, layout_of
from hearing_hands_ros.ros.tf2_bytes import Edge, edges_in_bytes
from hearing_hands_ros.ros.tf2_core import DEFAULT_CACHE_TIME_NS, TransformTree
from hearing_hands_ros.ros.tf2_exceptions import ExtrapolationException, TransformException
from hearing_hands_ros.ros.tf2_rotation import joined

MANY: Final = 8
"""So many keypoints in one message are worked on at once; of fewer each alone is faster."""

MOST: Final = 16
"""Publishers that are told apart."""

NO_ROTATION: Final = (math.nan,) * 4


@dataclass(eq=False)
class _Stream:
    """Messages of one publisher.

    Attributes:
        topic: Of them.
        layout: Of them.
        parent: Of all its frames.
        rows: Which of its edges a frame is; empty if its messages go into the tree at once.
        waiting: Stamps and messages that are not in the tree yet, of the time that the tree would remember.
        poses: Of all its frames, at `poses_ns`.
    """

    topic: str
    layout: TfLayout
    parent: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    waiting: deque[tuple[int, bytes]] = field(default_factory=deque)
    poses: list[Pose] = field(default_factory=list)
    poses_ns: int = 0


class RecordedPoses:
    """Takes TF as it comes, and answers as a buffer of it would, to the last bit.

    Most of TF are the 21 keypoints of hands, whose rotations nobody asks for and on which no other frame hangs.
    Messages that hold nothing else are kept as they came, and all their frames are looked up at once, in arrays.
    Whatever is not as it mostly is (another publisher of the same frames, stamps that go back, numbers that are none, a
    time of which nothing is known) makes them go into the tree.

    Args:
        frame: Of the scene; TF does not move it.
        keypoints: Frames of which only the place is asked; their rotation may be NaN.

    Attributes:
        tree: Where frames are that were not kept out of it.
    """

    def __init__(self, frame: str, keypoints: Collection[str]) -> None:
        self.tree = TransformTree()
        self._frame, self._keypoints = frame, frozenset(keypoints)
        self._streams: dict[int, list[_Stream]] = {}  # by length of their messages
        self._stream_of: dict[str, _Stream] = {}  # by frame, of those that are kept out of the tree

    def take(self, raw: bytes, topic: str, is_static: bool) -> None:
        """Take a message.

        Raises:
            MalformedMessageError: It is none.
        """
        stream = None if is_static else self._known(raw, topic)
        if stream is not None and stream.rows:
            stamp_ns, waiting = stream.layout.stamp_ns(raw), stream.waiting
            if stamp_ns and (not waiting or stamp_ns > waiting[-1][0]):
                while waiting and waiting[0][0] < waiting[-1][0] - DEFAULT_CACHE_TIME_NS:
                    waiting.popleft()
                waiting.append((stamp_ns, raw))
                return
            self._give_up(stream)
        edges = edges_in_bytes(raw)
        for parent, child, _, _ in edges:
            for name in (parent.removeprefix("/"), child.removeprefix("/")):
                if name in self._stream_of:
                    self._give_up(self._stream_of[name])
        self._insert(edges, topic, is_static)

    def look_up(self, frame: str, stamp_ns: int) -> Pose:
        """Where a frame is in the scene.

        Raises:
            PoseMissingError: Not known at that time.
        """
        stream = self._stream_of.get(frame)
        if stream is not None:
            if stream.poses_ns == stamp_ns or self._answer(stream, stamp_ns):
                return stream.poses[stream.rows[frame]]
            self.settle()
        try:
            return self.tree.lookup(self._frame, frame, stamp_ns)[1:]
        except TransformException as error:
            raise PoseMissingError(str(error), may_come=isinstance(error, ExtrapolationException)) from error

    def settle(self) -> None:
        """Put into the tree what was kept out of it so far."""
        for stream in {id(stream): stream for stream in self._stream_of.values()}.values():
            while stream.waiting:
                self._insert(edges_in_bytes(stream.waiting.popleft()[1]), stream.topic, False)

    def _insert(self, edges: list[Edge], topic: str, is_static: bool) -> None:
        for parent, child, stamp_ns, values in edges:
            if child.removeprefix("/") != self._frame:
                self.tree.insert(parent, child, stamp_ns, values, topic, is_static)

    def _known(self, raw: bytes, topic: str) -> _Stream | None:
        """The publisher of a message, if it is told apart."""
        streams = self._streams.setdefault(len(raw), [])
        stream = next((s for s in streams if s.layout.is_of(raw)), None)
        if stream is None and len(streams) < MOST and (layout := layout_of(raw)) is not None:
            stream = _Stream(topic, layout)
            streams.append(stream)
            parents = {parent for parent, _, _, _ in layout.edges}
            children = [child for _, child, _, _ in layout.edges]
            free = self._keypoints - self._stream_of.keys() - set(self.tree.frame_names())
            if len(children) == len(set(children)) >= MANY and free.issuperset(children) and len(parents) == 1:
                parent = parents.pop()
                if parent and not parent.startswith("/") and parent not in self._keypoints:
                    stream.parent, stream.rows = parent, {child: row for row, child in enumerate(children)}
                    self._stream_of.update(dict.fromkeys(children, stream))
        return stream

    def _give_up(self, stream: _Stream) -> None:
        """Have the messages of a publisher go into the tree from now on."""
        self.settle()
        for name in stream.rows:
            del self._stream_of[name]
        stream.rows = {}

    def _answer(self, stream: _Stream, stamp_ns: int) -> bool:
        """Look up all frames of a publisher; False if the tree must be asked."""
        waiting = stream.waiting
        if not waiting or not stamp_ns:
            return False
        if stamp_ns > waiting[-1][0]:
            until_s = waiting[-1][0] / NANOSECONDS
            raise PoseMissingError(f"TF of {next(iter(stream.rows))} ends at {until_s:.6f} s", may_come=True)
        newer = next((n for n in range(1, len(waiting) + 1) if waiting[-n][0] <= stamp_ns), 0)
        if not newer:
            return False
        places = _places(stream.layout, waiting[-newer][1])
        if places is not None and newer > 1:
            (begin_ns, _), (end_ns, raw) = waiting[-newer], waiting[1 - newer]
            ratio = (stamp_ns - begin_ns) / (end_ns - begin_ns)
            later = _places(stream.layout, raw)
            places = None if later is None else (1.0 - ratio) * places + ratio * later
        if places is None:
            self._give_up(stream)
            return False
        try:
            up, down = self.tree.way(self._frame, stream.parent, stamp_ns)
        except ExtrapolationException as error:  # what the keypoints hang on comes later than they do
            raise PoseMissingError(str(error), may_come=True) from error
        except TransformException:
            return False
        x, y, z = joined([(0, *places.T, *NO_ROTATION), *up], down)[:3]  # type: ignore[list-item]  # (arrays do, too)
        stream.poses = [(*place, *NO_ROTATION) for place in np.stack([x, y, z], axis=1).tolist()]
        stream.poses_ns = stamp_ns
        return True


def _places(layout: TfLayout, raw: bytes) -> NDArray[np.float64] | None:
    """(E, 3) places in a message; None if there are numbers in it that a tree may not take."""
    values = layout.values(raw)
    places, square = values[:, :3], np.einsum("ei,ei->e", values[:, 3:], values[:, 3:])
    is_usual = np.isfinite(places).all() and square.min() > 0.5 and square.max() < 2.0
    return places if is_usual else None
