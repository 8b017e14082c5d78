"""Writes the report of one or more replays: report.html, which needs nothing else, and report.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from hearing_hands_ros import __version__
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.progress import progress
from hearing_hands_ros.replay.result import BEFORE_S
from hearing_hands_ros.report import table as rows_of
from hearing_hands_ros.report.card import card_html
from hearing_hands_ros.report.columns import Column, read_columns
from hearing_hands_ros.report.document import document, plain
from hearing_hands_ros.report.drawn import figures, maps, over_time, separations
from hearing_hands_ros.report.figures import colour
from hearing_hands_ros.report.matching import rows
from hearing_hands_ros.report.media import data_url
from hearing_hands_ros.report.places import Places, open_places
from hearing_hands_ros.report.plot import SHAPES
from hearing_hands_ros.report.script_data import details, sounds
from hearing_hands_ros.report.summary import duration, facts, materials, verdict_counts
from hearing_hands_ros.report.table import HANDS, SHOWN_S, Line
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.whole_file import write_text

MOST_MEDIA: Final = 150
"""Touches that can be seen and heard in the page."""

PAGE, DOCUMENT = "report.html", "report.json"
SIZE: Final = "@@SIZE@@"


def write_report(folders: Sequence[Path], out: Path, most_media: int = MOST_MEDIA) -> None:
    """Write OUT/report.html and OUT/report.json.

    Args:
        folders: What replays have written; several stand beside each other.
        out: Folder; is made if there is none.
        most_media: Touches that can be seen and heard in the page.

    Raises:
        FileNotFoundError: A folder is missing.
        ValueError: One is not what a replay writes.
        OSError: The report cannot be written; an older one is still there then.
    """
    columns = read_columns(folders)
    sequence = SequenceConfig()
    table = rows_of.lines(rows([column.results for column in columns], [column.touches for column in columns]))
    shown = rows_of.chosen(table, most_media)
    for line in progress(shown, "sounds and pictures"):
        rows_of.fill(line, columns, sequence)
    places, unseen = open_places(column.run.scene for column in columns if column.run.scene)
    _look(shown, columns, places)
    page = _page(columns, table, places, unseen, sequence)
    out = out.expanduser()
    out.mkdir(parents=True, exist_ok=True)
    write_text(
        out / DOCUMENT, json.dumps(document(columns, table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )
    write_text(out / PAGE, page.replace(SIZE, f"{len(page.encode()) / 1e6:.1f} MB"))


def _page(
    columns: Sequence[Column],
    table: Sequence[Line],
    places: Mapping[str, Places],
    unseen: Sequence[str],
    sequence: SequenceConfig,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hearing_hands_ros", "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["known"] = known
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    labelled = any(column.measures.labelled for column in columns)
    outcomes = {entry.outcome for line in table for entry in line.entries} - {""}
    outcomes |= {"replays differ"} if any(line.differs for line in table) else set()
    filters = [
        {"name": "material", "choices": sorted({line.touch.material for line in table} - {""})},
        {"name": "kind", "choices": sorted({line.touch.kind or "no touch" for line in table})},
        {"name": "hand", "choices": sorted({HANDS.get(line.touch.hand, "") for line in table} - {""})},
        {"name": "outcome", "choices": sorted(outcomes)},
    ]
    compared = [facts(column) for column in columns]
    labels = list(dict.fromkeys(fact.label for told in compared for fact in told))
    return environment.get_template("report.html.j2").render(
        title=f"Replay of {columns[0].name}" if len(columns) == 1 else f"{len(columns)} replays compared",
        lead=_lead(columns),
        columns=[_column(column, number, table) for number, column in enumerate(columns)],
        comparison=[
            {"label": label, "facts": [next((f for f in told if f.label == label), None) for told in compared]}
            for label in labels
        ],
        maps=maps(columns, table, places),
        unseen=unseen,
        shapes=SHAPES,
        lines=table,
        order={verdict.name: place for place, verdict in enumerate(sorted(Verdict, reverse=True))},
        hands=HANDS,
        before_s=BEFORE_S,
        shown_s=f"{SHOWN_S:g}" if any(e.seconds >= SHOWN_S for line in table for e in line.entries) else "",
        with_media=sum(line.has_media for line in table),
        all_verdicts=verdict_counts(line.entries[0].touch.verdict for line in table),
        filters=filters,
        labelled=labelled,
        figures=figures(columns),
        separations=separations(columns),
        materials=materials(columns, table),
        details=details(columns, table, sequence),
        sounds=sounds(table),
        version=__version__,
        written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        licence=_licences(columns),
    )


def known(value: float, form: str, otherwise: str = "–") -> str:
    """A number as text, or something else for NaN."""
    return otherwise if math.isnan(value) else form % value


def _lead(columns: Sequence[Column]) -> str:
    run = columns[0].run
    if len(columns) > 1:
        told = "; ".join(f"{column.letter}: {column.name}" for column in columns)
        return f"{told}. The same touch of the same recording is one row."
    scene = f" in the scene {run.scene_name}" if run.scene_name else ""
    judged = f"calibrated by {Path(run.calibration).name}" if run.calibration else "without a calibration"
    return (
        f"{duration(run.replayed_s)} of {Path(run.bag).name}{scene}, {run.mode}. Predicted by {run.model.name}, "
        f"judged at α = {run.alpha:g}, {judged}."
    )


def _column(column: Column, number: int, table: Sequence[Line]) -> dict[str, Any]:
    run = column.run
    told = {
        "recording": run.bag,
        "replayed": f"{run.mode}, {duration(run.replayed_s)} of {duration(run.seconds)}, begun {run.started}",
        "scene": f"{run.scene_name} ({run.scene})" if run.scene_name else run.scene,
        "model": run.model.name,
        "its folder": run.model.folder,
        "its weights (SHA-256)": run.model.sha256,
        "its licence": run.model.licence,
        "calibration": f"{run.calibration}: {run.calibrated_on}" if run.calibration else "none",
        "labels": run.labels or "none",
        "change alarms": f"{column.measures.change_alarms}; {100 * column.measures.change:.0f} % of the way at most",
        "median lag of onsets": "" if column.measures.lag_s is None else f"{1e3 * column.measures.lag_s:+.1f} ms",
        "quiet": "" if math.isnan(run.quiet_s) else f"{run.quiet_s:.0f} s without a touch, all of them heard",
        "machine": run.machine,
    }
    rest = {"counts": run.counts, "versions": run.versions, "settings": run.settings}
    return {
        "letter": column.letter,
        "name": column.name,
        "colour": colour(number),
        "ended": run.ended,
        "verdicts": [(name, column.measures.verdicts[name]) for name in SHAPES],
        "facts": facts(column),
        "over_time": over_time(column, number, table),
        "details": list(told.items()),
        "notes": run.notes,
        "missed": ", ".join(
            f"{one.label.replace('_', ' ')} at {(one.stamp_ns - run.begin_ns) * 1e-9:.2f} s" for one in run.missed
        ),
        "card": card_html(run.model.card) if run.model.card else Markup(),
        "settings": json.dumps(plain(rest), indent=1, ensure_ascii=False),
    }


def _licences(columns: Sequence[Column]) -> str:
    told = {column.run.model.licence: column.run.model.name for column in columns if column.run.model.licence}
    texts = [f"the weights of {name} are under {licence}" for licence, name in told.items()]
    return f"Licences: {'; '.join(texts)}; that of the recordings is for whoever made them to say." if texts else ""


def _look(shown: Sequence[Line], columns: Sequence[Column], places: Mapping[str, Places]) -> None:
    """Put pictures of the touched places into rows."""
    for scene, rendered in places.items():
        mine = [
            line
            for line in shown
            if columns[line.entries[0].column].run.scene == scene and line.touch.position_m and line.touch.normal
        ]
        for line, spot in zip(mine, rendered.spots([line.touch for line in mine]), strict=True):
            line.spot_jpeg = data_url(spot, "image/jpeg")
