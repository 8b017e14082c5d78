"""The way of a touching point through its gestures: reach, strike, touch, leave."""

from __future__ import annotations

import numpy as np

from hearing_hands_ros.train.simulator.effectors import sway
from hearing_hands_ros.train.simulator.gestures import Gesture, minimum_jerk
from hearing_hands_ros.train.simulator.patterns import Array

LEAVE_S, LEAVE_M = 0.24, 0.05
CLEAR_M = 0.05  # over what stands between two gestures
OVER_MISS_M = 0.035  # from where a near miss comes down


def tip_way(gestures: list[Gesture], rest: Array, top_m: float, time_s: Array, rng: np.random.Generator) -> Array:
    """Where the touching point is.

    Args:
        gestures: In order, maybe none.
        rest: (3,) where it waits before the first one, and all the time without one.
        top_m: Height of the highest thing on the table.
        time_s: (T,) s.
        rng: Of its idle movement.

    Returns:
        (T, 3) m, cell frame.
    """
    tip = np.broadcast_to(rest, (len(time_s), 3)).copy()
    idle = np.stack([sway(time_s, period, rng) for period in (2.6, 3.1, 3.7)], axis=1) * 0.006
    free = np.ones(len(time_s))  # 0 where it is led, 1 where it may sway
    at, up, since = rest, np.array([0.0, 0.0, 1.0]), float(time_s[0]) - 1.0
    for gesture in gestures:
        normal, start = gesture.spot.normal, gesture.start_s
        over = gesture.height_m + (0.0 if gesture.touches else OVER_MISS_M)
        hover = _foot(gesture, np.array([start]))[0] + over * normal
        begin = start - gesture.strike_s
        begin_reach = max(since, begin - 0.5 - 1.2 * float(np.linalg.norm(hover - at)))
        waits = (time_s >= since) & (time_s < begin_reach)
        tip[waits] = at
        _reach(tip, time_s, (begin_reach, begin), (at, hover), (up, normal), top_m)
        during = (time_s >= begin) & (time_s < gesture.end_s + LEAVE_S)
        foot, height = _foot(gesture, time_s[during]), _height(gesture, time_s[during])
        tip[during] = foot + height[:, None] * normal
        free *= np.clip(np.maximum(begin - 0.3 - time_s, time_s - gesture.end_s - LEAVE_S) / 0.3, 0.0, 1.0)
        at = (
            _foot(gesture, np.array([gesture.end_s]))[0]
            + _height(gesture, np.array([gesture.end_s + LEAVE_S])) * normal
        )
        up, since = normal, gesture.end_s + LEAVE_S
    if gestures:
        tip[time_s >= since] = at
    return tip + idle * free[:, None]


def _foot(gesture: Gesture, time_s: Array) -> Array:
    """(T, 3) place on the surface that it is over."""
    return np.asarray(gesture.spot.point + gesture.along_m(time_s)[:, None] * gesture.spot.along)


def _height(gesture: Gesture, time_s: Array) -> Array:
    """(T,) over the surface: from the strike until it has left."""
    first, last = gesture.strokes[0], gesture.strokes[-1]
    part = np.clip((time_s - first.start_s) / gesture.strike_s + 1.0, 0.0, 1.0)
    leave = LEAVE_M * minimum_jerk((time_s - last.end_s) / LEAVE_S)
    if not gesture.touches:
        return np.asarray(gesture.height_m + OVER_MISS_M * (1.0 - minimum_jerk(part)) + leave)
    height = gesture.height_m * (1.0 - part**3) + leave  # meets the surface at the stroke's speed
    for stroke in gesture.strokes:
        since = time_s - stroke.start_s
        stop_s = 2.0 * stroke.depth_m / stroke.speed_mps
        inward = np.clip(since / stop_s, 0.0, 1.0)
        outward = minimum_jerk((since - stroke.dwell_s + 0.02) / 0.02)
        height -= stroke.depth_m * inward * (2.0 - inward) * (1.0 - outward)
    for stroke, following in zip(gesture.strokes, gesture.strokes[1:], strict=False):
        part = np.clip((time_s - stroke.end_s) / (following.start_s - stroke.end_s), 0.0, 1.0)
        height += 4.0 * stroke.rise_m * part * (1.0 - part)
    return np.asarray(height)


def _reach(
    tip: Array,
    time_s: Array,
    span_s: tuple[float, float],
    ends: tuple[Array, Array],
    normals: tuple[Array, Array],
    top_m: float,
) -> None:
    """Minimum-jerk way with an arch away from both surfaces, written into `tip`."""
    during = (time_s >= span_s[0]) & (time_s < span_s[1])
    move = minimum_jerk((time_s[during] - span_s[0]) / max(span_s[1] - span_s[0], 1e-3))
    way = float(np.linalg.norm(ends[1] - ends[0]))
    arch = (normals[0] + normals[1]) / max(float(np.linalg.norm(normals[0] + normals[1])), 1e-6)
    height = 0.02 + 0.2 * way
    if way > 0.06 and arch[2] > 0.5:
        height = max(height, top_m + CLEAR_M - float(min(ends[0][2], ends[1][2])))
    bump = 16.0 * (move * (1.0 - move)) ** 2
    tip[during] = ends[0] + move[:, None] * (ends[1] - ends[0]) + (height * bump)[:, None] * arch
