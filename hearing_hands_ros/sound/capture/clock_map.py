"""From a stream's own time to the node's time."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from hearing_hands_ros.sound.capture.lower_envelope import LowerEnvelope

SLEW = 0.05  # s a second: how fast a correction is made that is no jump
DRIFTING = 0.01  # a clock that differs from another one by more than this does not drift; it runs at another speed
SPEED_AFTER_S = 0.5  # of readings that tell another speed
SURE_AFTER = 1 / 6  # of the window: until then, the drift known before is better than the one measured since
LATENESS_KEPT = 2048


class ClockMap:
    """Offset and drift between two clocks that are read one after the other, the second one sometimes late.

    A reading is late when the reading thread was held up, and never early: the truth is the line under the readings of
    the last `window_s`. What it says is followed by at most `SLEW`, so that stamps made from it stay even; but a step
    of a clock is followed at once, with the drift known before:

    - a reading that is early by more than `jump_s`: a clock was set back, or the stream began anew;
    - readings that were all late by more than `step_s` for `confirm_s`: a clock was set ahead, or the stream lost time;
    - a line that ran away from what is followed by more than `jump_s`: a clock runs at another speed, as simulated ones
      may.

    Args:
        window_s: Stretch of readings that the line is drawn under, s of the stream.
        step_s: Lateness that is no chance if it lasts, s.
        confirm_s: How long it must last, s of the stream.
        jump_s: Earliness that is no correction but a jump, s.

    >>> clocks = ClockMap()
    >>> clocks.update(10.0, 5_000_000_000)
    0.0
    >>> clocks.update(11.0, 6_003_000_000)  # 3 ms late: no matter
    0.0
    >>> clocks.to_ns(10.5)
    5500000000
    """

    def __init__(
        self, window_s: float = 30.0, step_s: float = 0.004, confirm_s: float = 1.0, jump_s: float = 0.1
    ) -> None:
        self.window_s, self.step_s, self.confirm_s, self.jump_s = window_s, step_s, confirm_s, jump_s
        self.reset()

    def reset(self) -> None:
        """Forget all readings and the drift."""
        self._rate = 1.0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all readings, but not the drift: the stream is about to begin again."""
        self._rate = self._known_rate = self._rate if abs(self._rate - 1.0) < DRIFTING else 1.0
        self._recent: deque[tuple[float, int, float]] = deque()  # stream time s, node time ns, lateness s
        self._lateness: deque[float] = deque(maxlen=LATENESS_KEPT)

    def update(self, stream_s: float, now_ns: int) -> float:
        """Take a reading of both clocks, the node's read second.

        Returns:
            How far the node's clock was found to have stepped against the stream's, s; 0.0 nearly always.
        """
        if not self._recent or stream_s < self._recent[-1][0]:
            self._restart([(stream_s, now_ns)])
            return 0.0
        before_ns = self.to_ns(stream_s)
        late_s = (now_ns - self._line_ns(stream_s)) * 1e-9
        self._recent.append((stream_s, now_ns, late_s))
        while self._recent[1][0] <= stream_s - self.confirm_s:
            self._recent.popleft()
        if late_s < -self.jump_s:
            self._restart([(stream_s, now_ns)])
        elif late_s > self.step_s and self._all_are_late():
            self._restart([(x, ns) for x, ns, _ in self._recent])
        else:
            self._lateness.append(late_s)
            closed = self._envelope.add(stream_s - self._from_s, (now_ns - self._from_ns) * 1e-9)
            if late_s < 0 or closed:
                self._draw(before_ns)
            if abs(self._line_ns(stream_s) - before_ns) <= self.jump_s * 1e9:
                return 0.0
            self._restart([(x, ns) for x, ns, _ in self._recent])
        return (self.to_ns(stream_s) - before_ns) * 1e-9

    def to_ns(self, stream_s: float) -> int:
        """Return the node's time at a time of the stream, ns.

        Raises:
            ValueError: No reading was taken yet.
        """
        if not self._recent:
            raise ValueError("ClockMap: wanted at least one update, got none")
        slewed_s = SLEW * max(0.0, stream_s - self._drawn_s)
        behind_s = math.copysign(max(0.0, abs(self._behind_s) - slewed_s), self._behind_s)
        return self._line_ns(stream_s) + round(behind_s * 1e9)

    @property
    def offset_s(self) -> float:
        """Node's time less stream's time at the last reading, s; NaN before the first."""
        return self.to_ns(self._recent[-1][0]) * 1e-9 - self._recent[-1][0] if self._recent else math.nan

    @property
    def speed(self) -> float:
        """Seconds of the node a second of the stream; 1 where the clocks but drift."""
        return self._rate if abs(self._rate - 1.0) >= DRIFTING else 1.0

    @property
    def drift_ppm(self) -> float:
        """What the node's clock gains on the stream's, in millionths; NaN before the first reading."""
        return (self._rate - 1.0) * 1e6 if self._recent else math.nan

    def lateness_s(self, share: float) -> float:
        """Return the quantile `share` of the last readings' lateness, s; NaN before the second one."""
        return float(np.quantile(self._lateness, share)) if self._lateness else math.nan

    def _all_are_late(self) -> bool:
        """Whether every reading of the last `confirm_s` was later than `step_s`, and than is usual here."""
        lasted_s = self._recent[-1][0] - self._recent[0][0]
        least_s = min(late_s for _, _, late_s in self._recent)
        if lasted_s < self.confirm_s or least_s <= self.step_s:
            return False
        before = list(self._lateness)[: -len(self._recent)]
        return not before or least_s > 2 * float(np.median(before))

    def _restart(self, readings: list[tuple[float, int]]) -> None:
        """Draw the line from these readings alone, and follow it at once."""
        self.begin_anew()
        self._from_s, self._from_ns = readings[0]
        self._envelope = LowerEnvelope(self.window_s)
        for stream_s, now_ns in readings:
            self._envelope.add(stream_s - self._from_s, (now_ns - self._from_ns) * 1e-9)
            self._recent.append((stream_s, now_ns, 0.0))
        self._draw(None)

    def _draw(self, followed_ns: int | None) -> None:
        """Draw the line anew, to be approached from `followed_ns`, or at once without it."""
        span_s = self._envelope.span
        self._rate = self._known_rate
        if span_s >= SPEED_AFTER_S:
            rate = self._envelope.slope()
            x, y = self._envelope.mean()
            late_s = y - rate * x - self._envelope.lowest(rate)
            if span_s >= SURE_AFTER * self.window_s or abs(rate - self._known_rate) > max(
                DRIFTING, 4 * late_s / span_s
            ):
                self._rate = rate
        self._at_zero_s = self._envelope.lowest(self._rate)
        self._drawn_s = self._recent[-1][0]
        self._behind_s = 0.0 if followed_ns is None else (followed_ns - self._line_ns(self._drawn_s)) * 1e-9

    def _line_ns(self, stream_s: float) -> int:
        return self._from_ns + round((self._at_zero_s + self._rate * (stream_s - self._from_s)) * 1e9)
