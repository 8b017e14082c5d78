"""What the transform buffer must answer, by brute force: matrices, whole paths, linear searches, no shared code."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


def rotation(q: np.ndarray) -> np.ndarray:
    x, y, z, w = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn_between(a: np.ndarray, b: np.ndarray, ratio: float) -> np.ndarray:
    """Quaternion `ratio` of the way along the shorter arc."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    if a @ b < 0:
        b = -b
    angle = 2 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if angle < 1e-9:
        return a
    return (math.sin((1 - ratio) * angle) * a + math.sin(ratio * angle) * b) / math.sin(angle)


def matrix(translation: np.ndarray, q: np.ndarray) -> np.ndarray:
    result = np.eye(4)
    result[:3, :3] = rotation(q)
    result[:3, 3] = translation
    return result


@dataclass
class Oracle:
    """Trees whose edges never change their parent or kind, within the cache time."""

    parent: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, np.ndarray] = field(default_factory=dict)
    moving: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)

    def insert(self, parent: str, child: str, stamp: int, values: np.ndarray, is_static: bool) -> None:
        self.parent[child] = parent
        if is_static:
            self.fixed[child] = values
        else:
            self.moving.setdefault(child, {})[stamp] = values

    def edge(self, child: str, time: int) -> np.ndarray | None:
        if child in self.fixed:
            return matrix(self.fixed[child][:3], self.fixed[child][3:])
        samples = self.moving[child]
        if time == 0:
            time = max(samples)
        if time in samples:
            return matrix(samples[time][:3], samples[time][3:])
        before = [stamp for stamp in samples if stamp < time]
        after = [stamp for stamp in samples if stamp > time]
        if not before or not after:
            return None
        start, end = max(before), min(after)
        ratio = (time - start) / (end - start)
        one, two = samples[start], samples[end]
        return matrix((1 - ratio) * one[:3] + ratio * two[:3], turn_between(one[3:], two[3:], ratio))

    def way_up(self, frame: str) -> list[str]:
        way = [frame]
        while way[-1] in self.parent:
            way.append(self.parent[way[-1]])
        return way

    def lookup(self, target: str, source: str, time: int) -> tuple[int, np.ndarray] | str:
        if target == source:
            if time == 0 and target in self.moving:
                time = max(self.moving[target])
            return time, np.eye(4)
        known = set(self.parent) | set(self.parent.values())
        if target not in known or source not in known:
            return "Lookup"
        from_source, from_target = self.way_up(source), self.way_up(target)
        shared = [frame for frame in from_source if frame in from_target]
        if not shared:
            if time == 0:
                return "Connectivity"
            edges = [f for f in from_source + from_target if f in self.parent]
            return "Extrapolation" if any(self.edge(f, time) is None for f in edges) else "Connectivity"
        up = from_source[: from_source.index(shared[0])]
        down = from_target[: from_target.index(shared[0])]
        if time == 0:
            time = min((max(self.moving[f]) for f in up + down if f in self.moving), default=0)
        result = np.eye(4)
        for frame in up:
            edge = self.edge(frame, time)
            if edge is None:
                return "Extrapolation"
            result = edge @ result
        back = np.eye(4)
        for frame in down:
            edge = self.edge(frame, time)
            if edge is None:
                return "Extrapolation"
            back = edge @ back
        return time, np.linalg.inv(back) @ result
