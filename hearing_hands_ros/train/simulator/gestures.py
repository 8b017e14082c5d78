"""What a hand does in a few seconds: when it touches which spot, how fast, and how it moves while it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hearing_hands_ros.train.simulator.patterns import Array
from hearing_hands_ros.train.simulator.workcell import Patch, Spot

ACTIONS: Final = {
    "tap": 0.24,
    "double_tap": 0.13,
    "knock": 0.16,
    "slide": 0.20,
    "scratch": 0.15,
    "near_miss": 0.06,
    "mixed": 0.06,
}
"""What is done in an item, and in which share of the items."""
MIXED: Final = ("tap", "double_tap", "knock", "slide", "scratch", "near_miss")
LEAST_HEIGHT_M: Final = 0.014  # between two taps of one gesture; below it no tracker could tell them apart


@dataclass(frozen=True)
class Stroke:
    """One meeting with the surface.

    Attributes:
        start_s: When the surface is met.
        dwell_s: How long it is touched.
        speed_mps: Towards the surface when it is met.
        depth_m: How deep the keypoint goes: skin and surface give way.
        rise_m: How high it goes after this stroke, if another one of the gesture follows.
    """

    start_s: float
    dwell_s: float
    speed_mps: float
    depth_m: float
    rise_m: float = 0.0

    @property
    def end_s(self) -> float:
        """When it is left."""
        return self.start_s + self.dwell_s


@dataclass(frozen=True)
class Gesture:
    """One or more strokes at one spot, or a near miss.

    Attributes:
        kind: One of `MIXED`.
        patch: Number of the patch.
        spot: Where.
        strokes: In order; of a near miss one, which is nearest to the surface then.
        sweep_m: Way along the spot: of a slide from its one end to the other, of a scratch to either side.
        rate_hz: Of a scratch, back and forth.
        height_m: From where it strikes; of a near miss, how near it comes.
    """

    kind: str
    patch: int
    spot: Spot
    strokes: tuple[Stroke, ...]
    sweep_m: float = 0.0
    rate_hz: float = 0.0
    height_m: float = 0.0

    @property
    def start_s(self) -> float:
        """When the surface is first met."""
        return self.strokes[0].start_s

    @property
    def end_s(self) -> float:
        """When it is left for good."""
        return self.strokes[-1].end_s

    @property
    def touches(self) -> bool:
        """Whether it makes a sound."""
        return self.kind != "near_miss"

    @property
    def strike_s(self) -> float:
        """How long the last part of the way down takes."""
        return 0.4 if not self.touches else 3.0 * self.height_m / self.strokes[0].speed_mps

    def at(self, start_s: float) -> Gesture:
        """The same gesture at another time."""
        by = start_s - self.start_s
        return replace(self, strokes=tuple(replace(stroke, start_s=stroke.start_s + by) for stroke in self.strokes))

    def along_m(self, time_s: Array) -> Array:
        """(T,) way along the spot."""
        first = self.strokes[0]
        part = np.clip((time_s - first.start_s) / first.dwell_s, 0.0, 1.0)
        if self.kind == "slide":
            return self.sweep_m * (minimum_jerk(part) - 0.5)
        if self.kind == "scratch":
            # Whole half swings, so that it comes to rest where it turns.
            return np.asarray(self.sweep_m * np.cos(2 * np.pi * self.rate_hz * part * first.dwell_s))
        return np.zeros(len(time_s))

    def speed_mps(self, time_s: Array) -> Array:
        """(T,) speed along the spot."""
        step = 1e-3
        return np.asarray(np.abs(self.along_m(time_s + step) - self.along_m(time_s - step)) / (2 * step))


def minimum_jerk(part: Array) -> Array:
    """(T,) way from 0 to 1 that starts and ends at rest; `part` beyond 0..1 stands still."""
    part = np.clip(part, 0.0, 1.0)
    return np.asarray(part**3 * (10.0 - 15.0 * part + 6.0 * part * part))


def plan(
    action: str, patches: Sequence[Patch], allowed: Sequence[int], span_s: tuple[float, float], rng: np.random.Generator
) -> list[Gesture]:
    """Gestures of one hand.

    Args:
        action: One of `ACTIONS`.
        patches: Of the workcell.
        allowed: Which of them it touches.
        span_s: First and last second in which it may.
        rng: Of everything it does.

    Returns:
        Gestures in order; one or more, if the span is long enough.
    """
    gestures: list[Gesture] = []
    now = span_s[0] + rng.uniform(0.2, 1.4)
    # Most people stay with one thing for a while.
    stay, pace = rng.random() < 0.65, rng.uniform(0.55, 1.5)
    patch = int(rng.choice(allowed))
    while True:
        kind = action if action in MIXED else str(rng.choice(MIXED))
        if action not in ("near_miss", "mixed") and rng.random() < 0.06:
            kind = "near_miss"
        if not stay:
            patch = int(rng.choice(allowed))
        gesture = _gesture(kind, patch, patches, allowed, rng)
        if gestures:
            reach = float(np.linalg.norm(gesture.spot.point - gestures[-1].spot.point))
            now = gestures[-1].end_s + pace * rng.uniform(0.35, 0.7) + gesture.strike_s + 0.6 * reach
        gesture = gesture.at(now)
        if gesture.end_s > span_s[1]:
            return gestures
        gestures.append(gesture)


def _gesture(
    kind: str, patch: int, patches: Sequence[Patch], allowed: Sequence[int], rng: np.random.Generator
) -> Gesture:
    """One gesture, at time 0."""
    if kind in ("slide", "scratch") and not patches[patch].flat:
        flat = [i for i in allowed if patches[i].flat]
        if not flat:
            kind = "tap"
        else:
            patch = int(rng.choice(flat))
    spot = patches[patch].spot(rng)
    if kind in ("slide", "scratch"):
        for _ in range(30):
            if spot.room_m >= 0.045:
                break
            spot = patches[patch].spot(rng)
        else:
            kind = "tap"
    if kind == "slide":
        return _slide(patch, spot, rng)
    if kind == "scratch":
        return _scratch(patch, spot, rng)
    if kind == "near_miss":
        stroke = Stroke(0.0, rng.uniform(0.0, 0.3), 0.0, 0.0)
        return Gesture(kind, patch, spot, (stroke,), height_m=rng.uniform(0.012, 0.04))
    return _taps(kind, patch, spot, rng)


def _taps(kind: str, patch: int, spot: Spot, rng: np.random.Generator) -> Gesture:
    speed, start_s = float(np.exp(rng.uniform(np.log(0.12), np.log(1.0)))), 0.0
    if kind == "tap":
        count, pause_s, dwell_s = 1, 0.0, rng.uniform(0.05, 0.25)
    elif kind == "double_tap":
        count, pause_s, dwell_s = 2, rng.uniform(0.14, 0.32), rng.uniform(0.04, 0.09)
    else:
        count, pause_s, dwell_s = int(rng.integers(3, 6)), rng.uniform(0.10, 0.20), rng.uniform(0.034, 0.06)
        speed = max(speed, 0.2)
    strokes: list[Stroke] = []
    for _ in range(count):
        pause = pause_s * rng.uniform(0.92, 1.08)
        rise = float(np.clip(speed * pause / 4.0, LEAST_HEIGHT_M, 0.06))
        if strokes:  # what rises so high in that time comes down that fast
            speed = 4.0 * strokes[-1].rise_m / (start_s - strokes[-1].end_s)
        dwell = dwell_s * rng.uniform(0.85, 1.15)
        strokes.append(Stroke(start_s, dwell, speed, 0.0005 + 0.0015 * speed, rise))
        start_s += dwell + pause
        speed *= rng.uniform(0.85, 1.15)
    first = strokes[0].speed_mps
    return Gesture(kind, patch, spot, tuple(strokes), height_m=max(0.018, first * rng.uniform(0.2, 0.35) / 3.0))


def _slide(patch: int, spot: Spot, rng: np.random.Generator) -> Gesture:
    sweep = rng.uniform(0.06, 2 * min(spot.room_m, 0.12)) if spot.room_m > 0.035 else 0.06
    mean_speed = float(np.exp(rng.uniform(np.log(0.06), np.log(0.4))))
    dwell = float(np.clip(sweep / mean_speed, 0.25, 2.2))
    stroke = Stroke(0.0, dwell, rng.uniform(0.08, 0.25), 0.001)
    return Gesture("slide", patch, spot, (stroke,), sweep_m=float(sweep), height_m=0.025)


def _scratch(patch: int, spot: Spot, rng: np.random.Generator) -> Gesture:
    rate = rng.uniform(1.8, 4.5)
    swings = int(rng.integers(3, 9))  # half ones
    sweep = float(min(spot.room_m, rng.uniform(0.014, 0.04), 0.8 / (2 * np.pi * rate) * 1.2))
    stroke = Stroke(0.0, swings / (2 * rate), rng.uniform(0.08, 0.25), 0.001)
    return Gesture("scratch", patch, spot, (stroke,), sweep_m=sweep, rate_hz=float(rate), height_m=0.025)
