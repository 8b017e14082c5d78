"""How near the microphone's stamps are to the truth, on simulated clocks that drift, jitter, step, stand and race.

    PYTHONPATH=. python bench/clock.py

Each row is a pair of clocks, read every 20 ms for a minute, the node's one late by what scheduling costs. Errors are
those of the stamps in the node's time, from 10 s on; a second after each event (step, pause, change of speed) is left
out and told apart as `settled`: the longest time until the error stays under 1 ms for good or until the next event.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sound.capture.clock_map import ClockMap

STEP_S, LENGTH_S, FROM_S = 0.02, 60.0, 10.0
ORIGIN_NS = 1_700_000_000_000_000_000
Floats = NDArray[np.float64]


class SmallestOffset:
    """What went before, to compare with: the smallest offset of the last 2 s, through a low-pass of 1 s."""

    def __init__(self) -> None:
        self._offsets: deque[tuple[float, int]] = deque()
        self._offset_ns: float | None = None

    def update(self, stream_s: float, now_ns: int) -> None:  # noqa: D102  (as of ClockMap)
        offset_ns = now_ns - round(stream_s * 1e9)
        if self._offset_ns is None or offset_ns < self._offset_ns - 1e8:
            self._offsets.clear()
            self._offset_ns = None
        self._offsets.append((stream_s, offset_ns))
        while self._offsets[0][0] < stream_s - 2.0:
            self._offsets.popleft()
        wanted_ns = min(ns for _, ns in self._offsets)
        if self._offset_ns is None or abs(wanted_ns - self._offset_ns) > 1e8:
            self._offset_ns = float(wanted_ns)
        self._offset_ns += STEP_S * (wanted_ns - self._offset_ns)

    def to_ns(self, stream_s: float) -> int:  # noqa: D102
        assert self._offset_ns is not None
        return round(stream_s * 1e9) + round(self._offset_ns)


@dataclass(frozen=True)
class Clocks:
    """A pair of clocks: the node's true time at each reading, how late it was read, and when something happened."""

    name: str
    node_s: Floats
    late_s: Floats
    events_s: tuple[float, ...] = ()
    simulated: bool = False


def clocks(rng: np.random.Generator) -> list[Clocks]:
    """Return all pairs."""
    t = np.arange(0.0, LENGTH_S, STEP_S)
    uniform = rng.uniform(0.0, 0.03, t.size)
    skewed = np.minimum(rng.exponential(0.005, t.size), 0.03)
    none = np.zeros(t.size)
    tick_s = 0.011
    pause = np.clip(t - 25.0, 0.0, 5.0)
    race = np.where(t < 20.0, t, np.where(t < 40.0, 20.0 + 10.0 * (t - 20.0), 220.0 + 0.5 * (t - 40.0)))
    pairs = [Clocks(f"drift {ppm} ppm, late 0 to 30 ms", t * (1 + ppm * 1e-6), uniform) for ppm in (50, -100, 200)]
    pairs += [
        Clocks("drift 200 ppm, late exp(5 ms)", t * (1 + 2e-4), skewed),
        Clocks("step +0.05 s, late exp(5 ms)", t * (1 + 1e-4) + 0.05 * (t >= 30.0), skewed, (30.0,)),
        Clocks("step +0.5 s, late 0 to 30 ms", t * (1 + 1e-4) + 0.5 * (t >= 30.0), uniform, (30.0,)),
        Clocks("step -0.5 s, late 0 to 30 ms", t * (1 + 1e-4) - 0.5 * (t >= 30.0), uniform, (30.0,)),
        Clocks("all late by 200 ms for 0.3 s", t * (1 + 1e-4), uniform + 0.2 * ((t >= 30.0) & (t < 30.3))),
        Clocks("simulated, 10x", 10.0 * t, 10 * skewed, simulated=True),
        Clocks("simulated, 0.5x", 0.5 * t, 0.5 * skewed, simulated=True),
        Clocks(
            "simulated, paused for 5 s",
            t - pause,
            skewed * ((pause == 0) | (pause == 5.0)),
            (25.0, 30.0),
            simulated=True,
        ),
        Clocks("simulated, 1x, 10x, 0.5x, not late", race, none, (20.0, 40.0), simulated=True),
        Clocks(
            "simulated, ticks of 11 ms",
            t,
            np.floor(t / tick_s) * tick_s - t + tick_s,
            simulated=True,
        ),
    ]
    return pairs


def errors_s(made: ClockMap | SmallestOffset, pair: Clocks) -> Floats:
    """Return the error of each stamp that is made right after the reading beside it, s."""
    t = np.arange(0.0, LENGTH_S, STEP_S)
    error_s = np.empty(t.size)
    for i, (stream_s, true_s) in enumerate(zip(t, pair.node_s, strict=True)):
        true_ns = ORIGIN_NS + round(true_s * 1e9)
        made.update(stream_s, true_ns + round(pair.late_s[i] * 1e9))
        error_s[i] = (made.to_ns(stream_s) - true_ns) * 1e-9
    return error_s


def settled_s(error_s: Floats, pair: Clocks) -> float:
    """Return the longest time after an event until the error stays under 1 ms."""
    t = np.arange(0.0, LENGTH_S, STEP_S)
    longest_s = 0.0
    for begin_s, end_s in pairwise((*pair.events_s, LENGTH_S)):
        wrong = t[(t >= begin_s) & (t < end_s) & (np.abs(error_s) > 1e-3)]
        longest_s = max(longest_s, wrong[-1] + STEP_S - begin_s if wrong.size else 0.0)
    return longest_s


def main() -> None:
    t = np.arange(0.0, LENGTH_S, STEP_S)
    print(f"{'ms':36} {'before':>17} {'now':>17}")
    print(f"{'':36} {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8} {'settled':>9} {'ppm':>10}")
    for pair in clocks(np.random.default_rng(0)):
        late = [t < FROM_S] + [(t >= s) & (t < s + 1.0) for s in pair.events_s]
        counted = ~np.any(late, axis=0)
        now = ClockMap(10.0, 0.1, 0.5) if pair.simulated else ClockMap()
        before = np.abs(errors_s(SmallestOffset(), pair))[counted] * 1e3
        error_s = errors_s(now, pair)
        after = np.abs(error_s)[counted] * 1e3
        figures = [*np.quantile(before, [0.5, 0.95]), *np.quantile(after, [0.5, 0.95])]
        row = " ".join(f"{x:8.2f}" for x in figures)
        print(f"{pair.name:36} {row} {settled_s(error_s, pair):7.2f} s {now.drift_ppm:10.1f}")


if __name__ == "__main__":
    main()
