"""Several scores of a touch as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtr

from hearing_hands_ros.compare.fields import checked_mapping, checked_numbers, checked_text

How = Literal["max", "mahalanobis"]
Combination = Literal["bonferroni", "fisher", "cauchy"]

KNOTS: Final = (-1.0, 0.0, 1.0, 2.0)
"""Standard normal scores whose quantiles are learned."""

LEAST_TOUCHES: Final = 40
"""The quantile of a normal score of 2 is the second largest of 44: with fewer it is only a guess."""

_MOST_CAUCHY: Final = 0.99


@dataclass(frozen=True)
class Fusion:
    """One score of several: the oddest of them, or their distance from normal, each first brought to normal scores.

    A score s becomes z(s) by a line through its quantiles at z = -1, 0, 1, 2, drawn on beyond both ends, so that scores
    in dB, seconds and nats count alike and an odd one is not cut off. Oddness is one-sided: z under 0 counts as 0.

    - `max`: the largest z.
    - `mahalanobis`: d^2 = z^T C^-1 z with C the correlation of normal touches, as the normal score of its chi-square
      (Wilson and Hilferty 1931), so that touches which lack a score compare with those which have all.

    The touches that it is fitted to must not be in the calibration: to them, z is nearer to normal than to a new touch.
    `divided` makes the two parts.

    Attributes:
        how: See above.
        knots: By score, its quantiles at `KNOTS`, strictly ascending.
        correlation: By row, in the order of `knots`.

    Raises:
        ValueError: Knots do not ascend or the correlation is none.
    """

    how: How
    knots: Mapping[str, tuple[float, ...]]
    correlation: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise ValueError(f"Fusion: how wanted one of {get_args(How)}, got {self.how!r}")
        if not self.knots:
            raise ValueError("Fusion: wanted one score or more, got none")
        for name, values in self.knots.items():
            if len(values) != len(KNOTS) or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
                raise ValueError(
                    f"Fusion: {name} wanted {len(KNOTS)} finite quantiles that rise, got {list(values)}: "
                    "too many normal touches have the same score"
                )
        matrix, count = np.array(self.correlation), len(self.knots)
        if (
            matrix.shape != (count, count)
            or not np.allclose(matrix, matrix.T)
            or not np.allclose(np.diag(matrix), 1.0)
            or np.linalg.eigvalsh(matrix)[0] <= 0.0
        ):
            raise ValueError(
                f"Fusion: correlation wanted a positive definite {count} x {count} matrix with ones on its diagonal, "
                f"got {matrix.tolist()}"
            )

    @classmethod
    def fit(cls, how: How, names: Sequence[str], touches: Sequence[Mapping[str, float]]) -> Fusion:
        """Learn what is normal.

        Args:
            how: 'max' or 'mahalanobis'.
            names: Scores to be fused.
            touches: Scores of normal touches that are not used for anything else; those that lack one are left out.

        Raises:
            ValueError: Fewer than `LEAST_TOUCHES` have all scores, or a score is the same for too many.
        """
        rows = np.array([[touch.get(name, math.nan) for name in names] for touch in touches]).reshape(-1, len(names))
        whole = rows[np.isfinite(rows).all(axis=1)]
        if len(whole) < LEAST_TOUCHES:
            raise ValueError(
                f"Fusion: wanted {LEAST_TOUCHES} normal touches or more that have all of {', '.join(names)}, "
                f"got {len(whole)}"
            )
        quantiles = np.quantile(whole, ndtr(KNOTS), axis=0)
        knots = {name: tuple(map(float, column)) for name, column in zip(names, quantiles.T, strict=True)}
        unrelated = cls(how, knots, _rows(np.eye(len(names))))
        normal = np.array([[unrelated.normal_score(n, v) for n, v in zip(names, row, strict=True)] for row in whole])
        found = np.corrcoef(np.clip(normal, -3.0, 3.0), rowvar=False).reshape(len(names), len(names))
        doubt = len(names) / (len(names) + len(whole))  # few touches: rather none than an accidental correlation
        return cls(how, knots, _rows((1.0 - doubt) * found + doubt * np.eye(len(names))))

    def normal_score(self, name: str, value: float) -> float:
        """The standard normal score z of one score's value; NaN of NaN."""
        knots = self.knots[name]
        if value < knots[0]:
            return KNOTS[0] + (value - knots[0]) / (knots[1] - knots[0])
        if value > knots[-1]:
            return KNOTS[-1] + (value - knots[-1]) / (knots[-1] - knots[-2])
        return float(np.interp(value, knots, KNOTS))

    def score(self, touch: Mapping[str, float]) -> float:
        """Fuse the scores of a touch.

        Args:
            touch: By name; those that are NaN or missing do without.

        Returns:
            Larger is odder; NaN if the touch has none of the scores.
        """
        normal = np.array([self.normal_score(name, touch.get(name, math.nan)) for name in self.knots])
        have = ~np.isnan(normal)
        if not have.any():
            return math.nan
        if self.how == "max" or np.isposinf(normal).any():
            return float(normal[have].max())
        odd = np.maximum(normal[have], 0.0)
        matrix = np.array(self.correlation)[np.ix_(have, have)]
        freedom = len(odd)
        distance = float(odd @ np.linalg.solve(matrix, odd))
        spread = 2.0 / (9.0 * freedom)
        return (math.pow(distance / freedom, 1.0 / 3.0) - 1.0 + spread) / math.sqrt(spread)

    def document(self) -> dict[str, Any]:
        """As it is written into a file."""
        return {
            "how": self.how,
            "knots": {name: list(values) for name, values in self.knots.items()},
            "correlation": [list(row) for row in self.correlation],
        }

    @classmethod
    def read(cls, who: str, document: object) -> Fusion:
        """From what `document` gave.

        Args:
            who: Names the file and the field in errors.
            document: What stood in the file.

        Raises:
            ValueError: It is something else; the message names the field.
        """
        fields = checked_mapping(who, document, ("how", "knots", "correlation"))
        knots = checked_mapping(f"{who}.knots", fields["knots"])
        rows = fields["correlation"]
        if not isinstance(rows, list):
            raise ValueError(f"{who}.correlation: wanted rows of numbers, got {rows!r}")  # noqa: TRY004
        how = checked_text(f"{who}.how", fields["how"])
        return cls(
            how,  # type: ignore[arg-type]  # the class checks it
            {name: checked_numbers(f"{who}.knots.{name}", values, len(KNOTS)) for name, values in knots.items()},
            tuple(checked_numbers(f"{who}.correlation", row, len(knots)) for row in rows),
        )


