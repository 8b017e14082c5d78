"""The table for people and for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hearing_hands_ros.train.evaluation.ceiling import Ceiling
from hearing_hands_ros.train.evaluation.measures import MEASURES, Measure
from hearing_hands_ros.train.evaluation.run import Row
from hearing_hands_ros.train.evaluation.tally import Cell

FORMAT = "hearing_hands_ros/evaluation/1"


@dataclass(frozen=True)
class Setting:
    """What was measured on.

    Attributes:
        dataset: Its name.
        origin: 'simulated' or 'recorded'.
        split: Of it.
        scenes: How many.
        items: How many.
        touches: How many are judged.
        alone: How many of them can be told from their neighbours, and so are given to the probes.
        embedding: Of sounds.
        ceiling: What its probe tells of a bank's recordings; None if no bank was given.
    """

    dataset: str
    origin: str
    split: str
    scenes: int
    items: int
    touches: int
    alone: int
    embedding: str
    ceiling: Ceiling | None = None

    def __str__(self) -> str:
        """For people."""
        text = (
            f"{self.items} items of {self.scenes} {self.origin} scenes ('{self.dataset}', split {self.split}); "
            f"{self.touches} touches, {self.alone} of them alone; sound embedding: {self.embedding}."
        )
        if self.ceiling:
            text += (
                f" Its probe tells the material of {self.ceiling.recordings} real recordings (of "
                f"{self.ceiling.materials} materials, cross-validated by group) in {100 * self.ceiling.material:.0f} %,"
                f" always the most frequent one would be {100 * self.ceiling.chance:.0f} %."
            )
        return f"{text} In brackets: 95 % interval over scenes."


def markdown(setting: Setting, rows: Sequence[Row]) -> str:
    """The table, a system a row, each value with its 95 % interval."""
    lines = [
        str(setting),
        "",
        "| | " + " | ".join(f"{m.title} {'↑' if m.higher else '↓'}" for m in MEASURES) + " |",
        "|---" * (len(MEASURES) + 1) + "|",
    ]
    lines += ["| " + " | ".join([row.name, *(_text(row.cells[m.key], m) for m in MEASURES)]) + " |" for row in rows]
    lines += [""] + [f"- **{row.name}**: {row.note}" for row in rows]
    return "\n".join(lines) + "\n"


def write(folder: str | Path, setting: Setting, rows: Sequence[Row]) -> None:
    """Write `table.md` and `table.json`; the folder is made."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(markdown(setting, rows), encoding="utf-8")
    document = {
        "format": FORMAT,
        **asdict(setting),
        "measures": [{"key": m.key, "title": m.title, "better": "higher" if m.higher else "lower"} for m in MEASURES],
        "systems": [
            {
                "name": row.name,
                "note": row.note,
                "seconds_per_second": row.seconds,
                "values": {key: _values(cell) for key, cell in row.cells.items()},
            }
            for row in rows
        ],
    }
    (folder / "table.json").write_text(json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _text(cell: Cell, measure: Measure) -> str:
    if math.isnan(cell.value):
        return "–"
    if measure.percent:
        return f"{100 * cell.value:.0f} % [{100 * cell.low:.0f}, {100 * cell.high:.0f}]"
    return f"{cell.value:.2f} [{cell.low:.2f}, {cell.high:.2f}]"


def _values(cell: Cell) -> dict[str, float] | None:
    return None if math.isnan(cell.value) else {"value": cell.value, "low": cell.low, "high": cell.high}
