"""The figures of one replay: verdicts, false alarms, how well odd touches are told from normal ones, and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from hearing_hands_ros.compare.scoring.scorer import ANOMALY
from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.replay.result import LIVE, NORMAL, UNLABELLED, Run, TouchResult
from hearing_hands_ros.train.anomalies.measure import auc, partial_auc, uniformity

ALARMS: Final = (Verdict.DIFFERENT.name, Verdict.MISSING.name, Verdict.UNEXPECTED.name)
OWN: Final = "comparator"
"""Name of the comparator's own score among those of the baselines."""

DRAWS: Final = 500
SURE: Final = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """Events each hour.

    Attributes:
        events: How many there were.
        hours: In how long a time, > 0.
        low: Lowest rate that fits, 95 %, 1/h.
        high: Highest rate that fits.
    """

    events: int
    hours: float
    low: float
    high: float

    @classmethod
    def of(cls, events: int, hours: float) -> Rate:
        """With the exact interval of a Poisson count (Garwood 1936)."""
        tail = (1.0 - SURE) / 2.0
        low = chi2.ppf(tail, 2 * events) / 2.0 if events else 0.0
        high = chi2.ppf(1.0 - tail, 2 * events + 2) / 2.0
        return cls(events, hours, float(low) / hours, float(high) / hours)

    @property
    def each_hour(self) -> float:
        """Events by time."""
        return self.events / self.hours


@dataclass(frozen=True)
class Found:
    """Events of one label that are not normal, and how many of them got an alarm."""

    label: str
    found: int
    of: int


@dataclass(frozen=True, eq=False)
class Separation:
    """How well one score tells odd touches from normal ones.

    Attributes:
        name: Of the score.
        normal: Normal touches that have it.
        odd: Odd ones that have it.
        auc: Area under the ROC.
        low: Lower end of its 95 % interval, over touches drawn anew.
        high: Upper end.
        partial_auc: Mean share found at false-alarm rates up to 0.1.
        false_rate: (N,) of the ROC, ascending from 0 to 1.
        found_rate: (N,) beside it.
    """

    name: str
    normal: int
    odd: int
    auc: float
    low: float
    high: float
    partial_auc: float
    false_rate: Array
    found_rate: Array

    @classmethod
    def of(cls, name: str, normal: Array, odd: Array, rng: np.random.Generator) -> Separation:
        """Of finite scores, larger ones odder; there is at least one of each."""
        drawn = [auc(rng.choice(normal, len(normal)), rng.choice(odd, len(odd))) for _ in range(DRAWS)]
        low, high = np.quantile(drawn, ((1.0 - SURE) / 2.0, (1.0 + SURE) / 2.0))
        limits = np.append(np.unique(np.concatenate([normal, odd]))[::-1], -np.inf)
        rates = [np.concatenate([[0.0], [float(np.mean(of >= limit)) for limit in limits]]) for of in (normal, odd)]
        return cls(
            name, len(normal), len(odd), auc(normal, odd), float(low), float(high), partial_auc(normal, odd), *rates
        )


@dataclass(frozen=True, eq=False)
class Times:
    """How long something took.

    Attributes:
        values_s: (N,) N > 0, ascending.
        deadline_s: A touch waits so long for its prediction.
    """

    values_s: Array
    deadline_s: float

    @property
    def p50_s(self) -> float:
        """Half of them took at most so long."""
        return float(np.quantile(self.values_s, 0.5))

    @property
    def p95_s(self) -> float:
        """All but one in twenty took at most so long."""
        return float(np.quantile(self.values_s, 0.95))

    @property
    def missed(self) -> float:
        """Share that took longer than the deadline."""
        return float(np.mean(self.values_s > self.deadline_s))


@dataclass(frozen=True, eq=False)
class Uniformity:
    """P-values of touches that are normal, which ought to be uniform.

    Attributes:
        p_values: (N,) ascending.
        distance: From the uniform distribution (Kolmogorov, Smirnov).
        chance: That uniform ones are as far.
        labelled: The touches are labelled normal; else there are no labels, and some may be odd.
    """

    p_values: Array
    distance: float
    chance: float
    labelled: bool


@dataclass(frozen=True, eq=False)
class Measures:
    """Everything about one replay.

    Attributes:
        touches: That were judged.
        alone: Verdicts on sounds without a touch.
        verdicts: How many of each, in the order of `Verdict`.
        labelled: There are labels.
        false_alarms: Alarms on what is labelled normal; on anything without labels.
        found: By label, sounds without a touch and events without a verdict among them; empty without labels.
        separations: The comparator's, then those of baselines; empty without normal and odd touches.
        uniformity: Of p-values; None if there are none.
        compute: Wall time of a prediction; None without one.
        latency: From the end of a touch to its verdict; None offline.
        delay: From the begin of a touch or sound to its alarm; None offline or without alarms.
        change_alarms: How often touches had become odder than they were.
        change: How near to that it came, 0 to 1.
        lag_s: Median of heard less expected onset; None without onsets.
    """

    touches: int
    alone: int
    verdicts: Mapping[str, int]
    labelled: bool
    false_alarms: Rate
    found: tuple[Found, ...]
    separations: tuple[Separation, ...]
    uniformity: Uniformity | None
    compute: Times | None
    latency: Times | None
    delay: Times | None
    change_alarms: int
    change: float
    lag_s: float | None


