"""The transform tree, as `tf2::BufferCore` keeps and walks it, on integers and floats.

Frames get numbers in the order in which they are first named; number 0 is no frame. A query walks up from the source to
the top, then up from the target until it meets that top. The order in which things are found wrong decides which
exception a caller sees, so it is the order of tf2, also where another would look more natural.

Source: ros2/geometry2 (BSD-3-Clause), the behaviour of tf2/src/buffer_core.cpp and tf2/src/cache.cpp; written anew.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

from hearing_hands_ros.motion.window import NANOSECONDS

from .tf2_exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from .tf2_rotation import canonical, followed_by, joined
from .tf2_time_cache import Sample, StaticCache, TimeCache, seconds

# (stamp in ns, tx, ty, tz, qx, qy, qz, qw)
StampedTransform = tuple[int, float, float, float, float, float, float, float]

DEFAULT_CACHE_TIME_NS = 10_000_000_000
_MAX_DEPTH = 1000
_FOREVER = 2**63 - 1
_QUATERNION_TOLERANCE = 10e-3


class TransformTree:
    """Frames and the edges between them over time. Safe to use from several threads.

    `rejected` counts what was not taken, by reason: self, child, parent, nan, quaternion, old.
    """

    def __init__(self, cache_time_ns: int = DEFAULT_CACHE_TIME_NS) -> None:
        self._cache_time_ns = cache_time_ns
        self._lock = Lock()
        self._numbers: dict[str, int] = {"NO_PARENT": 0}
        self._names: list[str] = ["NO_PARENT"]
        self._caches: list[TimeCache | StaticCache | None] = [None]
        self._authorities: dict[int, str] = {}
        self.rejected: Counter[str] = Counter()

    def insert(
        self, parent: str, child: str, stamp_ns: int, values: tuple[float, ...], authority: str, is_static: bool
    ) -> str:
        """Add one edge.

        Args:
            parent: Frame that the transform maps into; one leading slash is taken off, here and in `child`.
            child: Frame that the transform maps from.
            stamp_ns: Time of the sample; of no consequence for a static edge.
            values: tx, ty, tz, qx, qy, qz, qw; the quaternion may have any length but zero.
            authority: Who says so, for `describe`.
            is_static: Holds at all times. An edge that changes kind starts anew.

        Returns:
            The reason for which the edge was not taken, empty when it was.
        """
        if parent[:1] == "/":
            parent = parent[1:]
        if child[:1] == "/":
            child = child[1:]
        reason = ""
        if child == parent:
            reason = "self"
        elif not child:
            reason = "child"
        elif not parent:
            reason = "parent"
        tx, ty, tz, qx, qy, qz, qw = values
        rotation = canonical(qx, qy, qz, qw)
        if not reason:
            if tx != tx or ty != ty or tz != tz:
                reason = "nan"
            elif rotation is None:
                reason = "quaternion"
            else:
                qx, qy, qz, qw = rotation
                # Also false for NaN, which a quaternion with infinities or NaN has become.
                if not -_QUATERNION_TOLERANCE < qw * qw + qx * qx + qy * qy + qz * qz - 1.0 < _QUATERNION_TOLERANCE:
                    reason = "nan"
        if reason:
            self.rejected[reason] += 1
            return reason

        with self._lock:
            numbers = self._numbers
            number = numbers.get(child)
            if number is None:
                number = self._add_frame(child)
            cache = self._caches[number]
            if cache is None or cache.is_static is not is_static:
                cache = self._caches[number] = StaticCache() if is_static else TimeCache(self._cache_time_ns)
            parent_number = numbers.get(parent)
            if parent_number is None:
                parent_number = self._add_frame(parent)
            if cache.insert(stamp_ns, (parent_number, tx, ty, tz, qx, qy, qz, qw)):
                self._authorities[number] = authority
                return ""
        self.rejected["old"] += 1
        return "old"

    def _add_frame(self, name: str) -> int:
        number = len(self._names)
        self._names.append(name)
        self._caches.append(None)
        self._numbers[name] = number
        return number

    def clear(self) -> None:
        """Forget the samples of all moving edges. Static edges and the names of frames stay."""
        with self._lock:
            for cache in self._caches[1:]:
                if cache is not None:
                    cache.clear()

    def frame_number(self, name: str, argument: str) -> int:
        """Number of a frame that a query names.

        Raises:
            InvalidArgumentException: The name is empty or starts with a slash.
            LookupException: No edge has named this frame.
        """
        if type(name) is not str:
            raise TypeError(f"{argument}: wanted a frame name (str), got {type(name).__name__}")
        number = self._numbers.get(name, 0)
        if number and name[0] != "/":
            return number
        if not name:
            raise InvalidArgumentException(
                f'Invalid argument "{name}" passed to {argument} - in tf2 frame_ids cannot be empty'
            )
        if name[0] == "/":
            raise InvalidArgumentException(
                f"Invalid argument \"{name}\" passed to {argument} - in tf2 frame_ids cannot start with a '/'"
            )
        raise LookupException(f'"{name}" passed to {argument} does not exist. ')

    def lookup(self, target: str, source: str, time_ns: int) -> StampedTransform:
        """Transform that maps points of `source` into `target`; time 0 is the latest time common to all edges between.

        Raises:
            InvalidArgumentException: A name is empty or starts with a slash.
            LookupException: A frame is unknown, or there is a loop.
            ConnectivityException: The frames are in separate trees.
            ExtrapolationException: An edge has no data for the time.
        """
        stamp, tx, ty, tz, qx, qy, qz, qw = self._lookup(target, source, time_ns)
        return stamp, tx, ty, tz, *(canonical(qx, qy, qz, qw) or (qx, qy, qz, qw))

    def lookup_full(
        self, target: str, target_time_ns: int, source: str, source_time_ns: int, fixed: str
    ) -> StampedTransform:
        """Transform from `source` at one time to `target` at another, `fixed` being at rest meanwhile.

        The stamp is that of the target's half. Raises as `lookup`, and also for unknown frames that are equal.
        """
        self.frame_number(target, "lookupTransform argument target_frame")
        self.frame_number(source, "lookupTransform argument source_frame")
        self.frame_number(fixed, "lookupTransform argument fixed_frame")
        _, tx, ty, tz, *source_rotation = self._lookup(fixed, source, source_time_ns)
        stamp, ox, oy, oz, *target_rotation = self._lookup(target, fixed, target_time_ns)
        return stamp, *followed_by((tx, ty, tz), source_rotation, (ox, oy, oz), target_rotation)

    def way(self, target: str, source: str, time_ns: int) -> tuple[list[Sample], list[Sample]]:
        """Edges from the source up, and from the target up to where those end, at a time that is not 0.

        `joined` makes the transform of them. Raises as `lookup`.
        """
        target_number = self.frame_number(target, "way argument target")
        source_number = self.frame_number(source, "way argument source")
        with self._lock:
            return self._walk(target_number, source_number, time_ns, True)[1:]

    def can_transform(self, target: str, source: str, time_ns: int) -> tuple[bool, str]:
        """Whether `lookup` would succeed, and if not why."""
        if target == source:
            return True, ""
        try:
            target_number = self.frame_number(target, "canTransform argument target_frame")
            source_number = self.frame_number(source, "canTransform argument source_frame")
            with self._lock:
                self._walk(target_number, source_number, time_ns, False)
        except TransformException as error:
            return False, str(error)
        return True, ""

    def can_transform_full(
        self, target: str, target_time_ns: int, source: str, source_time_ns: int, fixed: str
    ) -> tuple[bool, str]:
        """Whether `lookup_full` would succeed, and if not why."""
        try:
            self.frame_number(target, "canTransform argument target_frame")
            self.frame_number(source, "canTransform argument source_frame")
            self.frame_number(fixed, "canTransform argument fixed_frame")
        except TransformException as error:
            return False, str(error)
        answer = self.can_transform(target, fixed, target_time_ns)
        return self.can_transform(fixed, source, source_time_ns) if answer[0] else answer

    def latest_common_time(self, target: str, source: str) -> int:
        """Latest time in ns at which all edges between the frames have data; 0 where all are static.

        Raises:
            InvalidArgumentException, LookupException: As `lookup`.
            TransformException: The frames are not connected, or there is a loop.
        """
        target_number = self.frame_number(target, "get_latest_common_time")
        source_number = self.frame_number(source, "get_latest_common_time")
        with self._lock:
            try:
                return self._latest_common_time(target_number, source_number)
            except TransformException as error:
                raise TransformException(str(error)) from None

    def _lookup(self, target: str, source: str, time_ns: int) -> StampedTransform:
        if target == source:
            if time_ns == 0:
                cache = self._caches[self._numbers.get(target, 0)]
                time_ns = cache.latest_stamp if cache is not None else 0
            return time_ns, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
        target_number = self.frame_number(target, "lookupTransform argument target_frame")
        source_number = self.frame_number(source, "lookupTransform argument source_frame")
        with self._lock:
            stamp, up, down = self._walk(target_number, source_number, time_ns, True)
        return (stamp, *joined(up, down))

    def _walk(
        self, target: int, source: int, time_ns: int, interpolate: bool
    ) -> tuple[int, list[Sample], list[Sample]]:
        """Time used, edges from the source up, edges from the target up; the two end at the same frame."""
        if time_ns == 0:
            time_ns = self._latest_common_time(target, source)
        caches = self._caches
        up: list[Sample] = []
        frame = top = source
        why_not = ""
        while frame:
            cache = caches[frame]
            if cache is None:
                top = frame
                break
            sample = cache.at(time_ns) if interpolate else cache.older(time_ns)
            if sample is None or not sample[0]:
                # The way may still end here: the target may hang below this frame.
                top = frame
                why_not = cache.why_not(time_ns)
                break
            if frame == target:
                return time_ns, up, []
            up.append(sample)
            top = frame
            frame = sample[0]
            if len(up) > _MAX_DEPTH:
                raise LookupException(self._loop())

        down: list[Sample] = []
        frame = target
        while frame != top:
            cache = caches[frame]
            if cache is None:
                break
            sample = cache.at(time_ns) if interpolate else cache.older(time_ns)
            if sample is None or not sample[0]:
                raise ExtrapolationException(cache.why_not(time_ns) + self._between(target, source))
            if frame == source:
                return time_ns, [], down
            down.append(sample)
            frame = sample[0]
            if len(down) > _MAX_DEPTH:
                raise LookupException(self._loop())
        if frame != top:
            if why_not:
                raise ExtrapolationException(why_not + self._between(target, source))
            raise ConnectivityException(self._unconnected(target, source))
        return time_ns, up, down

    def _latest_common_time(self, target: int, source: int) -> int:
        caches = self._caches
        if target == source:
            cache = caches[source]
            return cache.latest_stamp if cache is not None else 0
        parents: list[int] = []
        stamps: list[int] = []
        common = _FOREVER
        frame = source
        while frame:
            cache = caches[frame]
            if cache is None or not cache.latest_parent:
                break
            stamp = cache.latest_stamp
            frame = cache.latest_parent
            if stamp and stamp < common:
                common = stamp
            parents.append(frame)
            stamps.append(stamp)
            if frame == target:
                return common if common != _FOREVER else 0
            if len(parents) > _MAX_DEPTH:
                raise LookupException(self._loop())

        frame = target
        depth = 0
        common = _FOREVER
        while True:
            cache = caches[frame]
            if cache is None or not cache.latest_parent:
                raise ConnectivityException(self._unconnected(target, source))
            stamp = cache.latest_stamp
            frame = cache.latest_parent
            if stamp and stamp < common:
                common = stamp
            if frame in parents:
                break
            if frame == source:
                return common if common != _FOREVER else 0
            depth += 1
            if depth > _MAX_DEPTH:
                raise LookupException(self._loop())
        for stamp, parent in zip(stamps, parents):  # noqa: B905 - of one length by construction, and hot
            if stamp and stamp < common:
                common = stamp
            if parent == frame:
                break
        return common if common != _FOREVER else 0

    def _between(self, target: int, source: int) -> str:
        names = self._names
        return f", when looking up transform from frame [{names[source]}] to frame [{names[target]}]"

    def _unconnected(self, target: int, source: int) -> str:
        return (
            f"Could not find a connection between '{self._names[target]}' and '{self._names[source]}' because they are "
            "not part of the same tree.Tf has two or more unconnected trees."
        )

    def _loop(self) -> str:
        return f"The tf tree is invalid because it contains a loop.\n{self._describe_edges()}\n"

    def _describe_edges(self) -> str:
        return "".join(
            f"Frame {self._names[number]} exists with parent {self._names[cache.latest_parent]}.\n"
            for number, cache in enumerate(self._caches)
            if number and cache is not None
        )

    def frame_names(self) -> list[str]:
        """All frames that were ever named, in that order."""
        with self._lock:
            return self._names[1:]

    def as_string(self) -> str:
        """One line a frame: its parent."""
        with self._lock:
            return self._describe_edges()

    def as_yaml(self) -> str:
        """Parent, broadcaster, rate and times of each frame with data, as `view_frames` reads them."""
        with self._lock:
            if len(self._caches) == 1:
                return "[]"
            text = []
            for number, cache in enumerate(self._caches):
                if cache is None or not len(cache) or not number:
                    continue
                length_ns = cache.latest_stamp - cache.oldest_stamp
                text.append(
                    f"{self._names[number]}: \n"
                    f"  parent: '{self._names[cache.latest_parent]}'\n"
                    f"  broadcaster: '{self._authorities.get(number, 'no recorded authority')}'\n"
                    f"  rate: {len(cache) * NANOSECONDS / max(length_ns, 100_000):.3f}\n"
                    f"  most_recent_transform: {seconds(cache.latest_stamp)}\n"
                    f"  oldest_transform: {seconds(cache.oldest_stamp)}\n"
                    f"  buffer_length: {length_ns / NANOSECONDS:.3f}\n"
                )
            return "".join(text)
