"""From a stream's own time to the node's time."""

from __future__ import annotations

from collections import deque


class ClockMap:
    """Smoothed offset between two clocks that are read one after the other, the second one sometimes late.

    A reading is late when the reading thread was held up, and never early; so the smallest offset of the last
    `window_s` is the least disturbed one. It is smoothed by a first-order low-pass, and taken at once where it moved by
    more than `step_s`: then a clock was set, and smoothing would only spread the error.

    >>> clocks = ClockMap()
    >>> clocks.update(10.0, 5_000_000_000) == clocks.update(11.0, 6_003_000_000)  # 3 ms late: no matter
    True
    >>> clocks.to_ns(10.5)
    5500000000
    """

    def __init__(self, window_s: float = 2.0, smoothing_s: float = 1.0, step_s: float = 0.1) -> None:
        self.window_s, self.smoothing_s, self.step_s = window_s, smoothing_s, step_s
        # (stream time s, offset ns), offsets rising: the first is the window's smallest.
        self._smallest: deque[tuple[float, int]] = deque()
        self._offset_ns: float | None = None
        self._last_s = 0.0

    def update(self, stream_s: float, now_ns: int) -> int:
        """Take one pair of readings, the node's clock read second; return the offset, ns."""
        offset_ns = now_ns - round(stream_s * 1e9)
        step_ns = self.step_s * 1e9
        if self._offset_ns is None or stream_s < self._last_s or offset_ns < self._offset_ns - step_ns:
            self._smallest.clear()
            self._offset_ns = None
        while self._smallest and self._smallest[-1][1] >= offset_ns:
            self._smallest.pop()
        self._smallest.append((stream_s, offset_ns))
        while self._smallest[0][0] < stream_s - self.window_s:
            self._smallest.popleft()
        wanted_ns = self._smallest[0][1]
        if self._offset_ns is None or abs(wanted_ns - self._offset_ns) > step_ns:
            self._offset_ns = float(wanted_ns)
        else:
            share = min(1.0, (stream_s - self._last_s) / self.smoothing_s)
            self._offset_ns += share * (wanted_ns - self._offset_ns)
        self._last_s = stream_s
        return round(self._offset_ns)

    def to_ns(self, stream_s: float) -> int:
        """Return the node's time at a time of the stream, ns.

        Raises:
            ValueError: No pair of readings was taken yet.
        """
        if self._offset_ns is None:
            raise ValueError("ClockMap: wanted at least one update, got none")
        return round(stream_s * 1e9) + round(self._offset_ns)

    def reset(self) -> None:
        """Forget all readings."""
        self._smallest.clear()
        self._offset_ns = None
