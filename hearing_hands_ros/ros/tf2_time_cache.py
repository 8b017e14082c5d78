"""What is known of one frame's edge to its parent: samples over time, or one sample for all times."""

from __future__ import annotations

from bisect import bisect_right

from hearing_hands_ros.motion.window import NANOSECONDS

from .tf2_rotation import Sample, slerp

_COMPACT_FROM = 256


def seconds(stamp_ns: int) -> str:
    """A stamp as the messages of errors show it."""
    return f"{stamp_ns / NANOSECONDS:.6f}"


class TimeCache:
    """Samples of a moving edge, sorted by stamp; among equal stamps the last one inserted is the newest.

    Old samples leave from the front of the lists. Only an index moves, and the lists are cut when half of them is dead,
    so an insert costs the same however much history is kept.
    """

    __slots__ = ("_first", "_max_age_ns", "_samples", "_stamps", "latest_parent", "latest_stamp")

    is_static = False

    def __init__(self, max_age_ns: int) -> None:
        self._max_age_ns = max_age_ns
        self.clear()

    def clear(self) -> None:
        """Forget all samples."""
        self._stamps: list[int] = []
        self._samples: list[Sample] = []
        self._first = 0
        self.latest_stamp = 0
        self.latest_parent = 0

    def __len__(self) -> int:
        return len(self._stamps) - self._first

    @property
    def oldest_stamp(self) -> int:
        """Stamp of the oldest sample; 0 without samples."""
        return self._stamps[self._first] if len(self) else 0

    def insert(self, stamp_ns: int, sample: Sample) -> bool:
        """Add a sample; False when it is older than the newest minus the cache time.

        Pruning comes first and goes by the newest sample before this one, as in tf2.
        """
        stamps = self._stamps
        if not stamps:
            stamps.append(stamp_ns)
            self._samples.append(sample)
            self.latest_stamp = stamp_ns
            self.latest_parent = sample[0]
            return True
        latest = self.latest_stamp
        horizon = latest - self._max_age_ns
        if stamps[self._first] < horizon:
            self._prune(horizon)
        if stamp_ns > latest:
            stamps.append(stamp_ns)
            self._samples.append(sample)
        else:
            if stamp_ns < horizon:
                return False
            place = bisect_right(stamps, stamp_ns, self._first)
            same = place - 1
            while same >= self._first and stamps[same] == stamp_ns:
                if self._samples[same] == sample:
                    return True
                same -= 1
            stamps.insert(place, stamp_ns)
            self._samples.insert(place, sample)
            if stamp_ns < latest:
                return True
        self.latest_stamp = stamp_ns
        self.latest_parent = sample[0]
        return True

    def _prune(self, horizon: int) -> None:
        stamps = self._stamps
        first = self._first + 1
        while stamps[first] < horizon:
            first += 1
        if first > _COMPACT_FROM and first * 2 > len(stamps):
            del stamps[:first]
            del self._samples[:first]
            first = 0
        self._first = first

    def older(self, stamp_ns: int) -> Sample | None:
        """The sample in force at a time (0: the newest), not interpolated; None outside the data."""
        stamps = self._stamps
        if not stamps:
            return None
        if stamp_ns == 0 or stamp_ns == self.latest_stamp:
            return self._samples[-1]
        first = self._first
        if stamp_ns > self.latest_stamp or stamp_ns < stamps[first]:
            return None
        if stamp_ns == stamps[first]:
            return self._samples[first]
        return self._samples[bisect_right(stamps, stamp_ns, first) - 1]

    def at(self, stamp_ns: int) -> Sample | None:
        """The edge at a time (0: the newest); None outside the data.

        Between two samples with the same parent: linear and spherical interpolation. With different parents: the older.
        """
        stamps = self._stamps
        if not stamps:
            return None
        samples = self._samples
        if stamp_ns == 0 or stamp_ns == self.latest_stamp:
            return samples[-1]
        first = self._first
        if stamp_ns > self.latest_stamp or stamp_ns < stamps[first]:
            return None
        if stamp_ns == stamps[first]:
            return samples[first]
        newer = bisect_right(stamps, stamp_ns, first)
        one = samples[newer - 1]
        two = samples[newer]
        parent = one[0]
        if parent != two[0]:
            return one
        start = stamps[newer - 1]
        ratio = (stamp_ns - start) / (stamps[newer] - start)
        rest = 1.0 - ratio
        return (
            parent,
            rest * one[1] + ratio * two[1],
            rest * one[2] + ratio * two[2],
            rest * one[3] + ratio * two[3],
            *slerp(one[4:], two[4:], ratio),
        )

    def why_not(self, stamp_ns: int) -> str:
        """The words for a time at which `at` gives None."""
        if not len(self):
            return f"Lookup would require extrapolation at time {seconds(stamp_ns)}, but no data is in the buffer"
        if len(self) == 1:
            return (
                f"Lookup would require extrapolation at time {seconds(stamp_ns)}, "
                f"but only time {seconds(self.latest_stamp)} is in the buffer"
            )
        if stamp_ns > self.latest_stamp:
            return (
                f"Lookup would require extrapolation into the future.  Requested time {seconds(stamp_ns)} "
                f"but the latest data is at time {seconds(self.latest_stamp)}"
            )
        return (
            f"Lookup would require extrapolation into the past.  Requested time {seconds(stamp_ns)} "
            f"but the earliest data is at time {seconds(self.oldest_stamp)}"
        )


class StaticCache:
    """One sample that holds at all times. Its stamp counts as 0, which never limits a common time."""

    __slots__ = ("_sample", "latest_parent", "latest_stamp")

    is_static = True
    oldest_stamp = 0

    def __init__(self) -> None:
        self._sample: Sample = (0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        self.latest_stamp = 0
        self.latest_parent = 0

    def __len__(self) -> int:
        return 1

    def clear(self) -> None:
        """Static edges outlive a clear."""

    def insert(self, stamp_ns: int, sample: Sample) -> bool:  # noqa: ARG002 - as TimeCache
        """Replace the sample; the stamp is of no consequence."""
        self._sample = sample
        self.latest_parent = sample[0]
        return True

    def older(self, stamp_ns: int) -> Sample | None:  # noqa: ARG002 - as TimeCache
        """The sample, at any time."""
        return self._sample

    at = older

    def why_not(self, stamp_ns: int) -> str:
        """No time is out of reach; only a parent named NO_PARENT leads here."""
        return f"No parent at time {seconds(stamp_ns)}"
