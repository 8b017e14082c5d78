"""Which touches are learnt from and which are kept for validation and test: whole places, whole recordings."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hearing_hands_ros.data.from_bags.settings import BuildSettings
from hearing_hands_ros.predictors.protocol import Contact

Place = tuple[int, int, int]
"""Number of a cube of the scene along x, y and z."""

Key = TypeVar("Key", bound=Hashable)


def place_of(contact: Contact, place_m: float) -> Place:
    """The place that a touch touches."""
    x, y, z = (math.floor(value / place_m) for value in contact.position_m)
    return x, y, z


@dataclass(frozen=True)
class Split:
    """Who is on which side.

    Attributes:
        by: What is held out whole.
        places: Side of every place, where places are held out.
        recordings: Side of every recording, where recordings are held out.
        notes: What was done, for people.
    """

    by: str
    places: Mapping[Place, str]
    recordings: Mapping[str, str]
    notes: tuple[str, ...]

    def side(self, recording: str, place: Place) -> str | None:
        """'train', 'val' or 'test'; None where recording and place are on different sides."""
        sides = {
            *([self.places[place]] if self.places else []),
            *([self.recordings[recording]] if self.recordings else []),
        }
        return sides.pop() if len(sides) == 1 else None


def split_of(touches: Mapping[str, Sequence[Contact]], settings: BuildSettings) -> Split:
    """Divide the touches of all recordings.

    Args:
        touches: By recording.
        settings: Shares, and what is held out.
    """
    by_place: dict[Place, Counter[str]] = defaultdict(Counter)
    by_recording: dict[str, Counter[str]] = {name: Counter() for name in touches}
    for name, contacts in touches.items():
        for contact in contacts:
            by_place[place_of(contact, settings.place_m)][contact.material] += 1
            by_recording[name][contact.material] += 1
    rng = np.random.default_rng(settings.seed)
    places = divided(by_place, settings.shares, rng) if settings.split != "recording" else {}
    recordings = divided(by_recording, settings.shares, rng) if settings.split != "place" else {}
    notes = []
    if settings.split == "place":
        notes.append(
            f"places of {settings.place_m:g} m are held out; recordings ({len(touches)}) are on all sides, but no two "
            "windows of one overlap"
        )
    elif settings.split == "recording":
        notes.append("whole recordings are held out; the same places may be touched on all sides")
    else:
        notes.append("what is held out is of other recordings and of other places than what is learnt from")
    for what, sides, found in (("place", places, by_place), ("recording", recordings, by_recording)):
        empty = [side for side, share in settings.shares.items() if share and sides and side not in sides.values()]
        if empty:
            notes.append(
                f"with {len(found)} {what}{'' if len(found) == 1 else 's'}, nothing is left for {' and '.join(empty)}"
            )
    return Split(settings.split, places, recordings, tuple(notes))


def divided(found: Mapping[Key, Counter[str]], shares: Mapping[str, float], rng: np.random.Generator) -> dict[Key, str]:
    """Give each key to one side, so that each side gets its share of all touches and of those of each material.

    Args:
        found: Touches by material, of each key.
        shares: Of the sides; the first is to have something in any case.
        rng: In which order the keys come.
    """
    keys = sorted(found, key=str)
    order = [keys[i] for i in rng.permutation(len(keys))]
    seen: Counter[str] = Counter()
    have: dict[str, Counter[str]] = {side: Counter() for side in shares}
    sides: dict[Key, str] = {}
    for key in order:
        counts = found[key] + Counter({"any material": found[key].total()})
        seen += counts
        missing = {
            side: sum(count * (share * seen[name] - have[side][name]) for name, count in counts.items())
            for side, share in shares.items()
        }
        side = max(shares, key=lambda side: missing[side])
        sides[key] = side
        have[side] += counts
    first = next(iter(shares))
    for side, share in shares.items():
        owned = [key for key in order if sides[key] == first]
        if share and side not in sides.values() and len(owned) > 1:
            sides[min(owned, key=lambda key: found[key].total())] = side
    return sides
