"""The figures of a cell, and of all cells of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.fleet.cell import FAILED, Outcome
from hearing_hands_ros.replay.result import ReplayResults, Run, TouchResult, read_results
from hearing_hands_ros.report.measures import OWN, measures
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.spectral import stft_distance

ALL = "all"
SEED = 0
"""Of the draws of intervals, which the table does not show."""


@dataclass(frozen=True)
class Row:
    """One line of the table; what is not known is NaN.

    Attributes:
        bag: Name of the recording, or `ALL` of them.
        model: Name of the model's folder.
        state: Of the cell; empty for `ALL`.
        reason: Why it failed.
        minutes: Replayed.
        touches: Judged.
        verdicts: How many of each.
        alarms_per_hour: Alarms on touches and sounds that no label calls odd.
        found: Odd events that got an alarm.
        odd: Odd events that the labels tell of.
        auc: Area under the ROC of odd against normal touches.
        stft_distance: Mean over touches, predicted against heard: 0 for the truth, 1 for silence.
        compute_p95_s: Wall time of a prediction.
        speed: Times real time, without loading.
        folder: Of the results.
    """

    bag: str
    model: str
    state: str
    reason: str = ""
    minutes: float = math.nan
    touches: int = 0
    verdicts: Mapping[str, int] = field(default_factory=lambda: {verdict.name: 0 for verdict in Verdict})
    alarms_per_hour: float = math.nan
    found: int = 0
    odd: int = 0
    auc: float = math.nan
    stft_distance: float = math.nan
    compute_p95_s: float = math.nan
    speed: float = math.nan
    folder: str = ""


@dataclass(frozen=True)
class _Replayed:
    """A cell that did not fail.

    Attributes:
        outcome: Of the cell.
        run: What was replayed with what.
        touches: All verdicts.
        distances: STFT distance of each touch that has one.
    """

    outcome: Outcome
    run: Run
    touches: Sequence[TouchResult]
    distances: Sequence[float]


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """A row a cell, and after the cells of a model that has several one of all that did not fail.

    Raises:
        ValueError: Results on disk are broken.
    """
    rows = []
    for model in dict.fromkeys(outcome.cell.model for outcome in outcomes):
        whole = []
        for outcome in outcomes:
            if outcome.cell.model == model and outcome.folder is not None:
                whole.append(_read(outcome, outcome.folder))
                rows.append(_row([whole[-1]]))
            elif outcome.cell.model == model:
                rows.append(Row(outcome.cell.bag.name, outcome.cell.name_of_model, FAILED, outcome.reason))
        if len(whole) > 1:
            rows.append(replace(_row(whole), bag=ALL, state="", folder=""))
    return rows


def _read(outcome: Outcome, folder: Path) -> _Replayed:
    results = read_results(folder)
    touches = list(results.touches())
    distances = [_distance(results, touch) for touch in touches]
    return _Replayed(outcome, results.run, touches, [one for one in distances if math.isfinite(one)])


def _row(cells: Sequence[_Replayed]) -> Row:
    """The figures of some cells of one model, taken together as one replay."""
    first = cells[0]
    run = replace(
        first.run,
        replayed_s=sum(cell.run.replayed_s for cell in cells),
        wall_s=sum(cell.run.wall_s for cell in cells),
        missed=tuple(chain.from_iterable(cell.run.missed for cell in cells)),
    )
    touches = list(chain.from_iterable(cell.touches for cell in cells))
    distances = list(chain.from_iterable(cell.distances for cell in cells))
    measured = measures(run, touches, np.random.default_rng(SEED))
    own = [separation.auc for separation in measured.separations if separation.name == OWN]
    return Row(
        bag=first.outcome.cell.bag.name,
        model=first.outcome.cell.name_of_model,
        state=first.outcome.state,
        minutes=run.replayed_s / 60.0,
        touches=measured.touches,
        verdicts=measured.verdicts,
        alarms_per_hour=measured.false_alarms.each_hour,
        found=sum(found.found for found in measured.found),
        odd=sum(found.of for found in measured.found),
        auc=own[0] if own else math.nan,
        stft_distance=float(np.mean(distances)) if distances else math.nan,
        compute_p95_s=math.nan if measured.compute is None else measured.compute.p95_s,
        speed=run.replayed_s / run.wall_s if run.wall_s else math.nan,
        folder=str(first.outcome.folder),
    )


def _distance(results: ReplayResults, touch: TouchResult) -> float:
    """How far the predicted sound is from the heard one; NaN if one is missing or nothing was heard."""
    heard, predicted = results.heard(touch), results.predicted(touch)
    if heard is None or predicted is None:
        return math.nan
    truth, guess = (soundfile.read(path, dtype="float32")[0] for path in (heard, predicted))
    return stft_distance(truth, guess, SequenceConfig()) if truth.any() else math.nan
