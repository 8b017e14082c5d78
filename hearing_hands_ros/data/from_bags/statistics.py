"""How much of what is in a dataset: touches by material and kind, levels, speeds and lengths."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from hearing_hands_ros.data.dataset import SPLITS, Dataset
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sound.capture.level import dbfs

HEARD_S: Final = 0.3
"""The level of a touch is that of so much sound from its begin."""

PERCENTILES: Final = (5, 50, 95)
UNKNOWN: Final = "unknown"


@dataclass
class _Side:
    scenes: set[str] = field(default_factory=set)
    windows: int = 0
    empty: int = 0
    seconds: float = 0.0
    touches: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass
class Statistics:
    """What was counted."""

    sides: dict[str, _Side] = field(default_factory=lambda: {side: _Side() for side in SPLITS})
    levels_dbfs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    speeds_mps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lasted_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    quiet_dbfs: list[float] = field(default_factory=list)

    def add(self, item: Item, side: str, sample_rate_hz: int) -> None:
        """Count a window; each touch is counted in the one in which it begins."""
        found = self.sides[side]
        found.scenes.add(item.scene)
        found.windows += 1
        found.seconds += item.motion.duration_s
        if not item.motion.contacts:
            found.empty += 1
            self.quiet_dbfs.append(_level(item.audio))
        for contact in item.motion.contacts:
            if contact.start_ns < 0:
                continue
            material = contact.material or UNKNOWN
            found.touches[material, contact.kind] += 1
            first = contact.start_ns * sample_rate_hz // NANOSECONDS
            self.levels_dbfs[material].append(_level(item.audio[first : first + round(HEARD_S * sample_rate_hz)]))
            speed = contact.slide_speed_mps if contact.kind == "slide" else contact.approach_speed_mps
            self.speeds_mps[contact.kind].append(speed)
            self.lasted_s[contact.kind].append(contact.duration_s)

    def document(self) -> dict[str, Any]:
        """As it is written; p5, p50 and p95 of what was measured."""
        return {
            "splits": {
                name: {
                    "scenes": len(side.scenes),
                    "windows": side.windows,
                    "windows_without_touch": side.empty,
                    "minutes": round(side.seconds / 60.0, 2),
                    "touches": side.touches.total(),
                    "by_material": _nested(side.touches),
                }
                for name, side in self.sides.items()
            },
            "level_dbfs": {name: _percentiles(self.levels_dbfs[name], 1) for name in sorted(self.levels_dbfs)},
            "level_without_touch_dbfs": _percentiles(self.quiet_dbfs, 1),
            "speed_mps": {name: _percentiles(self.speeds_mps[name], 3) for name in sorted(self.speeds_mps)},
            "lasted_s": {name: _percentiles(self.lasted_s[name], 3) for name in sorted(self.lasted_s)},
        }


def measure(dataset: Dataset, tell: Callable[[int, int], object] = lambda *_: None) -> Statistics:
    """Read a whole dataset and count.

    Args:
        dataset: The dataset.
        tell: Told how many windows are done, and of how many.

    Raises:
        ValueError: An item is wrong.
    """
    statistics = Statistics()
    refs = [ref for side in SPLITS for ref in dataset.items(side)]
    for number, ref in enumerate(refs, start=1):
        statistics.add(dataset.load(ref), ref.split, dataset.info.sequence.sample_rate_hz)
        tell(number, len(refs))
    return statistics


def _level(wave: Any) -> float:
    return dbfs(float(np.std(wave, dtype=np.float64))) if len(wave) else dbfs(0.0)


def _nested(touches: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    result: dict[str, dict[str, int]] = {}
    for (material, kind), count in sorted(touches.items()):
        result.setdefault(material, {})[kind] = count
    return result


def _percentiles(values: list[float], digits: int) -> dict[str, float]:
    if not values:
        return {}
    found = np.percentile(values, PERCENTILES)
    return {f"p{share}": round(float(value), digits) for share, value in zip(PERCENTILES, found, strict=True)}
