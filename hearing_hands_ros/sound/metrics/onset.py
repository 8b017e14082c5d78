"""Whether it begins to sound when it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE_S = 0.05


@dataclass(frozen=True)
class OnsetCounts:
    """Outcome of one or many comparisons; they add up.

    Attributes:
        hits: Onsets of both, paired.
        missed: True onsets without a partner.
        extra: Predicted onsets without a partner.
    """

    hits: int = 0
    missed: int = 0
    extra: int = 0

    def __add__(self, other: OnsetCounts) -> OnsetCounts:
        return OnsetCounts(self.hits + other.hits, self.missed + other.missed, self.extra + other.extra)

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + missed + extra); 1 where there was nothing to find and nothing was found."""
        total = 2 * self.hits + self.missed + self.extra
        return 2 * self.hits / total if total else 1.0


@dataclass(frozen=True)
class TrueOnsets:
    """What should be heard, and what need not be.

    Attributes:
        clear_s: Onsets that must be there.
        doubtful_s: Onsets that may be there or not: touches that the ring of another one hides, grains of a slide.
    """

    clear_s: tuple[float, ...]
    doubtful_s: tuple[float, ...] = ()

    @classmethod
    def of(cls, touches_s: Sequence[float], heard_s: Sequence[float], tolerance_s: float = TOLERANCE_S) -> TrueOnsets:
        """Touches that can be heard in the true sound are clear; touches that cannot, and what else is heard, doubtful.

        The true sound's own onsets score 1 against this.

        Args:
            touches_s: When touches begin.
            heard_s: Onsets that were found in the true sound.
            tolerance_s: As of `match_onsets`.
        """
        touches, heard = sorted(touches_s), sorted(heard_s)
        pairs = _pairs(touches, heard, tolerance_s)
        clear, found = {i for i, _ in pairs}, {j for _, j in pairs}
        doubtful = [t for i, t in enumerate(touches) if i not in clear]
        doubtful += [t for j, t in enumerate(heard) if j not in found]
        return cls(tuple(touches[i] for i in sorted(clear)), tuple(sorted(doubtful)))


def match_onsets(
    truth: TrueOnsets | Sequence[float], predicted_s: Sequence[float], tolerance_s: float = TOLERANCE_S
) -> OnsetCounts:
    """Pair onsets that are at most `tolerance_s` apart, each once, as many as can be.

    Args:
        truth: True onsets; seconds in any order are all clear. A predicted onset that is left over when the clear ones
            are paired, and has a doubtful one as partner, counts for nothing.
        predicted_s: Seconds, in any order.
        tolerance_s: Half the width of the window.

    Returns:
        The counts.

    Raises:
        ValueError: The tolerance is negative.
    """
    if not tolerance_s >= 0:
        raise ValueError(f"match_onsets: tolerance_s wanted 0 or more, got {tolerance_s}")
    if not isinstance(truth, TrueOnsets):
        truth = TrueOnsets(tuple(truth))
    predicted = sorted(predicted_s)
    pairs = _pairs(sorted(truth.clear_s), predicted, tolerance_s)
    taken = {j for _, j in pairs}
    left = [time for j, time in enumerate(predicted) if j not in taken]
    excused = len(_pairs(sorted(truth.doubtful_s), left, tolerance_s))
    return OnsetCounts(len(pairs), len(truth.clear_s) - len(pairs), len(left) - excused)


def _pairs(a: Sequence[float], b: Sequence[float], tolerance_s: float) -> list[tuple[int, int]]:
    """Indices of partners in two ascending lists.

    Walking both in order and pairing the first that fit gives the most pairs: the tolerance is the same for all.
    """
    i = j = 0
    result = []
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= tolerance_s:
            result.append((i, j))
            i, j = i + 1, j + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return result
