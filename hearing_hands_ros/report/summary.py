"""The first things that a reader of a report wants to know, as words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hearing_hands_ros.replay.result import LIVE
from hearing_hands_ros.report.columns import Column
from hearing_hands_ros.report.measures import ALARMS, OWN, Measures, Times
from hearing_hands_ros.report.plot import SHAPES
from hearing_hands_ros.report.table import Line

NOT_KNOWN: Final = "–"


@dataclass(frozen=True)
class Fact:
    """A figure and how to read it."""

    label: str
    value: str
    note: str = ""


def facts(column: Column) -> list[Fact]:
    """What a replay comes to; the same facts in the same order for each."""
    run, figures = column.run, column.measures
    alarms = sum(figures.verdicts[name] for name in ALARMS)
    said = f"{figures.alone} sounds without one" if figures.alone else "and no sound without one"
    return [
        Fact("touches judged", str(figures.touches), f"{said}, in {duration(run.replayed_s)}"),
        Fact("not normal", str(alarms), ", ".join(f"{figures.verdicts[n]} {n}" for n in ALARMS if figures.verdicts[n])),
        Fact("not known", str(figures.verdicts["UNKNOWN"]), "verdict UNKNOWN: it says why"),
        _alarms(figures),
        *_labels(figures),
        _calibrated(column),
        *([_time("verdict, p95", figures.latency, "after the end of the touch")] if run.mode == LIVE else []),
        *([_time("alarm, p95", figures.delay, "after the begin of the touch")] if run.mode == LIVE else []),
        _time("prediction, p95", figures.compute, "of computing"),
        _speed(column),
    ]


def duration(seconds: float) -> str:
    """As '4 min 58 s'."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def _alarms(figures: Measures) -> Fact:
    rate = figures.false_alarms
    name = "false alarms per hour" if figures.labelled else "alarms per hour"
    note = f"95 %: {rate.low:.3g} to {rate.high:.3g}; {rate.events} in {duration(rate.hours * 3600.0)}"
    return Fact(name, f"{rate.each_hour:.3g}", note if figures.labelled else f"{note}; false if nothing was odd")


def _labels(figures: Measures) -> list[Fact]:
    if not figures.labelled:
        return []
    found, of = sum(one.found for one in figures.found), sum(one.of for one in figures.found)
    kinds = ", ".join(f"{one.label.replace('_', ' ')} {one.found}/{one.of}" for one in figures.found)
    told = [Fact("odd ones found", f"{found} of {of}", kinds)]
    own = next((one for one in figures.separations if one.name == OWN), None)
    if own:
        by = "" if figures.uniformity else "of the anomaly score, without p-values; "
        note = f"{by}95 %: {own.low:.2f} to {own.high:.2f}; up to 10 % false alarms {own.partial_auc:.2f}"
        told.append(Fact("area under the ROC", f"{own.auc:.2f}", note))
    return told


def _calibrated(column: Column) -> Fact:
    uniform = column.measures.uniformity
    if uniform is None:
        return Fact("p-values off uniform", NOT_KNOWN, "there are none: no calibration, or one for another model")
    of = "normal" if uniform.labelled else "unlabelled"
    under = float((uniform.p_values <= column.run.alpha).mean())
    note = f"of {len(uniform.p_values)} {of} touches; {under:.3f} are at most α = {column.run.alpha:g}"
    return Fact("p-values off uniform", f"{uniform.distance:.2f}", note)


def _time(label: str, times: Times | None, what: str) -> Fact:
    if times is None:
        return Fact(label, NOT_KNOWN)
    missed = f"{100.0 * times.missed:.2g} % over {times.deadline_s:g} s"
    return Fact(label, seconds(times.p95_s), f"{what}; half in {seconds(times.p50_s)}; {missed}")


def seconds(value_s: float) -> str:
    """As '240 ms' or '1.32 s'."""
    return f"{value_s:.2f} s" if value_s >= 1.0 else f"{1e3 * value_s:.0f} ms"


def _speed(column: Column) -> Fact:
    run = column.run
    if run.mode == LIVE:
        return Fact("played", "in real time", "through the ROS graph")
    times = f"{run.replayed_s / run.wall_s:.1f} ×" if run.wall_s > 0.0 else NOT_KNOWN
    return Fact("replayed", times, f"real time, {duration(run.wall_s)} in all")


def materials(columns: Sequence[Column], table: Sequence[Line]) -> list[dict[str, Any]]:
    """Verdicts by material, a row each."""
    names = sorted({line.touch.material or ("not named" if line.touch.kind else "no touch") for line in table})
    cells: dict[str, list[list[str]]] = {name: [[] for _ in columns] for name in names}
    for line in table:
        name = line.touch.material or ("not named" if line.touch.kind else "no touch")
        for entry in line.entries:
            cells[name][entry.column].append(entry.touch.verdict)
    return [{"name": name, "cells": [verdict_counts(said) if said else None for said in cells[name]]} for name in names]


def verdict_counts(said: Iterable[str]) -> list[tuple[str, int]]:
    """How many there are of each verdict, in the order of the page."""
    counted = Counter(said)
    return [(name, counted[name]) for name in SHAPES]
