"""Axes of a figure as SVG, which takes its colours and letters from the page that it stands in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

LEFT, RIGHT, TOP, BOTTOM = 54, 12, 10, 40
LETTER_PX: Final = 6.4
"""Width of a letter in labels of the axes, more or less."""

STEPS: Final = (1, 2, 5, 10)

Points = Iterable[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        low: At the left or lower end.
        high: At the other; may be less than `low`.
        label: What it is, with its unit.
        ticks: Value and text of each.
        logarithmic: Both ends are positive then.
    """

    low: float
    high: float
    label: str
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    @classmethod
    def from_zero(cls, most: float, label: str, count: int = 5) -> Axis:
        """An axis from 0 to a round number, with about `count` ticks."""
        most = most if most > 0.0 else 1.0
        size = 10.0 ** math.floor(math.log10(most / count))
        step = next(factor * size for factor in STEPS if factor * size * count >= most * 0.999)
        ticks = [(step * i, f"{step * i:.6g}") for i in range(math.ceil(most / step - 1e-9) + 1)]
        return cls(0.0, ticks[-1][0], label, ticks)

    def share(self, value: float) -> float:
        """Where a value is, 0 to 1; beyond the ends it is put onto them."""
        if self.logarithmic:
            least = min(self.low, self.high)
            part = math.log(max(value, least) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(max(part, 0.0), 1.0)


class Plot:
    """A figure that is drawn bit by bit, what comes first at the back.

    Args:
        title: For who cannot see it.
        x: Horizontal axis.
        y: Vertical one.
        width: px.
        height: px.
    """

    def __init__(self, title: str, x: Axis, y: Axis, width: int = 440, height: int = 300) -> None:
        self._title, self._x, self._y, self.width, self.height = title, x, y, width, height
        self._parts: list[str] = []
        right, bottom = width - RIGHT, height - BOTTOM
        written = -math.inf
        for value, text in x.ticks:
            at = self.across(value)
            self._parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>')
            if at - len(text) * LETTER_PX / 2 > written:
                self._parts.append(_text(at, bottom + 16, text, "tick", "middle"))
                written = at + len(text) * LETTER_PX / 2 + 4
        for value, text in y.ticks:
            at = self.down(value)
            self._parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
            self._parts.append(_text(LEFT - 7, at + 4, text, "tick", "end"))
        self._parts.append(_text((LEFT + right) / 2, height - 6, x.label, "axis", "middle"))
        middle = (TOP + bottom) / 2
        turned = f'transform="rotate(-90 12 {middle:.1f})"'
        self._parts.append(_text(12, middle, y.label, "axis", "middle", turned))

    def across(self, x: float) -> float:
        """Place of a value from the left, px."""
        return LEFT + self._x.share(x) * (self.width - LEFT - RIGHT)

    def down(self, y: float) -> float:
        """Place of a value from the top, px."""
        return TOP + (1.0 - self._y.share(y)) * (self.height - TOP - BOTTOM)

    def line(self, points: Points, kind: str, *, closed: bool = False) -> None:
        """Draw a line, or an area, through points in the units of the axes; `kind` is a class of the page's style."""
        places = " ".join(f"{self.across(x):.1f} {self.down(y):.1f}" for x, y in points)
        self._parts.append(f'<path class="{kind}" d="M{places}{"Z" if closed else ""}"/>')

    def box(self, low: tuple[float, float], high: tuple[float, float], kind: str, told: str = "") -> None:
        """Draw a rectangle between two corners; `told` is shown over it."""
        x, y = self.across(low[0]), self.down(high[1])
        width, height = self.across(high[0]) - x, self.down(low[1]) - y
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect class="{kind}" {place}>{_told(told)}</rect>')

    def mark(self, x: float, y: float, verdict: str, told: str, link: str) -> None:
        """Draw the mark of a verdict that leads to a place in the page."""
        self._parts.append(marked(self.across(x), self.down(y), verdict, told, link))

    def words(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """Write a few words at a place in the units of the axes."""
        self._parts.append(_text(self.across(x), self.down(y), text, "tick", anchor))

    def svg(self) -> Markup:
        """Everything that was drawn."""
        size = f'viewBox="0 0 {self.width} {self.height}"'
        return Markup(  # noqa: S704  (all text in it is escaped)
            f'<svg class="plot" {size} role="img" aria-label="{escape(self._title)}">{"".join(self._parts)}</svg>'
        )


SHAPES: Final = {
    "NORMAL": "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0Z",
    "DIFFERENT": "M0-5.4L5.4 0L0 5.4L-5.4 0Z",
    "MISSING": "M-4.6-4.6H4.6V4.6H-4.6Z",
    "UNEXPECTED": "M0-5.6L5.4 4.2H-5.4Z",
    "UNKNOWN": "M-3.6-3.6L3.6 3.6M-3.6 3.6L3.6-3.6",
}
"""Told apart without colours, too."""


def marked(x: float, y: float, verdict: str, told: str, link: str) -> str:
    """The mark of a verdict at a place, px, as SVG."""
    return (
        f'<a href="{escape(link)}" tabindex="-1" aria-hidden="true"><path class="mark {verdict}" d="{SHAPES[verdict]}" '
        f'transform="translate({x:.1f} {y:.1f})">{_told(told)}</path></a>'
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str, more: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _told(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