def is_odd(touch: TouchResult) -> bool:
    """Whether it is labelled as something else than normal."""
    return touch.label not in (UNLABELLED, NORMAL)


def measures(run: Run, touches: Sequence[TouchResult], rng: np.random.Generator) -> Measures:
    """Measure one replay.

    Args:
        run: What was replayed.
        touches: All its verdicts.
        rng: Draws touches anew for intervals.
    """
    counted = Counter(touch.verdict for touch in touches)
    labelled = any(touch.label for touch in touches) or bool(run.missed)
    alarms = [touch for touch in touches if touch.verdict in ALARMS]
    false = [touch for touch in alarms if not is_odd(touch)]
    deadline_s = float(setting(run.settings, "prediction_wait_s", ComparatorSettings.prediction_wait_s))
    live = run.mode == LIVE
    lags = [touch.lag_s for touch in touches if np.isfinite(touch.lag_s)]
    return Measures(
        touches=sum(bool(touch.kind) for touch in touches),
        alone=sum(not touch.kind for touch in touches),
        verdicts={verdict.name: counted[verdict.name] for verdict in Verdict},
        labelled=labelled,
        false_alarms=Rate.of(len(false), max(run.replayed_s, 1.0) / 3600.0),
        found=_found(run, touches),
        separations=_separations(touches, rng),
        uniformity=_uniformity(touches, labelled),
        compute=_times([touch.compute_s for touch in touches], deadline_s),
        latency=_times([touch.latency_s for touch in touches], deadline_s) if live else None,
        delay=_times([(t.since_ns - t.stamp_ns) * 1e-9 + t.latency_s for t in alarms], deadline_s) if live else None,
        change_alarms=sum(touch.change_alarm for touch in touches),
        change=max((touch.change for touch in touches), default=0.0),
        lag_s=float(np.median(lags)) if lags else None,
    )


def setting(settings: Mapping[str, Any], name: str, otherwise: object) -> Any:
    """Value of a name somewhere in nested settings."""
    if name in settings:
        return settings[name]
    for inner in settings.values():
        if isinstance(inner, Mapping) and (found := setting(inner, name, None)) is not None:
            return found
    return otherwise


def own_score(touch: TouchResult) -> float:
    """What the comparator goes by, larger is odder: 1 less the p-value, or without a calibration the anomaly score."""
    return 1.0 - touch.p_value if np.isfinite(touch.p_value) else touch.scores.get(ANOMALY, float("nan"))


def _separations(touches: Sequence[TouchResult], rng: np.random.Generator) -> tuple[Separation, ...]:
    known = [touch for touch in touches if touch.kind and touch.label]
    if any(np.isfinite(touch.p_value) for touch in known):
        known = [touch for touch in known if np.isfinite(touch.p_value)]  # never two scales at once
    names = sorted({name for touch in known for name in touch.baselines})
    columns = {OWN: [own_score(touch) for touch in known]}
    columns |= {name: [1.0 - touch.baselines.get(name, float("nan")) for touch in known] for name in names}
    odd = np.array([is_odd(touch) for touch in known], np.bool_)
    found = []
    for name, column in columns.items():
        values = np.array(column, np.float64)
        there = np.isfinite(values)
        if (there & odd).any() and (there & ~odd).any():
            found.append(Separation.of(name, values[there & ~odd], values[there & odd], rng))
    return tuple(found)


def _found(run: Run, touches: Sequence[TouchResult]) -> tuple[Found, ...]:
    odd = [(touch.label, touch.verdict in ALARMS) for touch in touches if is_odd(touch)]
    odd += [(event.label, False) for event in run.missed if event.label not in (UNLABELLED, NORMAL)]
    return tuple(
        Found(label, sum(alarm for of, alarm in odd if of == label), sum(of == label for of, _ in odd))
        for label in sorted({label for label, _ in odd})
    )


def _uniformity(touches: Sequence[TouchResult], labelled: bool) -> Uniformity | None:
    values = np.sort([t.p_value for t in touches if t.kind and not is_odd(t) and np.isfinite(t.p_value)])
    return Uniformity(values, *uniformity(values), labelled) if len(values) else None


def _times(values_s: Sequence[float], deadline_s: float) -> Times | None:
    known = np.sort([value for value in values_s if np.isfinite(value)])
    return Times(known, deadline_s) if len(known) else None
