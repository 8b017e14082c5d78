"""Runs systems over held-out items and makes rows of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.frechet import Gaussian, frechet_distance
from hearing_hands_ros.train.evaluation.listener import Listener
from hearing_hands_ros.train.evaluation.measures import MEASURES, onsets, signal_measures
from hearing_hands_ros.train.evaluation.systems import Array, System
from hearing_hands_ros.train.evaluation.tally import Cell, Tally, function_cell, ratio_cell, resamples

LEAST_TOUCHES = 3
"""A set of fewer touches has no covariance."""


@dataclass(frozen=True)
class Row:
    """What was measured of a system.

    Attributes:
        name: Of the system.
        note: What it was told.
        cells: By the keys of `MEASURES`.
        seconds: Processor time of its predictions by second of sound.
    """

    name: str
    note: str
    cells: dict[str, Cell]
    seconds: float


class Evaluation:
    """One set of items, the same draws of scenes for all systems.

    Args:
        items: Held out, in order of scenes.
        listener: Learnt from other scenes.
        sequence: Rates and bands of all sounds.
        generator: For the draws.

    Raises:
        ValueError: The items are of fewer than two scenes.
    """

    def __init__(
        self, items: Sequence[Item], listener: Listener, sequence: SequenceConfig, generator: np.random.Generator
    ) -> None:
        self.items, self.listener, self.sequence = items, listener, sequence
        self.sample_rate_hz = sample_rate_hz = sequence.sample_rate_hz
        self.scenes = sorted({item.scene for item in items})
        if len(self.scenes) < 2:
            raise ValueError(f"Evaluation: items wanted of two scenes or more, got {len(self.scenes)}")
        self._draws = resamples(len(self.scenes), generator)
        self._true_onsets = [onsets(item.audio, sample_rate_hz) for item in items]
        self._true_points = self._by_scene(listener.judge(items, [i.audio for i in items], sample_rate_hz)[1])

    def row(self, system: System) -> Row:
        """Measure a system.

        Raises:
            ValueError: It gives another number of sounds, or of another length.
        """
        began = time.process_time()
        waves = system.predict(self.items)
        seconds = (time.process_time() - began) * self.sample_rate_hz / sum(item.audio.size for item in self.items)
        self._check(system, waves)
        judged, points = self.listener.judge(self.items, waves, self.sample_rate_hz)
        sums: dict[str, dict[str, Tally]] = {scene: defaultdict(Tally) for scene in self.scenes}
        for item, true_onsets, wave, tallies in zip(self.items, self._true_onsets, waves, judged, strict=True):
            signal = signal_measures(item, true_onsets, wave, self.sequence)
            for key, tally in {**tallies, **signal}.items():
                sums[item.scene][key] += tally
        cells = {m.key: ratio_cell([sums[s][m.key] for s in self.scenes], self._draws) for m in MEASURES}
        cells["frechet"] = self._frechet(self._by_scene(points))
        return Row(system.name, system.note, cells, seconds)

    def _check(self, system: System, waves: Sequence[Array]) -> None:
        if len(waves) != len(self.items):
            raise ValueError(f"Evaluation: '{system.name}' wanted {len(self.items)} sounds, got {len(waves)}")
        for item, wave in zip(self.items, waves, strict=True):
            if wave.shape != item.audio.shape:
                raise ValueError(
                    f"Evaluation: '{system.name}' wanted {item.audio.shape} samples for {item.scene}/{item.name}, "
                    f"got {wave.shape}"
                )

    def _by_scene(self, points: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Touches of each scene as points, from those of each item."""
        return [
            np.concatenate([p for p, item in zip(points, self.items, strict=True) if item.scene == scene])
            for scene in self.scenes
        ]

    def _frechet(self, points: Sequence[NDArray[np.float64]]) -> Cell:
        """Distance of predicted touches from the true ones; both sides are of the same scenes."""

        def distance(scenes: NDArray[np.intp]) -> float:
            truth, predicted = (np.concatenate([side[s] for s in scenes]) for side in (self._true_points, points))
            if len(truth) < LEAST_TOUCHES:
                return float("nan")
            return frechet_distance(Gaussian.fit(truth), Gaussian.fit(predicted))

        return function_cell(distance, len(self.scenes))
