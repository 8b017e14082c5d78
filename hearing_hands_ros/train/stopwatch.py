"""Means over the steps between two looks: of figures, and of where the time went."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Stopwatch:
    """Sums up laps and figures; on CUDA a lap counts what the processor waited for."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._laps: dict[str, float] = {}
        self._figures: dict[str, float] = {}
        self._noted = self._steps = 0

    def lap(self, name: str) -> None:
        """Count the time since the last lap to `name`."""
        now = time.perf_counter()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._since
        self._since = now

    def step(self) -> None:
        """A step ends."""
        self._steps += 1

    def note(self, figures: Mapping[str, float]) -> None:
        """Figures of a step."""
        for name, value in figures.items():
            self._figures[name] = self._figures.get(name, 0.0) + value
        self._noted += 1

    def take(self) -> tuple[dict[str, float], dict[str, float]]:
        """Means of the figures, and seconds a step of each lap; begins anew."""
        figures = {name: value / self._noted for name, value in self._figures.items()}
        laps = {name: value / max(1, self._steps) for name, value in self._laps.items()}
        self._laps, self._figures, self._noted, self._steps = {}, {}, 0, 0
        return figures, laps
