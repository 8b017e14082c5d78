"""How well the verdicts of a run fit what is known to have been put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hearing_hands_ros.demo.recording import Verdict

ANOMALIES = ("DIFFERENT", "MISSING", "UNEXPECTED")
EXPECTED_VERDICT = {"wrong_material": "DIFFERENT", "missing_sound": "MISSING", "extra_sound": "UNEXPECTED"}
NEAR_NS = 150_000_000


@dataclass(frozen=True)
class TrueEvent:
    """A touch, or a sound without one, as it was made.

    Attributes:
        stamp_ns: When it began.
        anomaly: 'none', 'wrong_material', 'missing_sound' or 'extra_sound'.
        heard: What was laid on it, for people.
    """

    stamp_ns: int
    anomaly: str
    heard: str


@dataclass(frozen=True)
class Outcome:
    """A verdict beside the truth; either may be None.

    Attributes:
        verdict: What was published.
        truth: What was put in.
        kind: 'found', 'missed', 'false-alarm', 'normal' or 'unknown'.
    """

    verdict: Verdict | None
    truth: TrueEvent | None
    kind: str


@dataclass(frozen=True)
class Evaluation:
    """Outcomes, in the order of time, and the figures made of them."""

    outcomes: tuple[Outcome, ...]

    def count(self, kind: str) -> int:
        """Outcomes of a kind."""
        return sum(outcome.kind == kind for outcome in self.outcomes)

    @property
    def anomalies(self) -> int:
        """Anomalies that were put in."""
        return sum(outcome.truth is not None and outcome.truth.anomaly != "none" for outcome in self.outcomes)

    @property
    def recall(self) -> float:
        """Share of the anomalies that got an anomalous verdict; NaN if there were none."""
        return self.count("found") / self.anomalies if self.anomalies else float("nan")

    @property
    def precision(self) -> float:
        """Share of the anomalous verdicts that were on an anomaly; NaN if there were none."""
        alarms = self.count("found") + self.count("false-alarm")
        return self.count("found") / alarms if alarms else float("nan")

    @property
    def right_kind(self) -> int:
        """Anomalies found whose verdict is also of the right kind."""
        return sum(
            outcome.kind == "found"
            and outcome.truth is not None
            and outcome.verdict is not None
            and outcome.verdict.verdict == EXPECTED_VERDICT[outcome.truth.anomaly]
            for outcome in self.outcomes
        )


def evaluate(verdicts: Sequence[Verdict], truth: Sequence[TrueEvent]) -> Evaluation:
    """Match verdicts and true events that lie within 150 ms, each at most once, nearest first."""
    pairs = sorted(
        (abs(verdict.stamp_ns - event.stamp_ns), v, t)
        for v, verdict in enumerate(verdicts)
        for t, event in enumerate(truth)
        if abs(verdict.stamp_ns - event.stamp_ns) <= NEAR_NS
    )
    of_verdict: dict[int, int] = {}
    taken: set[int] = set()
    for _, v, t in pairs:
        if v not in of_verdict and t not in taken:
            of_verdict[v] = t
            taken.add(t)
    outcomes = []
    for v, verdict in enumerate(verdicts):
        event = truth[of_verdict[v]] if v in of_verdict else None
        outcomes.append(Outcome(verdict, event, _kind(verdict, event)))
    # An event that got no verdict: an anomaly is missed, and a normal touch is one that nobody judged.
    outcomes += [
        Outcome(None, event, "unknown" if event.anomaly == "none" else "missed")
        for t, event in enumerate(truth)
        if t not in taken
    ]
    return Evaluation(tuple(sorted(outcomes, key=_stamp)))


def _kind(verdict: Verdict, event: TrueEvent | None) -> str:
    odd = event is not None and event.anomaly != "none"
    if verdict.verdict in ANOMALIES:
        return "found" if odd else "false-alarm"
    if odd:
        return "missed"
    return "normal" if verdict.verdict == "NORMAL" else "unknown"


def _stamp(outcome: Outcome) -> int:
    of = outcome.truth if outcome.verdict is None else outcome.verdict
    return of.stamp_ns if of is not None else 0
