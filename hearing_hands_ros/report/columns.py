"""Replays as the columns of a report: read, measured, and named by what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hearing_hands_ros.replay.result import ReplayResults, Run, TouchResult, read_results
from hearing_hands_ros.report.measures import Measures, measures

SEED: Final = 0
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, eq=False)
class Column:
    """One replay.

    Attributes:
        letter: Short for it.
        name: What tells it from the others.
        results: Its folder.
        touches: All its verdicts.
        measures: Its figures.
    """

    letter: str
    name: str
    results: ReplayResults
    touches: tuple[TouchResult, ...]
    measures: Measures

    @property
    def run(self) -> Run:
        """What was replayed with what."""
        return self.results.run


def read_columns(folders: Sequence[Path]) -> list[Column]:
    """Read and measure replays.

    Raises:
        FileNotFoundError: A folder is missing.
        ValueError: There is none, there are more than letters, or one is not what a replay writes.
    """
    if not 0 < len(folders) <= len(LETTERS):
        raise ValueError(f"report: wanted 1 to {len(LETTERS)} folders of replays, got {len(folders)}")
    found = [read_results(folder) for folder in folders]
    columns = []
    for letter, name, results in zip(LETTERS, names(found), found, strict=False):
        touches = tuple(results.touches())
        figures = measures(results.run, touches, np.random.default_rng(SEED))
        columns.append(Column(letter, name, results, touches, figures))
    return columns


def names(replays: Sequence[ReplayResults]) -> list[str]:
    """A name for each: bag, model and so on, as far as they differ."""
    parts = [
        (
            Path(replay.run.bag).stem,
            replay.run.model.name.partition("@")[0],
            replay.run.model.name,
            replay.run.mode,
            f"calibrated by {Path(replay.run.calibration).stem}" if replay.run.calibration else "not calibrated",
            f"alpha {replay.run.alpha:g}",
        )
        for replay in replays
    ]
    told = [i for i in range(len(parts[0])) if len({part[i] for part in parts}) > 1]
    if 1 in told:
        told.remove(2)  # the hash tells models of one name apart, and no others
    if len(replays) == 1:
        told = [0]
    found = [" · ".join(part[i] for i in told) for part in parts]
    return found if len(set(found)) == len(found) else [replay.folder.name for replay in replays]
