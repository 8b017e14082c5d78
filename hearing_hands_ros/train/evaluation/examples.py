"""The example-based predictor as a system: told the material, or seeing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.example import ExampleConfig, ExamplePredictor
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank, Exemplar
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.loudness import QUIETEST_DBFS, level_dbfs
from hearing_hands_ros.sound.metrics.probe import LinearProbe
from hearing_hands_ros.train.evaluation.systems import Array, fitted
from hearing_hands_ros.train.evaluation.touches import AFTER_S, Heard, heard

MOST_OF_A_SORT = 60
"""Exemplars kept of one material and kind."""


class ExampleSystem:
    """The predictor of `predictors/example.py`.

    Args:
        name: Of the row.
        bank: Exemplars.
        sequence: Rates and lengths.
        settings: Of the predictor.
        looks: Tells the material from the local view; None if the predictor is told the true one, as by the labels of a
            scene.
    """

    def __init__(
        self,
        name: str,
        bank: ExampleBank,
        sequence: SequenceConfig,
        settings: ExampleConfig,
        looks: LinearProbe | None = None,
    ) -> None:
        self.name = name
        self.note = f"{len(bank.exemplars)} exemplars of {bank.name}; " + (
            "told the true material" if looks is None else "material guessed from the local view of the touched place"
        )
        self._predictor = ExamplePredictor(bank, sequence, settings)
        self._looks = looks

    def predict(self, items: Sequence[Item]) -> list[Array]:
        """Lay exemplars on the touches."""
        predictions = self._predictor.predict([self._motion(item) for item in items])
        return [fitted(p.audio, item.audio.size) for p, item in zip(predictions, items, strict=True)]

    def _motion(self, item: Item) -> HandMotion:
        """The motion, its touches named as this system knows them."""
        if self._looks is None or not item.motion.contacts:
            return item.motion
        guessed = self._looks.predict(item.contact_local)
        contacts = tuple(replace(c, material=str(g)) for c, g in zip(item.motion.contacts, guessed, strict=True))
        return replace(item.motion, contacts=contacts)


def material_by_look(items: Sequence[Item]) -> LinearProbe:
    """A probe that tells the material from the local view of the touched place.

    Args:
        items: Of the training split.

    Raises:
        ValueError: There are not two materials in them.
    """
    pairs = [
        (look, c.material) for item in items for look, c in zip(item.contact_local, item.motion.contacts, strict=True)
    ]
    named = [(look, material) for look, material in pairs if material]
    looks = np.stack([look for look, _ in named]) if named else np.zeros((0, 1))
    return LinearProbe.fit(looks, [material for _, material in named])


@dataclass(frozen=True, eq=False)
class TrainTouch:
    """A touch of the training split that was heard alone.

    Attributes:
        contact: The touch.
        wave: (L,) from `LEAD_S` before it on, its loudest 50 ms at 0 dB.
        level_dbfs: Of its loudest 50 ms, before that.
        group: Its item.
    """

    contact: Contact
    wave: Array
    level_dbfs: float
    group: str


def train_touches(items: Sequence[Item], sample_rate_hz: int) -> list[TrainTouch]:
    """Touches that are alone, of known material, and not silent."""
    result = []
    for item in items:
        for touch in heard(item, sample_rate_hz):
            wave = _cut(item.audio, touch, sample_rate_hz)
            level = level_dbfs(wave, sample_rate_hz)
            if touch.alone and touch.contact.material and level > QUIETEST_DBFS:
                scaled = (wave * 10.0 ** (-level / 20.0)).astype(np.float32)
                result.append(TrainTouch(touch.contact, scaled, level, f"{item.scene}/{item.name}"))
    return result


def bank_of(touches: Sequence[TrainTouch], sample_rate_hz: int) -> ExampleBank:
    """A bank of touches cut from the training split, at most `MOST_OF_A_SORT` of a material and kind."""
    sorts: dict[tuple[str, str], list[TrainTouch]] = defaultdict(list)
    for touch in touches:
        sorts[touch.contact.material, touch.contact.kind].append(touch)
    exemplars = []
    for (material, kind), members in sorted(sorts.items()):
        median = float(np.median([touch.level_dbfs for touch in members]))
        kept = members[:: -(-len(members) // MOST_OF_A_SORT)]
        exemplars += [
            Exemplar(
                file=f"{touch.group}/{touch.contact.start_ns}",
                material=material,
                kind="slide" if kind == "slide" else "tap",
                tool="hand",
                group=f"{touch.group}/{touch.contact.start_ns}",
                strength_db=touch.level_dbfs - median,
                wave=touch.wave,
            )
            for touch in kept
        ]
    return ExampleBank("the training scenes", "training-scenes", sample_rate_hz, tuple(exemplars))


def filled_up(bank: ExampleBank, other: ExampleBank) -> ExampleBank:
    """A bank, and of the materials that it lacks the exemplars of another."""
    lacking = tuple(e for e in other.exemplars if e.material not in bank.materials)
    return replace(bank, exemplars=bank.exemplars + lacking)


def level_fitted(touches: Sequence[TrainTouch], settings: ExampleConfig | None = None) -> ExampleConfig:
    """Settings whose level at the reference speed is the median one of the training split."""
    base = settings or ExampleConfig()
    if not touches:
        return base
    speeds = np.array(
        [t.contact.slide_speed_mps if t.contact.kind == "slide" else t.contact.approach_speed_mps for t in touches]
    )
    gains = 20.0 * np.log10(np.maximum(speeds, 1e-9) / base.reference_speed_mps)
    gains = np.clip(gains, -base.gain_limit_db, base.gain_limit_db)
    levels = np.array([touch.level_dbfs for touch in touches])
    return replace(base, reference_level_dbfs=float(np.median(levels - gains)))


def _cut(wave: NDArray[np.float32], touch: Heard, sample_rate_hz: int) -> Array:
    """From `LEAD_S` before a touch until it has rung down or the next begins."""
    first = round((touch.start_s - LEAD_S) * sample_rate_hz)
    last_s = min(touch.until_s - LEAD_S, touch.start_s + max(AFTER_S, touch.contact.duration_s))
    return wave[first : max(first + 1, round(last_s * sample_rate_hz))]
