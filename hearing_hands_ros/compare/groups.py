"""Touches that can be compared with each other: of one kind, and about as fast."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, get_args

from hearing_hands_ros.compare.fields import checked_mapping, checked_numbers
from hearing_hands_ros.predictors.protocol import Contact, Kind

Group = tuple[str, ...]
"""From the general to the special: (), ('tap',) or ('tap', '0.3.. m/s')."""

ALL: Group = ()
SPEED_BOUNDS_MPS: Mapping[str, tuple[float, ...]] = {"tap": (0.3,), "slide": (0.2,)}
"""About half of the simulated workcell's touches are on either side."""


def lineage(group: Group) -> Iterator[Group]:
    """The group itself, then ever more general ones, up to all touches."""
    for length in range(len(group), -1, -1):
        yield group[:length]


def group_text(group: Group) -> str:
    """For people and for files: 'all touches', 'tap', 'tap 0.3.. m/s'."""
    return " ".join(group) if group else "all touches"


@dataclass(frozen=True)
class ContactGroups:
    """Which group a contact is of, by its kind and speed.

    The bounds are fixed before any score is seen: groups that were chosen by their scores would void the calibration.

    Attributes:
        speed_bounds_mps: By kind, ascending; n bounds make n + 1 classes of speed, none makes one. A tap's speed is the
            one of its approach, a slide's the one along the surface.

    Raises:
        ValueError: A kind is missing or not known, or bounds are not ascending speeds over 0.
    """

    speed_bounds_mps: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: dict(SPEED_BOUNDS_MPS))

    def __post_init__(self) -> None:
        kinds = sorted(get_args(Kind))
        if sorted(self.speed_bounds_mps) != kinds:
            raise ValueError(f"ContactGroups: kinds wanted {kinds}, got {sorted(self.speed_bounds_mps)}")
        for kind, bounds in self.speed_bounds_mps.items():
            if any(a >= b for a, b in pairwise((0.0, *bounds, math.inf))) or any(math.isnan(b) for b in bounds):
                raise ValueError(f"ContactGroups: {kind} wanted ascending finite speeds over 0 m/s, got {bounds}")

    def of(self, contact: Contact) -> Group:
        """The most special group of a contact."""
        speed = contact.slide_speed_mps if contact.kind == "slide" else contact.approach_speed_mps
        return self.groups(contact.kind)[bisect_right(self.speed_bounds_mps[contact.kind], speed)]

    def groups(self, kind: str) -> tuple[Group, ...]:
        """The most special groups of a kind, slow to fast."""
        bounds = self.speed_bounds_mps[kind]
        if not bounds:
            return ((kind,),)
        ends = ("", *(f"{bound:g}" for bound in bounds), "")
        return tuple((kind, f"{low}..{high} m/s") for low, high in pairwise(ends))

    @property
    def every(self) -> tuple[Group, ...]:
        """The most special groups of all kinds."""
        return tuple(group for kind in sorted(self.speed_bounds_mps) for group in self.groups(kind))

    def document(self) -> dict[str, Any]:
        """As it is written into a file."""
        return {kind: list(bounds) for kind, bounds in sorted(self.speed_bounds_mps.items())}

    @classmethod
    def read(cls, who: str, document: object) -> ContactGroups:
        """From what `document` gave.

        Args:
            who: Names the file and the field in errors.
            document: What stood in the file.

        Raises:
            ValueError: It is something else; the message names the field.
        """
        fields = checked_mapping(who, document, get_args(Kind))
        return cls({kind: checked_numbers(f"{who}.{kind}", value) for kind, value in fields.items()})
