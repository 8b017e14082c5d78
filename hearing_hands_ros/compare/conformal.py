"""How odd normal touches are, group by group, and how rarely a normal touch is as odd as this one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from hearing_hands_ros.compare.drift import DriftReference
from hearing_hands_ros.compare.fields import (
    checked_mapping,
    checked_numbers,
    checked_text,
    read_document,
    write_document,
)
from hearing_hands_ros.compare.fusion import Fusion
from hearing_hands_ros.compare.groups import ALL, ContactGroups, Group, group_text, lineage
from hearing_hands_ros.compare.ranks import least_touches, rank_p_value
from hearing_hands_ros.compare.scoring.adaptation import Adaptation

FORMAT: Final = "hearing_hands_ros/calibration/2"
FUSED: Final = "fused"
"""Name of the score that a `Fusion` makes."""


@dataclass(frozen=True)
class NormalTouch:
    """What a calibration takes of a touch that somebody vouches for. One touch is one block, however long it sounded.

    Attributes:
        group: What it may be compared with.
        scores: By name, larger is odder; NaN where one could not be had.
    """

    group: Group
    scores: Mapping[str, float]


@dataclass(frozen=True)
class PValue:
    """How rarely a normal touch is as odd.

    Attributes:
        value: 0 to 1; NaN if the touch has no such score.
        group: Whom it was compared with.
        touches: How many they are.
        note: Why they are not the touches of its own kind and speed, for people; empty if they are.
    """

    value: float
    group: Group
    touches: int
    note: str = ""


@dataclass(frozen=True)
class ConformalCalibration:
    """Scores of normal touches by group.

    Among exchangeable touches of one group, p <= alpha has probability alpha at most, whatever the distribution of the
    scores. This holds over the drawing of calibration and touch; for one calibration that stays, see `realised_rates`.
    A group with too few is compared with all of its kind, else with all touches: of such a group the rate is not
    promised, and every `PValue` says so.

    Attributes:
        source: What was scored and how, for people.
        groups: How touches are grouped.
        scores: By score and most special group, ascending.
        fusion: Makes the score `FUSED`; fitted to touches that are not in `scores`.
        reference: Levels at the time of the calibration; see `DriftWatch`.
        adaptation: Of the scorer that gave the scores, to this microphone and robot.
        made_with: Digests or names of what the scores depend on ('scorer', 'model'): with others they mean nothing.

    Raises:
        ValueError: A group is not one of `groups`, a score is not finite or not in order, or `FUSED` and `fusion` are
            not there together.

    Source: split conformal prediction with Mondrian categories, Vovk et al., Algorithmic Learning in a Random World
    (2005), 4.5.
    """

    source: str
    groups: ContactGroups
    scores: Mapping[str, Mapping[Group, tuple[float, ...]]]
    fusion: Fusion | None = None
    reference: DriftReference | None = None
    adaptation: Adaptation | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, by_group in self.scores.items():
            for group, values in by_group.items():
                who = f"ConformalCalibration: {name} of {group_text(group)}"
                if group != ALL and group not in self.groups.every:
                    known = ", ".join(map(group_text, self.groups.every))
                    raise ValueError(f"ConformalCalibration: {name} wanted the groups {known}, got {group_text(group)}")
                if not all(map(math.isfinite, values)):
                    raise ValueError(f"{who}: wanted finite scores, got some that are not")
                if list(values) != sorted(values):
                    raise ValueError(f"{who}: wanted ascending scores, got another order")
        if (self.fusion is None) != (FUSED not in self.scores):
            got = "a fusion without its score" if self.fusion else "the score without its fusion"
            raise ValueError(f"ConformalCalibration: wanted {FUSED!r} and a fusion together, got {got}")

    @classmethod
    def of(
        cls,
        source: str,
        touches: Iterable[NormalTouch],
        groups: ContactGroups | None = None,
        fusion: Fusion | None = None,
        reference: DriftReference | None = None,
        adaptation: Adaptation | None = None,
        made_with: Mapping[str, str] | None = None,
    ) -> ConformalCalibration:
        """From normal touches, each of which counts once; scores that are NaN are left out.

        Raises:
            ValueError: See the class.
        """
        collected: dict[str, dict[Group, list[float]]] = {FUSED: {}} if fusion else {}
        for touch in touches:
            for name, value in with_fused(touch.scores, fusion).items():
                by_group = collected.setdefault(name, {})
                if not math.isnan(value):
                    by_group.setdefault(touch.group, []).append(float(value))
        scores = {
            name: {group: tuple(sorted(values)) for group, values in sorted(by_group.items())}
            for name, by_group in sorted(collected.items())
        }
        return cls(source, groups or ContactGroups(), scores, fusion, reference, adaptation, made_with or {})

    def count(self, name: str, group: Group = ALL) -> int:
        """Normal touches of a group that have a score."""
        return len(self.of_group(name, group))

    def of_group(self, name: str, group: Group) -> tuple[float, ...]:
        """Scores of a group and of all more special ones, ascending; empty if there are none."""
        return self._merged.get((name, group), ())

    def check(self, name: str, alpha: float) -> None:
        """Refuse what cannot be judged.

        Args:
            name: Of the score.
            alpha: False-alarm rate wanted.

        Raises:
            ValueError: `alpha` is not between 0 and 1, or there are fewer than `least_touches(alpha)`; the message says
                how many are missing.
        """
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"{self._who}: alpha wanted more than 0 and less than 1, got {alpha}")
        least, got = least_touches(alpha), self.count(name)
        if got < least:
            raise ValueError(
                f"{self._who}: {name} wanted {least} normal touches or more for alpha {alpha:g}, got {got}: "
                f"{least - got} are missing"
            )

    def shortages(self, name: str, alpha: float) -> list[str]:
        """Groups that have too few of their own for `alpha`, and what they are compared with, for people."""
        notes = (self._company(name, group, alpha)[1] for group in self.groups.every)
        return [note for note in notes if note]

    def p_value(
        self, name: str, value: float, group: Group, alpha: float, generator: np.random.Generator | None = None
    ) -> PValue:
        """Share of normal touches that are at least as odd.

        Without a generator p = (1 + #{scores >= value}) / (n + 1), which ties make larger than it need be. With one
        p = (#{scores > value} + u (1 + #{scores = value})) / (n + 1), u uniform: uniform whatever the ties, so that
        p <= alpha has probability alpha exactly.

        Args:
            name: Of the score.
            value: Of the touch.
            group: Of the touch.
            alpha: False-alarm rate wanted; decides whether the group has enough touches of its own.
            generator: Draws u; None for the first formula.

        Raises:
            KeyError: There is no such score.
            ValueError: There are too few touches for `alpha`; see `check`.
        """
        if name not in self.scores:
            raise KeyError(f"{self._who}: wanted one of {sorted(self.scores)}, got {name!r}")
        self.check(name, alpha)
        company, note = self._company(name, group, alpha)
        values = self.of_group(name, company)
        return PValue(rank_p_value(values, value, generator), company, len(values), note)

    def with_fused(self, scores: Mapping[str, float]) -> Mapping[str, float]:
        """Scores of a touch with the fused one, if this calibration has one."""
        return with_fused(scores, self.fusion)

    def save(self, path: str | Path) -> None:
        """Write as YAML, whole or not at all; the folder must exist.

        Raises:
            OSError: The file cannot be written.
        """
        document: dict[str, Any] = {
            "format": FORMAT,
            "source": self.source,
            "made_with": dict(self.made_with),
            "groups": self.groups.document(),
            "scores": {
                name: {group_text(group): list(values) for group, values in by_group.items()}
                for name, by_group in self.scores.items()
            },
            "fusion": self.fusion.document() if self.fusion else None,
            "reference": self.reference.document() if self.reference else None,
            "adaptation": self.adaptation.document() if self.adaptation else None,
        }
        write_document(Path(path), document)

    @classmethod
    def load(cls, path: str | Path) -> ConformalCalibration:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not a calibration; the message names the field.
        """
        path = Path(path)
        who = f"ConformalCalibration({path.name!r})"
        document = read_document(who, path, FORMAT)
        names = ("format", "source", "made_with", "groups", "scores", "fusion", "reference", "adaptation")
        fields = checked_mapping(who, document, names)
        groups = ContactGroups.read(f"{who}: groups", fields["groups"])
        named = {group_text(group): group for group in (*groups.every, ALL)}
        scores: dict[str, dict[Group, tuple[float, ...]]] = {}
        for name, by_group in checked_mapping(f"{who}: scores", fields["scores"]).items():
            scores[name] = {}
            for text, values in checked_mapping(f"{who}: scores.{name}", by_group).items():
                if text not in named:
                    raise ValueError(f"{who}: scores.{name} wanted the groups {', '.join(named)}, got {text!r}")
                scores[name][named[text]] = checked_numbers(f"{who}: scores.{name}.{text}", values)
        fusion, reference, adaptation = fields["fusion"], fields["reference"], fields["adaptation"]
        made_with = checked_mapping(f"{who}: made_with", fields["made_with"])
        return cls(
            checked_text(f"{who}: source", fields["source"]),
            groups,
            scores,
            None if fusion is None else Fusion.read(f"{who}: fusion", fusion),
            None if reference is None else DriftReference.read(f"{who}: reference", reference),
            None if adaptation is None else Adaptation.read(f"{who}: adaptation", adaptation),
            {name: checked_text(f"{who}: made_with.{name}", value) for name, value in made_with.items()},
        )

    @property
    def _who(self) -> str:
        return f"ConformalCalibration ({self.source})"

    @cached_property
    def _merged(self) -> dict[tuple[str, Group], tuple[float, ...]]:
        """Scores of every group and of the more general ones above it."""
        merged: dict[tuple[str, Group], list[float]] = {}
        for name, by_group in self.scores.items():
            for group, values in by_group.items():
                for above in lineage(group):
                    merged.setdefault((name, above), []).extend(values)
        return {key: tuple(sorted(values)) for key, values in merged.items()}

    def _company(self, name: str, group: Group, alpha: float) -> tuple[Group, str]:
        """The most special group with enough touches, and why it is not the touch's own."""
        least = least_touches(alpha)
        company = next((g for g in lineage(group) if self.count(name, g) >= least), ALL)
        if company == group:
            return group, ""
        return company, (
            f"{group_text(group)}: wanted {least} normal touches for alpha {alpha:g}, "
            f"got {self.count(name, group)}: compared with {group_text(company)}"
        )


def with_fused(scores: Mapping[str, float], fusion: Fusion | None) -> Mapping[str, float]:
    """Scores of a touch with the fused one, if there is a fusion."""
    return scores if fusion is None else {**scores, FUSED: fusion.score(scores)}
