"""The report for machines: everything that the page shows, but for its pictures and sounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np

from hearing_hands_ros.report.columns import Column
from hearing_hands_ros.report.measures import Measures
from hearing_hands_ros.report.table import Line

FORMAT: Final = 1


def document(columns: Sequence[Column], table: Sequence[Line]) -> dict[str, Any]:
    """What `report.json` holds; NaN is null in it."""
    return plain(
        {
            "format": FORMAT,
            "replays": [
                {
                    "letter": column.letter,
                    "name": column.name,
                    "folder": str(column.results.folder),
                    "run": column.run,
                    "measures": {**dataclasses.asdict(column.measures), **_derived(column.measures)},
                }
                for column in columns
            ],
            "touches": [
                {
                    "number": line.number,
                    "time_s": line.time_s,
                    "in_page": line.has_media,
                    "results": {
                        columns[entry.column].letter: {**dataclasses.asdict(entry.touch), "outcome": entry.outcome}
                        for entry in line.entries
                    },
                }
                for line in table
            ],
        }
    )


def plain(value: Any) -> Any:
    """What JSON has: null for what is not finite, lists for arrays, mappings for objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum | Path):
        return str(value)
    return value


def _derived(figures: Measures) -> dict[str, Any]:
    """Figures that are made of others."""
    spans = {"compute": figures.compute, "latency": figures.latency, "delay": figures.delay}
    return {
        "alarms_each_hour": figures.false_alarms.each_hour,
        **{f"{name}_p50_s": span.p50_s for name, span in spans.items() if span},
        **{f"{name}_p95_s": span.p95_s for name, span in spans.items() if span},
        **{f"{name}_missed": span.missed for name, span in spans.items() if span},
    }
