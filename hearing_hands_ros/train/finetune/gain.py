"""What fine-tuning gained: both generators on the same touches, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.model.compact.generator import CompactGenerator
from hearing_hands_ros.sound.vocoder.protocol import Vocoder
from hearing_hands_ros.train.evaluation.generator import BATCH, GeneratorSystem
from hearing_hands_ros.train.evaluation.measures import MEASURES, Measure, onsets, signal_measures
from hearing_hands_ros.train.evaluation.tally import HIGH, LOW, Cell, Tally, ratio_cell, resamples

KEYS: Final = ("stft", "envelope", "onset_f1", "level_db", "centroid_octaves")
FEW_SCENES: Final = 8
"""Fewer than these cannot be drawn anew: items are, which are more alike than their intervals say."""

Tallies = Mapping[str, Tally]


@dataclass(frozen=True)
class Gain:
    """One measure of both.

    Attributes:
        measure: Which.
        before: Of the generator that was fine-tuned.
        after: Of what came of it.
        difference: After less before.
    """

    measure: Measure
    before: Cell
    after: Cell
    difference: Cell

    @property
    def verdict(self) -> str:
        """'better', 'worse', or 'not told apart' where the interval of the difference holds 0."""
        if self.difference.low <= 0.0 <= self.difference.high or np.isnan(self.difference.value):
            return "not told apart"
        return "better" if (self.difference.value > 0.0) == self.measure.higher else "worse"


@dataclass(frozen=True)
class Gains:
    """All measures.

    Attributes:
        rows: A measure each.
        items: How many were heard.
        drawn: What was drawn anew for the intervals: 'scenes' or 'items'.
    """

    rows: tuple[Gain, ...]
    items: int
    drawn: str


def gains(
    items: Sequence[Item],
    before: CompactGenerator,
    after: CompactGenerator,
    vocoder: Vocoder,
    rng: np.random.Generator,
    progress: Callable[[Iterable[int]], Iterable[int]] = lambda numbers: numbers,
) -> Gains:
    """Measure both generators on items that neither was trained on, from the same noise.

    Args:
        items: With what was heard.
        before: The generator that was fine-tuned.
        after: What came of it.
        vocoder: Makes both heard.
        rng: Draws scenes or items anew.
        progress: Shows how far it is.

    Raises:
        ValueError: There are no items.
    """
    if not items:
        raise ValueError("gains: wanted items to listen to, got none")
    sides = [GeneratorSystem(name, of, vocoder) for name, of in (("before", before), ("after", after))]
    measured: tuple[list[Tallies], list[Tallies]] = ([], [])
    for first in progress(range(0, len(items), BATCH)):
        part = items[first : first + BATCH]
        true = [onsets(item.audio, before.sequence.sample_rate_hz) for item in part]
        for side, found in zip(sides, measured, strict=True):
            heard = zip(part, true, side.predict(part), strict=True)
            found += [signal_measures(item, at, wave, before.sequence) for item, at, wave in heard]
    scenes = sorted({item.scene for item in items})
    drawn = "scenes" if len(scenes) >= FEW_SCENES else "items"
    number = {scene: index for index, scene in enumerate(scenes)}
    unit = np.array([number[item.scene] for item in items]) if drawn == "scenes" else np.arange(len(items))
    draws = resamples(int(unit.max()) + 1, rng)
    wanted = [next(m for m in MEASURES if m.key == key) for key in KEYS]
    return Gains(tuple(_gain(measure, *measured, unit, draws) for measure in wanted), len(items), drawn)


def _gain(
    measure: Measure,
    before: Sequence[Tallies],
    after: Sequence[Tallies],
    unit: NDArray[np.int_],
    draws: NDArray[np.intp],
) -> Gain:
    sums = []
    for side in (before, after):
        units = [Tally() for _ in range(draws.shape[1])]
        for index, tallies in zip(unit, side, strict=True):
            units[index] += tallies.get(measure.key, Tally())
        sums.append(units)
    cells = [ratio_cell(units, draws) for units in sums]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = [_drawn(units, draws) for units in sums]
    differences = ratios[1] - ratios[0]
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return Gain(measure, cells[0], cells[1], Cell(np.nan, np.nan, np.nan))
    low, high = np.percentile(differences, [LOW, HIGH])
    return Gain(measure, cells[0], cells[1], Cell(cells[1].value - cells[0].value, float(low), float(high)))


def _drawn(units: Sequence[Tally], draws: NDArray[np.intp]) -> NDArray[np.float64]:
    totals, weights = (np.array([getattr(tally, name) for tally in units]) for name in ("total", "weight"))
    ratios: NDArray[np.float64] = totals[draws].sum(axis=1) / weights[draws].sum(axis=1)
    return ratios
