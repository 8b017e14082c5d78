"""How often verdicts are wrong: false alarms on normal touches, what is found of odd ones, and what baselines say.

    .venv/bin/python bench/verdicts.py [--normal 12] [--odd 12] [--alpha 0.05]

Recordings of a hand on the demo's bench are replayed through the code of the graph: `--normal` of them without anything
odd, `--odd` of them with eleven anomalies each, and the demo's own. Motion and scene are simulated; sounds are the 41
recordings that the demo hears, which neither its generator nor its calibration knows, in other places and at other
speeds. They are heard again and again, so that touches are not independent and intervals are rather too narrow. Groups
of touches are chosen for the alpha that is asked for, so smaller ones want a run of their own.

Baselines say what can be had without the right prediction: the level of a touch against those before it, its sound
against those before it, and the same score with the prediction of the touch before.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, chi2, kstest

sys.path.insert(0, str(Path(__file__).parents[1]))

from graph_load import DEMO, played
from replay_memory import replay_of

from hearing_hands_ros.cli.demo import read_truth
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.demo.evaluate import NEAR_NS, TrueEvent
from hearing_hands_ros.replay.replay import Replay
from hearing_hands_ros.train.anomalies.measure import auc

ASKED = (0.01, 0.05, 0.1)
FIRST_NORMAL, FIRST_ODD = 401, 501
ALARMS = (Verdict.DIFFERENT, Verdict.MISSING, Verdict.UNEXPECTED)


@dataclass
class Said:
    """What was said of touches, and of sounds without one.

    Attributes:
        verdicts: Of touches.
        odd: What was put in, beside each; 'none' for nothing.
        p_values: By name of the score, beside each; the comparator's own is ''.
        alone: Verdicts on sounds without a touch: whether one was put in.
        extra: Sounds without a touch that were put in.
        seconds: Length of the recordings.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    p_values: dict[str, list[float]] = field(default_factory=dict)
    alone: list[bool] = field(default_factory=list)
    extra: int = 0
    seconds: float = 0.0

    def take(self, replay: Replay, bag: Path, truth: Iterable[TrueEvent]) -> None:
        """Replay a recording."""
        truth = list(truth)
        with replay.open(bag) as recording:
            self.seconds += recording.seconds
            self.extra += sum(event.anomaly == "extra_sound" for event in truth)
            for replayed in replay.run(recording):
                comparison = replayed.comparison
                near = [event for event in truth if abs(event.stamp_ns - comparison.stamp_ns) <= NEAR_NS]
                judgement = comparison.judgement
                if comparison.contact is None:
                    if judgement.verdict in ALARMS:
                        self.alone.append(any(event.anomaly == "extra_sound" for event in near))
                    continue
                self.verdicts.append(judgement.verdict)
                self.odd.append(next((event.anomaly for event in near if event.anomaly != "extra_sound"), "none"))
                beside = judgement.watched.baselines if judgement.watched else {}
                for name, value in {"": judgement.p_value, **beside}.items():
                    values = self.p_values.setdefault(name, [])
                    values += [math.nan] * (len(self.verdicts) - 1 - len(values)) + [value]

    def values(self, name: str, *, odd: bool) -> np.ndarray:
        """P-values of one score for touches that are normal, or that are not."""
        wanted = [(kind != "none") == odd for kind in self.odd]
        values = np.array(self.p_values[name] + [math.nan] * (len(wanted) - len(self.p_values[name])))[wanted]
        return values[np.isfinite(values)]


def share(count: int, of: int) -> str:
    """A share with its interval after Clopper and Pearson."""
    if not of:
        return "none of 0"
    between = binomtest(count, of).proportion_ci(0.95, method="exact")
    return f"{count} of {of} = {count / of:.3f} [{between.low:.3f}, {between.high:.3f}]"


def each_hour(count: int, hours: float) -> str:
    """A rate with the exact interval of a Poisson count."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{count / hours:.1f} each hour [{low / hours:.1f}, {high / hours:.1f}]"


def report(title: str, said: Said, alpha: float) -> None:
    """Print everything about some recordings."""
    hours = said.seconds / 3600.0
    print(f"\n{title}: {said.seconds:.0f} s, {len(said.verdicts)} touches, {len(said.verdicts) / hours:.0f} each hour")
    for verdict in Verdict:
        print(f"  {verdict.name:<11} {said.verdicts.count(verdict)}")
    pairs = list(zip(said.verdicts, said.odd, strict=True))
    normal = [verdict for verdict, odd in pairs if odd == "none" and verdict != Verdict.UNKNOWN]
    false = sum(verdict in ALARMS for verdict in normal)
    without = said.alone.count(False)
    print(f"  false alarms on touches:      {share(false, len(normal))}; {each_hour(false, hours)}")
    print(f"  false alarms without a touch: {each_hour(without, hours)}")
    for kind in sorted(set(said.odd) - {"none"}):
        of_kind = [verdict for verdict, odd in pairs if odd == kind]
        print(f"  found of {kind:<20} {share(sum(verdict in ALARMS for verdict in of_kind), len(of_kind))}")
    if said.extra:
        print(f"  found of {'extra_sound':<20} {share(said.alone.count(True), said.extra)}")
    for name in said.p_values:
        usual, odd_ones = said.values(name, odd=False), said.values(name, odd=True)
        print(f"  p-values of {name or 'the comparator'}:")
        if usual.size:
            asked = "; ".join(f"{a:g}: {share(int((usual <= a).sum()), usual.size)}" for a in ASKED if a >= alpha)
            print(f"    of normal touches at most  {asked}")
            print(f"    distance of these from uniform (Kolmogorov, Smirnov): {kstest(usual, 'uniform').statistic:.3f}")
        if odd_ones.size:
            print(f"    of odd touches at most {alpha:g}: {share(int((odd_ones <= alpha).sum()), odd_ones.size)}")
        if usual.size and odd_ones.size:
            print(f"    area under the ROC, odd against normal: {auc(-usual, -odd_ones):.3f}")


def main() -> None:
    """Make recordings, replay them, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--normal", type=int, default=12, help="recordings without anything odd, a minute each")
    parser.add_argument("--odd", type=int, default=12, help="recordings with anomalies, a minute each")
    parser.add_argument("--alpha", type=float, default=0.05, help="rate of false alarms that is asked for")
    parser.add_argument("--model", default="", help="that predicts; default: the one that ships")
    args = parser.parse_args()
    replay = replay_of(args.model, args.alpha)
    print(f"predicted by {replay.predictor.model}; {replay.judge.unarmed or 'armed'}")
    normal, odd, demo = Said(), Said(), Said()
    with tempfile.TemporaryDirectory() as name:
        bag = Path(name) / "touches.mcap"
        for said, first, number, is_odd in (
            (normal, FIRST_NORMAL, args.normal, False),
            (odd, FIRST_ODD, args.odd, True),
        ):
            seed = first
            for _ in range(number):
                made = played(1.0, bag.parent, seed, odd=is_odd)
                made.write(bag)
                said.take(replay, bag, made.truth)
                seed = made.next_seed
    demo.take(replay, DEMO / "touches.mcap", read_truth(DEMO / "truth.yaml").events)
    for title, said in (("normal touches", normal), ("with anomalies", odd), ("the demo", demo)):
        if said.verdicts:
            report(title, said, args.alpha)


if __name__ == "__main__":
    main()
