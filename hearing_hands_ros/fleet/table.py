"""The table of a fleet: for a terminal, for people (Markdown), for spreadsheets (CSV) and for programs (JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.fleet.row import ALL, Row
from hearing_hands_ros.plain import plain
from hearing_hands_ros.whole_file import write_text

NAME: Final = "fleet"
NONE: Final = "–"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else NONE


def _count(verdict: str, row: Row) -> str:
    return str(row.verdicts[verdict])


COLUMNS: Final[dict[str, Callable[[Row], str]]] = {
    "model": lambda row: row.model,
    "bag": lambda row: row.bag,
    "state": lambda row: row.state,
    "minutes": lambda row: _number(row.minutes, 1),
    "touches": lambda row: str(row.touches),
    **{verdict.name.lower(): partial(_count, verdict.name) for verdict in Verdict},
    "false alarms/h": lambda row: _number(row.alarms_per_hour, 1),
    "found": lambda row: f"{row.found} of {row.odd}" if row.odd else NONE,
    "AUC": lambda row: _number(row.auc, 2),
    "STFT distance": lambda row: _number(row.stft_distance, 2),
    "compute p95, s": lambda row: _number(row.compute_p95_s, 2),
    "x real time": lambda row: _number(row.speed, 1),
}


def write_tables(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Write fleet.md, fleet.csv and fleet.json into a folder, each at once; return where they are."""
    texts = {"md": markdown(rows), "csv": _csv(rows), "json": _json(rows)}
    paths = []
    for end, text in texts.items():
        paths.append(folder / f"{NAME}.{end}")
        write_text(paths[-1], text)
    return paths


def markdown(rows: Sequence[Row]) -> str:
    """The table, and under it why cells failed."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|" + "---:|" * (len(COLUMNS) - 3)]
    lines += ["| " + " | ".join(cells).replace("\n", " ") + " |" for cells in map(_cells, rows)]
    failed = [f"- {row.bag} with {row.model} failed: {row.reason}" for row in rows if row.reason]
    return "\n".join([*lines, *(["", *failed] if failed else []), ""])


def for_terminal(rows: Sequence[Row]) -> Table:
    """The table with colours."""
    table = Table(caption="false alarms: on what no label calls odd")
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if number < 3 else "right", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row), style="red" if row.reason else "bold" if row.bag == ALL else "")
    return table


def _cells(row: Row) -> list[str]:
    if row.reason:
        return [row.model, row.bag, row.state, *[NONE] * (len(COLUMNS) - 3)]
    return [cell(row) for cell in COLUMNS.values()]


def _document(row: Row) -> dict[str, Any]:
    """Fields of a row, verdicts beside the others; None for what is not known."""
    values: dict[str, Any] = plain(asdict(row))
    verdicts = {name.lower(): count for name, count in values.pop("verdicts").items()}
    return values | verdicts


def _csv(rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    documents = [_document(row) for row in rows]
    writer = csv.DictWriter(stream, list(documents[0]) if documents else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(documents)
    return stream.getvalue()


def _json(rows: Sequence[Row]) -> str:
    document = {"format": 1, "rows": [_document(row) for row in rows]}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
