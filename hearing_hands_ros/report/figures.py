"""The figures of the page: verdicts over time, ROC, p-values of normal touches, and times.

A replay is drawn in the colour of its column (`k0`, `k1`, ...), what is only there to compare with in `b0`, `b1`, ...
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from markupsafe import Markup

from hearing_hands_ros.report.measures import SURE, Separation, Times, Uniformity
from hearing_hands_ros.report.plot import Axis, Plot
from hearing_hands_ros.train.anomalies.measure import MOST_FALSE

LEAST_P: Final = 0.002
NO_P: Final = 2.4
"""Place of what has no p-value on their axis."""

BINS: Final = 24
COLOURS: Final = 6
RATES: Final = [(share, f"{share:g}") for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]


def over_time(dots: Sequence[tuple[float, float, str, str, str]], seconds: float, alpha: float) -> Markup:
    """P-value of every verdict of a replay, the odd ones on top.

    Args:
        dots: Time in s, p-value or NaN, verdict, what it is, and link of each.
        seconds: Length of the recording.
        alpha: Rate of false alarms asked for; a line.
    """
    minutes = seconds > 180.0
    unit = 60.0 if minutes else 1.0
    x = Axis.from_zero(seconds / unit, f"time, {'min' if minutes else 's'}", 10)
    x = Axis(0.0, max(seconds, 1.0) / unit, x.label, [tick for tick in x.ticks if tick[0] <= seconds / unit])
    ticks = [(NO_P, "none"), *((value, f"{value:g}") for value in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003))]
    plot = Plot("P-value of every touch over time", x, Axis(3.2, LEAST_P, "p-value", ticks, True), 960, 250)
    plot.line([(0.0, alpha), (x.high, alpha)], "limit")
    for time_s, p, verdict, told, link in sorted(dots, key=lambda dot: dot[2] != "NORMAL"):
        plot.mark(time_s / unit, NO_P if math.isnan(p) else p, verdict, told, link)
    return plot.svg()


def roc(curves: Sequence[tuple[str, Separation]]) -> Markup:
    """Share of odd touches that are found over that of normal ones that are called odd.

    Args:
        curves: Class and figures of each; the first is drawn last.
    """
    plot = Plot(
        "Receiver operating characteristic",
        Axis(0.0, 1.0, "false alarms, share of normal touches", RATES),
        Axis(0.0, 1.0, "found, share of odd touches", RATES),
    )
    plot.box((0.0, 0.0), (MOST_FALSE, 1.0), "region", f"false-alarm rates up to {MOST_FALSE:g}")
    plot.line([(0.0, 0.0), (1.0, 1.0)], "chance")
    for kind, one in reversed(curves):
        plot.line(zip(one.false_rate.tolist(), one.found_rate.tolist(), strict=True), f"curve {kind}")
    return plot.svg()


def calibration(curves: Sequence[tuple[str, Uniformity]]) -> Markup:
    """Share of normal touches whose p-value is at most as large; the diagonal is what was promised.

    Args:
        curves: Class and p-values of each. The band is what 95 in 100 samples as small as the first would stay in.
    """
    plot = Plot(
        "Calibration of p-values",
        Axis(0.0, 1.0, "p-value", RATES),
        Axis(0.0, 1.0, "share of touches at or under it", RATES),
    )
    # Dvoretzky, Kiefer and Wolfowitz (1956), with the constant of Massart (1990).
    half = math.sqrt(math.log(2.0 / (1.0 - SURE)) / (2.0 * len(curves[0][1].p_values)))
    ends = [(0.0, half), (1.0 - half, 1.0), (1.0, 1.0), (1.0, 1.0 - half), (half, 0.0), (0.0, 0.0)]
    plot.line([(max(x, 0.0), min(y, 1.0)) for x, y in ends] if half < 1.0 else [(0, 0), (0, 1), (1, 1), (1, 0)], "band",
              closed=True)  # fmt: skip
    plot.line([(0.0, 0.0), (1.0, 1.0)], "chance")
    for kind, one in reversed(curves):
        share = np.arange(len(one.p_values) + 1) / len(one.p_values)
        steps = [(0.0, 0.0)]
        for p, before, after in zip(one.p_values.tolist(), share[:-1].tolist(), share[1:].tolist(), strict=True):
            steps += [(p, before), (p, after)]
        plot.line([*steps, (1.0, 1.0)], f"curve {kind}")
    return plot.svg()


def times(curves: Sequence[tuple[str, Times]], label: str) -> Markup:
    """How many touches took how long; the deadline is a line where it is not far off.

    Args:
        curves: Class and times of each.
        label: What took so long, with its unit.
    """
    longest = max(float(one.values_s[-1]) for _, one in curves)
    deadline_s = curves[0][1].deadline_s
    shown_s = deadline_s * 1.04 if 0.4 * deadline_s < longest < deadline_s else longest * 1.02
    scale, unit = (1e3, "ms") if shown_s < 2.0 else (1.0, "s")
    edges = np.linspace(0.0, shown_s, BINS + 1)
    counts = [np.histogram(one.values_s, edges)[0] for _, one in curves]
    x = Axis.from_zero(shown_s * scale, f"{label}, {unit}", 6)
    x = Axis(0.0, shown_s * scale, x.label, [tick for tick in x.ticks if tick[0] <= shown_s * scale])
    plot = Plot(label, x, Axis.from_zero(float(max(count.max() for count in counts)), "touches", 4))
    for (kind, _), count in zip(curves, counts, strict=True):
        for low, high, number in zip(edges[:-1] * scale, edges[1:] * scale, count.tolist(), strict=True):
            if number:
                told = f"{low:.3g} to {high:.3g} {unit}: {number}"
                plot.box((float(low), 0.0), (float(high), float(number)), f"bar {kind}", told)
    if deadline_s <= shown_s:
        plot.line([(deadline_s * scale, 0.0), (deadline_s * scale, 1e9)], "limit")
    return plot.svg()


def colour(column: int) -> str:
    """Class of a replay's column."""
    return f"k{column % COLOURS}"


def baseline_colour(number: int) -> str:
    """Class of a baseline."""
    return f"b{number % 3}"
