"""How well anomalies of sound are told from normal touches, on held-out scenes, by each score and each baseline.

    python bench/anomalies.py DATASET [--snr 20 --snr 10 --snr 5] [--generator models/compact | --bank demo/bank]

Normal touches of the scenes for validation are what the comparator knows (embeddings, energy, fusion, calibration);
those of the test scenes are judged. Nothing here is learnt from anomalies but the weights that ship.

As in the comparator, a touch is scored by the first `SEGMENT_S` of its sound (a slide by all of it), and what begins
after that by how strongly it does. "either" is the odder of the two, by ranks among what is known.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from hearing_hands_ros.compare.fusion import Fusion
from hearing_hands_ros.compare.scoring.baselines import EnergyChange, swapped
from hearing_hands_ros.compare.scoring.embedding import Mahalanobis, Neighbours, NormalTouches, PredictedEmbedding
from hearing_hands_ros.compare.scoring.onsets import rises_of
from hearing_hands_ros.compare.scoring.protocol import score_all
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.stft import StftDistance
from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, SEGMENT_S, HeardTouch
from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sound.embedding.protocol import load_embedding
from hearing_hands_ros.sound.onsets import find_onsets
from hearing_hands_ros.train.anomalies.cases import SNRS_DB, cases
from hearing_hands_ros.train.anomalies.kinds import ANOMALIES, NORMAL
from hearing_hands_ros.train.anomalies.learn import takes_of_refs
from hearing_hands_ros.train.anomalies.measure import (
    auc,
    false_alarms,
    interval_over_scenes,
    p_values,
    partial_auc,
    uniformity,
)
from hearing_hands_ros.train.anomalies.predictions import ByExample, ByGenerator

ROOT = Path(__file__).parents[1]
ALPHAS = (0.01, 0.05, 0.1)
UNLABELLED, SHUFFLED, MAX, DISTANCE = "anomaly, no label", "anomaly, shuffled", "normal only, max", "normal only, d"
AFTER, EITHER = "after", "either"
BEGINNING_S = 0.06  # after an onset, as in the comparator
BASELINES = ("energy", "novelty", SHUFFLED)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--snr", type=float, action="append", help="dB; may be given several times")
    parser.add_argument("--generator", type=Path, default=ROOT / "models" / "compact")
    parser.add_argument("--bank", type=Path, help="predict by example instead")
    parser.add_argument("--listener", type=Path, default=ROOT / "models" / "listener")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "anomalies.yaml")
    parser.add_argument("--known", default="val", help="split whose normal touches are known")
    parser.add_argument("--judged", default="test", help="split that is judged")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    predictor = ByGenerator.load(options.generator)
    if options.bank:
        predictor = ByExample(ExamplePredictor(ExampleBank.load(options.bank)))
    scorer = Scorer.load(options.listener, options.config)
    known, judged = (prepared(dataset, split, predictor) for split in (options.known, options.judged))
    model = judged[1][0].model
    print(f"{dataset.info.name}, judged {options.judged}, known {options.known}, {model}, {platform.machine()}\n")
    for snr_db in options.snr or SNRS_DB:
        normal = [heard_of(case) for case in cases(*known, snr_db, options.seed, ())]
        report(snr_db, normal, [heard_of(case) for case in cases(*judged, snr_db, options.seed)], scorer)


@dataclass(frozen=True, eq=False)
class Heard:
    """A case as the comparator hears it: the touch, and what begins after it has been judged, dB."""

    scene: str
    anomaly: str
    touch: HeardTouch
    after_db: float


def heard_of(case):
    """Cut a case where its touch is judged."""
    touch = case.touch
    judged_s = LEAD_S + max(SEGMENT_S, touch.contact.duration_s)
    later = [at for at in find_onsets(touch.samples) if judged_s <= at < touch.end_s]
    after_db = max((rise_db(touch.samples, at) for at in later), default=0.0)
    return Heard(case.scene, case.anomaly, touch.judged(), after_db)


def rise_db(samples, at_s):
    """How strongly something begins, as `TouchJudge.rise_db` has it."""
    first = round((at_s - LEAD_S) * RATE_HZ)
    time_s, rise = rises_of(samples[first : first + round((LEAD_S + BEGINNING_S) * RATE_HZ)], LEAD_S)
    return float(rise[np.abs(time_s) < 0.05].max(initial=0.0))


def odder(rows, known):
    """(N,) the higher rank of a touch's own score and of what begins after it, among those that are known."""
    ranks = []
    for name in (ANOMALY, AFTER):
        of, values = np.sort(known[name]), rows[name]
        least, most = (np.searchsorted(of, values, side) for side in ("left", "right"))
        spread = max(float(of[-1] - np.median(of)), 1e-6)
        beyond = 1.0 - np.exp(-np.maximum(values - of[-1], 0.0) / spread)  # of two that nothing known is as odd as
        ranks.append((0.5 * (least + most) + beyond) / (len(of) + 1))
    return np.maximum(*ranks)