def combined(p_values: Sequence[float], how: Combination) -> float:
    """One p-value of several, where there are no touches to fit a `Fusion` to.

    Nothing is free: for `bonferroni` to find one odd score among k, it needs `least_touches(alpha / k)` normal touches.

    - `bonferroni`: k times the smallest; holds however they depend on each other.
    - `cauchy`: the mean of their Cauchy deviates; holds nearly, for small p, however they depend (Liu and Xie 2020).
      One p-value of 1 would outweigh all others, so they are taken as 0.99 at most.
    - `fisher`: of the sum of their logarithms; holds only if they are independent, which scores of one touch are not.

    Args:
        p_values: More than 0, up to 1; those that are NaN are left out.
        how: See above.

    Returns:
        More than 0, up to 1; NaN if there are none.

    Raises:
        ValueError: A p-value or `how` is not possible.
    """
    if how not in get_args(Combination):
        raise ValueError(f"combined: how wanted one of {get_args(Combination)}, got {how!r}")
    p = np.array([value for value in p_values if not math.isnan(value)])
    if ((p <= 0.0) | (p > 1.0)).any():
        raise ValueError(f"combined: p-values wanted more than 0, up to 1, got {p.tolist()}")
    if not p.size:
        return math.nan
    if how == "bonferroni":
        return float(min(1.0, p.size * p.min()))
    if how == "fisher":
        return float(gammaincc(p.size, -np.log(p).sum()))
    deviate = np.tan((0.5 - np.minimum(p, _MOST_CAUCHY)) * np.pi).mean()
    return float(np.arctan2(1.0, deviate) / np.pi)  # 1/2 - atan(x)/pi without its loss of digits where x is large


def _rows(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in matrix)
