"""The last seconds of what the microphone heard, at one rate, found again by time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS

RESTART_S = 0.05  # a block this far from where the last one ended is another stretch of sound
ANCHOR_SHARE = 0.02  # how fast the time base follows the blocks' stamps; their jitter is averaged over some 50 blocks


class HeardSound:
    """A ring of mono sound with a time base.

    Blocks of any rate and any number of channels come in; they are mixed to mono and resampled as one stream, so a
    block's border is not heard. Missing stretches up to the ring's length are filled with samples marked as not heard.

    Args:
        sample_rate_hz: Rate of the ring.
        seconds: Its length.
    """

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._size = round(seconds * sample_rate_hz)
        self._samples = np.zeros(self._size, np.float32)
        self._heard = np.zeros(self._size, np.bool_)
        self._in_rate: int | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything: time jumped."""
        self._count = 0  # samples ever written; sample i stands at i % size
        self._heard[:] = False
        self._resampler: soxr.ResampleStream | None = None
        self._anchor_ns: float | None = None  # time of the first sample of the stretch
        self._stretch = 0  # count at which the stretch began
        self._taken = 0  # input samples of the stretch
        self._begin_lost()

    @property
    def until_ns(self) -> int | None:
        """Time after the newest sample, or None while there is none."""
        return None if self._anchor_ns is None else self.time_of(self._count)

    def time_of(self, index: int) -> int:
        """Time of a sample by its count."""
        assert self._anchor_ns is not None  # noqa: S101  (there is a sample, so there is a time base)
        return int(self._anchor_ns + (index - self._stretch) * NANOSECONDS / self.sample_rate_hz)

    def push(
        self, stamp_ns: int, samples: NDArray[np.float32], rate_hz: int, lost: NDArray[np.bool_] | None = None
    ) -> int:
        """Append a block.

        Args:
            stamp_ns: Time of its first sample.
            samples: (L, C) in [-1, 1], finite.
            rate_hz: Of `samples`.
            lost: (L,) samples that are filling, or None for none.

        Returns:
            Number of the first sample that it added to the ring, filling included; 0 when the ring began anew.
        """
        first = self._count
        if self._anchor_ns is not None and rate_hz == self._in_rate:
            away_s = (stamp_ns - (self._anchor_ns + self._taken * NANOSECONDS / rate_hz)) / NANOSECONDS
        else:
            away_s = np.inf
        if abs(away_s) > RESTART_S:
            first = self._restart(stamp_ns, rate_hz)
        else:
            assert self._anchor_ns is not None  # noqa: S101  (checked above)
            self._anchor_ns += ANCHOR_SHARE * away_s * NANOSECONDS
        self._taken += len(samples)
        mono = samples.mean(axis=1, dtype=np.float32)
        if rate_hz == self.sample_rate_hz:
            out = mono
        else:
            assert self._resampler is not None  # noqa: S101  (made by _restart)
            out = self._resampler.resample_chunk(np.ascontiguousarray(mono))
        if lost is None:
            lost = np.zeros(len(samples), np.bool_)
        self._write(out, ~self._lost_of(lost, len(out), rate_hz))
        return first

    def stretches(self, first: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield what was heard without a break from sample `first` on: number of the first sample, samples."""
        first = max(first, self._count - self._size)
        at = np.arange(first, self._count) % self._size
        heard = np.concatenate([[False], self._heard[at], [False]])
        edges = np.flatnonzero(heard[1:] != heard[:-1])
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            yield first + int(begin), self._samples[at[begin:end]]

    def segment(self, start_ns: int, length: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Sound from a time on: (length,) samples, zero where nothing was heard, and (length,) what was heard."""
        samples, heard = np.zeros(length, np.float32), np.zeros(length, np.bool_)
        if self._anchor_ns is None:
            return samples, heard
        first = self._stretch + round((start_ns - self._anchor_ns) * self.sample_rate_hz / NANOSECONDS)
        low, high = max(first, self._count - self._size, 0), min(first + length, self._count)
        if low < high:
            at = np.arange(low, high) % self._size
            heard[low - first : high - first] = self._heard[at]
            samples[low - first : high - first] = np.where(self._heard[at], self._samples[at], 0.0)
        return samples, heard

    def _restart(self, stamp_ns: int, rate_hz: int) -> int:
        """Begin another stretch; what was heard before stays where its time says, if it is still in the ring.

        Returns:
            Number of the first sample that is filled in before the stretch, or of its own first one.
        """
        until_ns = self.until_ns
        gap = self._size if until_ns is None else round((stamp_ns - until_ns) * self.sample_rate_hz / NANOSECONDS)
        first = self._count
        if 0 <= gap < self._size:
            self._write(np.zeros(gap, np.float32), np.zeros(gap, np.bool_))
        else:  # the first block, a long silence, or time went back
            first = self._count = 0
            self._heard[:] = False
        self._anchor_ns, self._stretch, self._taken, self._in_rate = float(stamp_ns), self._count, 0, rate_hz
        self._begin_lost()
        self._resampler = None
        if rate_hz != self.sample_rate_hz:
            self._resampler = soxr.ResampleStream(rate_hz, self.sample_rate_hz, 1, dtype="float32", quality="HQ")
        return first

    def _begin_lost(self) -> None:
        self._lost: NDArray[np.bool_] = np.zeros(0, np.bool_)  # of input samples that are still in the resampler
        self._lost_from = 0  # number in the stretch of the first of them

    def _lost_of(self, lost: NDArray[np.bool_], count: int, rate_hz: int) -> NDArray[np.bool_]:
        """Which of the next `count` samples of the ring are made of lost ones: the resampler gives them out later."""
        self._lost = np.concatenate([self._lost, lost])
        if not self._lost.any():  # as nearly always
            end = (self._count - self._stretch + count) * rate_hz // self.sample_rate_hz - self._lost_from
            done = min(max(end, 0), len(self._lost))
            self._lost, self._lost_from = self._lost[done:], self._lost_from + done
            return np.zeros(count, np.bool_)
        edges = (self._count - self._stretch + np.arange(count + 1)) * rate_hz
        low = np.clip(edges // self.sample_rate_hz - self._lost_from, 0, len(self._lost))
        high = np.clip(-(-edges // self.sample_rate_hz) - self._lost_from, 0, len(self._lost))
        before = np.concatenate([[0], np.cumsum(self._lost)])
        self._lost, self._lost_from = self._lost[low[-1] :], self._lost_from + int(low[-1])
        return np.asarray(before[high[1:]] > before[low[:-1]])

    def _write(self, samples: NDArray[np.float32], heard: NDArray[np.bool_]) -> None:
        samples, heard = samples[-self._size :], heard[-self._size :]
        at = np.arange(self._count, self._count + len(samples)) % self._size
        self._samples[at] = samples
        self._heard[at] = heard
        self._count += len(samples)