def prepared(dataset, split, predictor):
    """Touches of a split that are alone, and the predictions of its items."""
    refs = dataset.items(split)
    return takes_of_refs(dataset, refs), list(predictor.predict([dataset.load(ref) for ref in refs]))


def report(snr_db, known, found, scorer):
    """One level of noise."""
    began = time.perf_counter()
    touches = [case.touch for case in known]
    others, fused = extra_scores(touches), fusions(touches, scorer)
    rows, calibration = table_of(found, scorer, others, fused), table_of(known, scorer, others, fused)
    rows = {EITHER: odder(rows, calibration), **rows}
    took_ms = 1e3 * (time.perf_counter() - began) / (len(found) + len(known))
    count = sum(case.anomaly == NORMAL for case in found)
    print(f"## {snr_db:g} dB: {count} touches, each normal and with {len(ANOMALIES)} anomalies\n")
    print(f"AUC [95 % over scenes] | partial AUC, false alarms up to 10 %; {took_ms:.0f} ms a touch for all rows\n")
    print("| score | " + " | ".join((*ANOMALIES, "all", "all, interval", "partial, all")) + " |")
    print("|" + "---|" * (len(ANOMALIES) + 4))
    scenes = np.array([case.scene for case in found])
    label = np.array([case.anomaly for case in found])
    for name, values in rows.items():
        print(line(name, values, label, scenes))
    alarms(rows, calibration, label, scenes)


def extra_scores(touches):
    """Scores that know normal touches, and those that need nothing."""
    energy = EnergyChange()
    energy.learn(touches)
    normal = NormalTouches.of(load_embedding("mel"), touches)
    return [
        StftDistance(),
        PredictedEmbedding(normal),
        Neighbours(normal),
        Mahalanobis(normal),
        Neighbours(normal, every_kind=True),
        energy,
    ]


def fusions(touches, scorer):
    """What can be fused when only normal touches are known."""
    names = scorer.model.names
    values = [scorer.scores(touch) for touch in touches]
    return {MAX: Fusion.fit("max", names, values), DISTANCE: Fusion.fit("mahalanobis", names, values)}


def table_of(found, scorer, others, fused):
    """Name of the row to (N,) scores."""
    rows = {}
    for index, case in enumerate(found):
        touch = case.touch
        own = scorer.scores(touch)
        nameless = replace(touch, contact=replace(touch.contact, material=""))
        shuffled = swapped(touch, found[(index + len(found) // 2) % len(found)].touch)
        values = {
            ANOMALY: own.pop(ANOMALY),
            UNLABELLED: scorer.score(nameless),
            **{name: fusion.score(own) for name, fusion in fused.items()},
            **own,
            **score_all(others, touch),
            SHUFFLED: scorer.score(shuffled),
            AFTER: case.after_db,
        }
        for name, value in values.items():
            rows.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in rows.items()}


def line(name, values, label, scenes):
    """A row of the table."""
    normal = label == NORMAL
    by_kind = [auc(values[normal], values[label == anomaly]) for anomaly in ANOMALIES]
    low, high = interval_over_scenes(
        auc, (values[normal], scenes[normal]), (values[~normal], scenes[~normal]), np.random.default_rng(0)
    )
    shown = f"*{name}*" if name in BASELINES else name
    cells = [*(f"{value:.3f}" for value in by_kind), f"**{auc(values[normal], values[~normal]):.3f}**"]
    return (
        f"| {shown} | "
        + " | ".join([*cells, f"{low:.3f} to {high:.3f}", f"{partial_auc(values[normal], values[~normal]):.3f}"])
        + " |"
    )


def alarms(rows, calibration, label, scenes):
    """False alarms among normal touches, calibrated by other scenes."""
    print("\n| calibrated by | alpha | false alarms | rate [95 %] | alpha inside | KS of p-values (its p) |")
    print("|---|---|---|---|---|---|")
    normal = label == NORMAL
    values, of = rows[ANOMALY][normal], scenes[normal]
    rng = np.random.default_rng(0)
    names = rng.permutation(sorted(set(of.tolist())))
    first = np.isin(of, names[: len(names) // 2])
    halves = np.empty(len(values))
    halves[first], halves[~first] = (
        p_values(values[~first], values[first], rng),
        p_values(values[first], values[~first], rng),
    )
    ways = {
        f"the known split, {len(calibration[ANOMALY])} touches": p_values(calibration[ANOMALY], values, rng),
        f"the other half of the scenes, {len(values) // 2} touches": halves,
    }
    for way, p in ways.items():
        distance, likely = uniformity(p)
        for alpha in ALPHAS:
            got = false_alarms(p, alpha)
            rate = f"{got.alarms / got.touches:.3f} [{got.low:.3f}, {got.high:.3f}]"
            print(
                f"| {way} | {alpha} | {got.alarms} of {got.touches} | {rate} | {'yes' if got.holds else 'no'} "
                f"| {distance:.3f} ({likely:.2f}) |"
            )
    print()


if __name__ == "__main__":
    main()
