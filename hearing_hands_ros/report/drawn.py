"""Which figures a report has, with their legends and how to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from hearing_hands_ros.report import figures as draw
from hearing_hands_ros.report.columns import Column
from hearing_hands_ros.report.measures import OWN, Separation, Times
from hearing_hands_ros.report.media import data_url
from hearing_hands_ros.report.places import Places
from hearing_hands_ros.report.plot import marked
from hearing_hands_ros.report.summary import seconds
from hearing_hands_ros.report.table import Line

TOLD: Final = {OWN: "the comparator"}


@dataclass(frozen=True)
class LegendItem:
    """A line of a legend."""

    colour: str
    name: str
    value: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page."""

    title: str
    svg: Markup
    legend: Sequence[LegendItem]
    note: str


@dataclass(frozen=True)
class SeparationRow:
    """A row of the table of scores."""

    column: dict[str, str]
    name: str
    colour: str
    one: Separation


def figures(columns: Sequence[Column]) -> list[Figure]:
    """All that there is something to draw for."""
    found = [_roc(columns), _calibration(columns)]
    found.append(_times(columns, "verdict after the end of the touch", [c.measures.latency for c in columns]))
    found.append(_times(columns, "computing of a prediction", [c.measures.compute for c in columns]))
    return [figure for figure in found if figure is not None]


def separations(columns: Sequence[Column]) -> list[SeparationRow]:
    """Scores that tell odd touches from normal ones, the comparator's first."""
    return [
        SeparationRow(
            {"letter": column.letter, "colour": draw.colour(number)},
            _name(one),
            draw.colour(number) if one.name == OWN else draw.baseline_colour(place - 1),
            one,
        )
        for number, column in enumerate(columns)
        for place, one in enumerate(column.measures.separations)
    ]


def over_time(column: Column, number: int, table: Sequence[Line]) -> Markup:
    """Verdicts of one replay over time."""
    dots = [
        (line.time_s, e.touch.p_value, e.touch.verdict, _told(line, e.touch.verdict), f"#t{line.number}")
        for line in table
        for e in line.entries
        if e.column == number
    ]
    return draw.over_time(dots, column.run.replayed_s, column.run.alpha)


def maps(columns: Sequence[Column], table: Sequence[Line], places: Mapping[str, Places]) -> list[dict[str, Any]]:
    """Each scene with its touches in it, the odd ones on top."""
    found = []
    for scene, rendered in places.items():
        mine = [line for line in table if columns[line.entries[0].column].run.scene == scene and line.touch.position_m]
        mine.sort(key=lambda line: line.touch.verdict != "NORMAL")
        if not mine:
            continue
        seen = rendered.map([line.touch for line in mine])
        marks = "".join(
            marked(*at, line.touch.verdict, _told(line, line.touch.verdict), f"#t{line.number}")
            for line, at in zip(mine, seen.at, strict=True)
            if at is not None
        )
        name = next(column.run.scene_name for column in columns if column.run.scene == scene)
        found.append(
            {
                "name": name,
                "picture": data_url(seen.picture, "image/jpeg"),
                "marks": Markup(marks),  # noqa: S704  (made by us)
                "size": seen.size,
            }
        )
    return found


def _roc(columns: Sequence[Column]) -> Figure | None:
    curves, legend = [], []
    for number, column in enumerate(columns):
        for place, one in enumerate(column.measures.separations):
            if one.name != OWN and len(columns) > 1:
                continue  # the table has them
            kind = draw.colour(number) if one.name == OWN else draw.baseline_colour(place - 1)
            curves.append((kind, one))
            legend.append(LegendItem(kind, column.name if len(columns) > 1 else _name(one), f"{one.auc:.2f}"))
    if not curves:
        return None
    note = (
        "Area under each curve beside its name. Shaded: up to 10 % false alarms. Touches without a score are left out."
    )
    return Figure("Odd touches told from normal ones", draw.roc(curves), legend, note)


def _calibration(columns: Sequence[Column]) -> Figure | None:
    found = [(n, c, c.measures.uniformity) for n, c in enumerate(columns) if c.measures.uniformity is not None]
    curves = [(draw.colour(number), uniform) for number, _, uniform in found if uniform]
    if not curves:
        return None
    legend = [
        LegendItem(draw.colour(number), column.name if len(columns) > 1 else "touches", f"{uniform.distance:.2f} off")
        for number, column, uniform in found
        if uniform
    ]
    of = "labelled normal" if all(uniform.labelled for _, uniform in curves) else "not labelled odd"
    note = (
        f"Touches {of}. On the diagonal α is kept; above it there are more false alarms than were asked for. Off: "
        "Kolmogorov-Smirnov distance. Shaded: where 95 % of samples of this size lie."
    )
    return Figure("Calibration of p-values", draw.calibration(curves), legend, note)


def _times(columns: Sequence[Column], label: str, spans: Sequence[Times | None]) -> Figure | None:
    curves = [(draw.colour(number), span) for number, span in enumerate(spans) if span]
    if not curves:
        return None
    legend = [
        LegendItem(draw.colour(n), f"{column.name}: p50" if len(columns) > 1 else "p50",
                   f"{seconds(span.p50_s)}, p95 {seconds(span.p95_s)}")
        for n, (column, span) in enumerate(zip(columns, spans, strict=True))
        if span
    ]  # fmt: skip
    late = ", ".join(f"{100.0 * span.missed:.2g} %" for _, span in curves)
    note = f"A touch waits {curves[0][1].deadline_s:g} s for its prediction (dashed, where near): {late} took longer."
    return Figure(label[0].upper() + label[1:], draw.times(curves, label), legend, note)


def _name(one: Separation) -> str:
    return TOLD.get(one.name, one.name.replace("_", " "))


def _told(line: Line, verdict: str) -> str:
    p = "" if math.isnan(line.p_value) else f", p {line.p_value:.3f}"
    return f"{line.time_s:.2f} s: {line.touch.material} {line.touch.kind or 'no touch'}, {verdict}{p}"
