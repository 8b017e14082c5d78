"""What the simulated hand does: a list of taps, slides and near misses, and the fingertip's way through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.demo import world

Array = NDArray[np.float64]

FIRST_S = 1.5
TARGETS = {
    "grass": ("tray_grass",),
    "dirt": ("tray_dirt",),
    "gravel": ("tray_gravel",),
    "sand": ("tray_sand",),
    "snow": ("tray_snow",),
    "metal": ("steel_plate", "steel_dome"),
    "stone": ("stone_wedge", "stone_slab"),
    "wood": ("birch_block", "table"),
}
TAPS = {"grass": 3, "dirt": 3, "gravel": 3, "sand": 3, "snow": 3, "metal": 8, "stone": 7, "wood": 8}
SLIDES_S = (0.95, 0.70, 0.85)
NEAR_MISSES = ("steel_plate", "tray_sand", "stone_slab", "birch_block")
PAUSES = 3
FREE_TABLE = (-0.05, 0.07)  # y of the strip between trays and blocks, m


@dataclass
class Event:
    """One thing the hand does.

    Attributes:
        kind: 'tap', 'slide', 'near_miss' or 'pause'.
        patch: Name of the solid it goes to.
        material: Of that solid.
        point: (3,) on the surface, bench frame.
        normal: (3,) there.
        path: (3,) from first to last touched point; zero for taps.
        start_s: First touch, or the nearest moment of a near miss, or the middle of a pause; since the bag's start.
        dwell_s: How long it touches.
        speed_mps: Towards the surface when it meets it.
        depth_m: How deep the fingertip goes.
        height_m: From where it strikes; of a near miss, how near it comes.
        double: It is the second of a double tap.
    """

    kind: str
    patch: str
    material: str
    point: Array
    normal: Array
    speed_mps: float = 0.0
    dwell_s: float = 0.0
    depth_m: float = 0.0
    height_m: float = 0.0
    path: Array = field(default_factory=lambda: np.zeros(3))
    start_s: float = 0.0
    double: bool = False

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.dwell_s


def plan(seed: int = 8, slides_s: Sequence[float] = SLIDES_S, pauses: int = PAUSES) -> list[Event]:
    """Everything the hand does, in order, with times; the same arguments give the same plan."""
    rng = np.random.default_rng(seed)
    waiting = [_tap(rng, material) for material, count in TAPS.items() for _ in range(count)]
    waiting += [_slide(rng, seconds) for seconds in slides_s]
    waiting += [_near_miss(rng, patch) for patch in NEAR_MISSES]
    order: list[Event] = []
    at = np.array([-0.3, 0.1, 0.1])
    while waiting:
        # Mostly to somewhere near: nobody crosses the bench between two taps a second apart.
        way = np.array([np.linalg.norm(event.point - at) for event in waiting])
        crowd = np.array([sum(other.patch == event.patch for other in waiting) for event in waiting])
        same = np.array([bool(order) and event.patch == order[-1].patch for event in waiting])
        chance = np.exp(-((way / 0.22) ** 2)) * crowd * np.where(same, 0.25, 1.0) + 1e-9
        event = waiting.pop(int(rng.choice(len(waiting), p=chance / chance.sum())))
        order.append(event)
        at = event.point + event.path
    _time(order, rng, pauses)
    return order


def _spot(rng: np.random.Generator, patch: str) -> tuple[Array, Array]:
    if patch == "table":
        return np.array([rng.uniform(-0.5, 0.5), rng.uniform(*FREE_TABLE), 0.0]), np.array([0.0, 0.0, 1.0])
    reach = 0.62 if patch.startswith("tray") else 0.5
    return world.BY_NAME[patch].target(float(rng.uniform(-reach, reach)), float(rng.uniform(-reach, reach)))


def _tap(rng: np.random.Generator, material: str) -> Event:
    patch = str(rng.choice(TARGETS[material]))
    point, normal = _spot(rng, patch)
    speed = float(np.exp(rng.uniform(np.log(0.15), np.log(0.70))))
    strike_s = rng.uniform(0.22, 0.36)
    return Event(
        kind="tap",
        patch=patch,
        material=material,
        point=point,
        normal=normal,
        speed_mps=speed,
        dwell_s=float(rng.uniform(0.060, 0.120)),
        depth_m=float(0.0006 + 0.0016 * speed),
        height_m=max(0.018, speed * strike_s / 3.0),
    )


def _slide(rng: np.random.Generator, seconds: float) -> Event:
    length = seconds * rng.uniform(0.14, 0.26)
    side = float(rng.choice([-1.0, 1.0]))
    point = np.array([-side * 0.5 * length + rng.uniform(-0.25, 0.25), rng.uniform(*FREE_TABLE), 0.0])
    speed = float(rng.uniform(0.15, 0.22))
    return Event(
        kind="slide",
        patch="table",
        material="wood",
        point=point,
        normal=np.array([0.0, 0.0, 1.0]),
        speed_mps=speed,
        dwell_s=seconds,
        depth_m=0.001,
        height_m=0.025,
        path=np.array([side * length, 0.0, 0.0]),
    )


def _near_miss(rng: np.random.Generator, patch: str) -> Event:
    point, normal = _spot(rng, patch)
    material = world.BY_NAME[patch].material
    return Event("near_miss", patch, material, point, normal, height_m=float(rng.uniform(0.0165, 0.0235)))


def _time(order: list[Event], rng: np.random.Generator, pauses: int) -> None:
    """Put second taps and pauses into the order, and give everything its time."""
    taps = [i for i, event in enumerate(order) if event.kind == "tap" and i + 1 < len(order)]
    # A double tap takes the next tap of the same patch from later in the plan, so counts stay as they are.
    doubles = 0
    for i in taps:
        if doubles == 4 or i >= len(order) or order[i].kind != "tap" or order[i].double:
            continue
        later = [j for j in range(i + 1, len(order)) if order[j].kind == "tap" and order[j].patch == order[i].patch]
        if not later or rng.random() < 0.45:
            continue
        second = order.pop(later[0])
        second.double = True
        second.point, second.normal = order[i].point, order[i].normal
        second.speed_mps = float(rng.uniform(0.36, 0.50))
        second.depth_m = 0.0012
        second.height_m = 0.022
        order[i].dwell_s = 0.07
        order.insert(i + 1, second)
        doubles += 1
    places = [
        i
        for i in range(5, len(order) - 3)
        if order[i].kind == "tap" and order[i - 1].kind == "tap" and not order[i].double
    ]
    for i in sorted((places[round((n + 0.5) / pauses * (len(places) - 1))] for n in range(pauses)), reverse=True):
        last = order[i - 1]
        order.insert(i, Event("pause", last.patch, "", last.point, last.normal))
    now = FIRST_S
    for previous, event in zip([None, *order[:-1]], order, strict=True):
        if previous is None:
            event.start_s = now
        elif event.double:
            event.start_s = previous.start_s + 0.45
        elif event.kind == "pause":
            event.start_s = previous.end_s + float(rng.uniform(1.05, 1.2))
        elif previous.kind == "pause":
            event.start_s = previous.start_s + float(rng.uniform(0.95, 1.1))
        else:
            reach = float(np.linalg.norm(event.point - previous.point - previous.path))
            event.start_s = previous.end_s + float(rng.uniform(1.05, 1.15)) + 0.45 * max(0.0, reach - 0.2)
        event.start_s = round(event.start_s, 4)


def duration_s(events: list[Event]) -> float:
    """Length of the recording: a second after the last touch, for its sound."""
    return float(np.ceil((events[-1].end_s + 1.2) * 10.0) / 10.0)


def fingertip(events: list[Event], time_s: Array) -> Array:
    """Where the index fingertip is.

    Args:
        events: From `plan`.
        time_s: (T,) seconds since the bag's start.

    Returns:
        (T, 3) metres in the bench frame.
    """
    tip = np.empty((len(time_s), 3))
    rest = np.array([-0.35, 0.05, 0.16])
    at, since = rest, 0.0
    for event in events:
        if event.kind == "pause":
            continue
        touch_s, hover = event.start_s, event.point + event.height_m * event.normal
        strike_s = 0.35 if event.kind == "near_miss" else 3.0 * event.height_m / event.speed_mps
        if event.kind == "near_miss":
            hover = event.point + 0.06 * event.normal
        _reach(tip, time_s, since, touch_s - strike_s, at, hover)
        during = (time_s >= touch_s - strike_s) & (time_s < touch_s)
        part = (time_s[during] - touch_s + strike_s) / strike_s
        if event.kind == "near_miss":
            height = 0.06 + (event.height_m - 0.06) * _minimum_jerk(part)
        else:
            height = event.height_m * (1.0 - part**3)  # meets the surface at speed_mps
        tip[during] = event.point + height[:, None] * event.normal
        touching = (time_s >= touch_s) & (time_s < event.end_s)
        if event.dwell_s:
            tip[touching] = event.point + _contact(event, time_s[touching] - touch_s)
        low = event.height_m if event.kind == "near_miss" else 0.0
        last = event.point + event.path + low * event.normal
        lift_s = 0.15 if _is_first_of_double(event, events) else 0.26
        lifted = last + (0.022 if _is_first_of_double(event, events) else 0.05) * event.normal
        leaving = (time_s >= event.end_s) & (time_s < event.end_s + lift_s)
        tip[leaving] = last + (lifted - last) * _minimum_jerk((time_s[leaving] - event.end_s) / lift_s)[:, None]
        at, since = lifted, event.end_s + lift_s
    end = float(time_s[-1]) + 1e-6
    _reach(tip, time_s, since, max(end, since + 0.6), at, at + np.array([0.0, -0.05, 0.08]))
    return tip


def _is_first_of_double(event: Event, events: list[Event]) -> bool:
    return any(other.double and abs(other.start_s - event.start_s - 0.45) < 1e-6 for other in events)


def _minimum_jerk(part: Array) -> Array:
    part = np.clip(part, 0.0, 1.0)
    return np.asarray(part**3 * (10.0 - 15.0 * part + 6.0 * part * part))


def _contact(event: Event, since_s: Array) -> Array:
    """Way from the first touched point while touching: in, along, and out again."""
    stop_s = 2.0 * event.depth_m / event.speed_mps
    inward = np.clip(since_s / stop_s, 0.0, 1.0)
    outward = _minimum_jerk((since_s - event.dwell_s + 0.03) / 0.03)
    depth = event.depth_m * inward * (2.0 - inward) * (1.0 - outward)
    along = _minimum_jerk(since_s / event.dwell_s)
    return np.asarray(along[:, None] * event.path - depth[:, None] * event.normal)


def _reach(tip: Array, time_s: Array, start_s: float, end_s: float, begin: Array, end: Array) -> None:
    """Minimum-jerk way with an arch over what stands between, written into `tip`."""
    during = (time_s >= start_s) & (time_s < end_s)
    part = (time_s[during] - start_s) / max(end_s - start_s, 1e-3)
    move = _minimum_jerk(part)
    way = float(np.linalg.norm(end - begin))
    # High enough over everything below the straight line, even with the curled fingers behind the tip.
    line = begin + np.linspace(0.0, 1.0, 41)[:, None] * (end - begin)
    top = _top(line[:, :2])
    bump = 16.0 * (np.linspace(0, 1, 41) * (1 - np.linspace(0, 1, 41))) ** 2
    inner = slice(6, 35)
    lack = (top[inner] + 0.05 - line[inner, 2]) / bump[inner]
    arch = max(0.02 + 0.22 * way, float(lack.max())) if way > 0.01 else 0.0
    tip[during] = begin + move[:, None] * (end - begin)
    tip[during, 2] += arch * 16.0 * (move * (1.0 - move)) ** 2


def _top(places: Array) -> Array:
    """Heights of what stands at (M, 2) places of the bench."""
    z = np.linspace(0.0, 0.12, 25)
    points = np.concatenate([np.repeat(places, len(z), axis=0), np.tile(z, len(places))[:, None]], axis=1)
    near = (world.distance(points) < 0.03).reshape(len(places), len(z))
    return np.asarray(np.where(near, z, 0.0).max(axis=1))
