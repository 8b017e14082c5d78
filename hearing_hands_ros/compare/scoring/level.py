"""How much weaker than it should be a touch is, by the speed that it was done with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hearing_hands_ros.compare.scoring.picture import picture
from hearing_hands_ros.compare.scoring.touch import HeardTouch
from hearing_hands_ros.predictors.protocol import Contact, Kind

SLOWEST_MPS: Final = 0.02
BEGIN_S, TAP_S, SLIDE_S = -0.03, 0.2, 1.0
FAINTEST: Final = 0.02
"""Of the noise: what was heard is never taken for less."""

CERTAIN: Final = 30.0
"""Ridge: how many touches the guess that nothing matters is worth."""

KINDS: Final[tuple[Kind, ...]] = ("tap", "slide")


@dataclass(frozen=True)
class LevelBySpeed:
    """Expected less heard level.

    The expected level is base + a 20 log10(approach) + s 20 log10(slide) + material, for taps and slides apart: the
    energy of a touch grows with the square of its speed. That of a tap is its loudest 50 ms, of a slide the mean.

    Attributes:
        base_db: By kind.
        approach: a, by kind.
        slide: s, by kind.
        material_db: By kind and material; one that is not there counts as 0.
    """

    base_db: Mapping[str, float]
    approach: Mapping[str, float]
    slide: Mapping[str, float]
    material_db: Mapping[str, Mapping[str, float]]

    name = "level"

    @classmethod
    def fit(cls, touches: Sequence[HeardTouch]) -> LevelBySpeed:
        """Learn from normal touches.

        Raises:
            ValueError: There are no taps or no slides.
        """
        base: dict[str, float] = {}
        approach: dict[str, float] = {}
        slide: dict[str, float] = {}
        material: dict[str, dict[str, float]] = {}
        for kind in KINDS:
            own = [touch for touch in touches if touch.contact.kind == kind]
            if not own:
                raise ValueError(f"LevelBySpeed: wanted touches of each kind, got no {kind}")
            names = sorted({touch.contact.material for touch in own})
            rows = np.array(
                [[*_speeds_db(t.contact), *(5.0 * (t.contact.material == name) for name in names)] for t in own]
            )
            heard = np.array([heard_db(touch) for touch in own])
            middle = rows.mean(axis=0)
            centred = rows - middle
            found = np.linalg.solve(
                centred.T @ centred + CERTAIN * np.eye(rows.shape[1]), centred.T @ (heard - heard.mean())
            )
            base[kind] = float(heard.mean() - middle @ found)
            approach[kind], slide[kind] = float(found[0]), float(found[1])
            material[kind] = {name: 5.0 * float(value) for name, value in zip(names, found[2:], strict=True)}
        return cls(base, approach, slide, material)

    def centred(self, touches: Sequence[HeardTouch]) -> LevelBySpeed:
        """The same for another microphone: normal touches of each kind are as loud as expected, in their median."""
        base = dict(self.base_db)
        for kind in KINDS:
            off = [self.score(touch) for touch in touches if touch.contact.kind == kind]
            if off:
                base[kind] -= float(np.median(off))
        return replace(self, base_db=base)

    def expected_db(self, contact: Contact) -> float:
        """Level of a touch, dB on the scale of `heard_db`."""
        approach_db, slide_db = _speeds_db(contact)
        return (
            self.base_db[contact.kind]
            + self.approach[contact.kind] * approach_db
            + self.slide[contact.kind] * slide_db
            + self.material_db[contact.kind].get(contact.material, 0.0)
        )

    def score(self, touch: HeardTouch) -> float:
        """Expected less heard level, dB; positive if weaker."""
        return self.expected_db(touch.contact) - heard_db(touch)

    def document(self) -> dict[str, Any]:
        """As it is written into a file."""
        return {
            kind: {
                "base_db": round(self.base_db[kind], 3),
                "approach": round(self.approach[kind], 4),
                "slide": round(self.slide[kind], 4),
                "material_db": {name: round(value, 3) for name, value in self.material_db[kind].items()},
            }
            for kind in KINDS
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> LevelBySpeed:
        """From what `document` gave."""
        return cls(
            {kind: float(document[kind]["base_db"]) for kind in KINDS},
            {kind: float(document[kind]["approach"]) for kind in KINDS},
            {kind: float(document[kind]["slide"]) for kind in KINDS},
            {kind: {str(m): float(v) for m, v in document[kind]["material_db"].items()} for kind in KINDS},
        )


def heard_db(touch: HeardTouch) -> float:
    """Level of what was heard over the room: the loudest 50 ms of a tap, the mean of a slide, dB."""
    tap = touch.contact.kind == "tap"
    end_s = TAP_S if tap else max(TAP_S, min(touch.contact.duration_s, SLIDE_S))
    seen = picture(touch).between(BEGIN_S, end_s)
    over = (seen.heard - seen.noise).sum(axis=1)
    least = FAINTEST * float(seen.noise.sum())
    if tap:
        over = np.convolve(np.maximum(over, least), np.ones(3) / 3.0, "valid")
    value = over.max() if tap else over.mean()
    return float(10.0 * np.log10(max(float(value), least)))


def _speeds_db(contact: Contact) -> tuple[float, float]:
    speeds = (contact.approach_speed_mps, contact.slide_speed_mps)
    approach, slide = (20.0 * float(np.log10(max(speed, SLOWEST_MPS))) for speed in speeds)
    return approach, slide
