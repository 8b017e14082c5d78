"""What fine-tuning on ten minutes of one robot gains, on recordings of that robot that were held out.

    python -m hearing_hands_ros.demo.robot out/robot
    hearing-hands dataset build out/robot/learn_*.mcap --scene demo/scene --params-file demo/params.yaml \
      --origin simulated --out out/learn
    hearing-hands dataset build out/robot/held_*.mcap --scene demo/scene --params-file demo/params.yaml \
      --origin simulated --hold-out recording --val-share 0.5 --test-share 0.49 --out out/held
    hearing-hands train finetune out/learn --out out/mine
    python bench/finetune.py out/held --model models/compact --model out/mine

Scene, motion, microphone and room are simulated; impacts are recorded, and those of the held-out recordings are heard
in nothing that was learnt from. Normal taps of the split `val` are what the comparator knows of the robot (its scorer
is adapted to them, for each model anew); taps of the split `test` are judged, as they are and with anomalies put in.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from hearing_hands_ros.compare.scoring.adaptation import Adaptation
from hearing_hands_ros.compare.scoring.shipped import load_scorer
from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.model.compact.generator import CompactGenerator
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder
from hearing_hands_ros.train.anomalies.cases import cases
from hearing_hands_ros.train.anomalies.kinds import ANOMALIES, NORMAL
from hearing_hands_ros.train.anomalies.learn import takes_of_refs
from hearing_hands_ros.train.anomalies.measure import DRAWS, auc
from hearing_hands_ros.train.anomalies.predictions import ByGenerator
from hearing_hands_ros.train.finetune.gain import gains

ROOT = Path(__file__).parents[1]
SNRS_DB = (20.0, 15.0, 10.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("held", type=Path, help="dataset of held-out recordings, with splits val and test")
    parser.add_argument("--model", type=Path, action="append", required=True, help="first before, then after")
    args = parser.parse_args()
    dataset = Dataset.open(args.held)
    items = {split: [dataset.load(ref) for ref in dataset.items(split)] for split in ("val", "test")}
    generators = [CompactGenerator.load(folder) for folder in args.model]
    vocoder = load_vocoder(ROOT / "models" / "vocoder")
    for folder, after in zip(args.model[1:], generators[1:], strict=True):
        found = gains(items["test"], generators[0], after, vocoder, np.random.default_rng(0))
        print(f"{args.model[0].name} -> {folder.name}: {found.items} items, intervals over {found.drawn}")
        for row in found.rows:
            shown = [f"{c.value:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in (row.before, row.after, row.difference)]
            print(f"  {row.measure.title:<26} {' | '.join(shown)} | {row.verdict}")
    predicted = [
        {split: list(ByGenerator.load(folder).predict(found)) for split, found in items.items()}
        for folder in args.model
    ]
    # All slides of this bench are on wood, so that no other material can be heard in place of theirs.
    found = {split: takes_of_refs(dataset, dataset.items(split)) for split in items}
    takes = {split: [take for take in of if take.contact.kind == "tap"] for split, of in found.items()}
    for snr_db in SNRS_DB:
        verdicts(snr_db, takes, predicted, [folder.name for folder in args.model])


def verdicts(snr_db, takes, predicted, names):
    """Area under the ROC of the adapted scorer, anomalies against normal touches, by model."""
    scores = []
    for by_split in predicted:
        known = [case.touch for case in cases(takes["val"], by_split["val"], snr_db, 0, ())]
        scorer = Adaptation.of(load_scorer(), known).applied(load_scorer())
        found = list(cases(takes["test"], by_split["test"], snr_db))
        scores.append(np.array([scorer.score(case.touch) for case in found]))
    label = np.array([case.anomaly for case in found])
    scene = np.array([case.scene for case in found])
    print(f"\n{snr_db:g} dB: {np.sum(label == NORMAL)} taps, each normal and with {len(ANOMALIES)} anomalies")
    print(f"| ROC area | {' | '.join((*ANOMALIES, 'all'))} | 95 % over scenes |")
    drawn = [areas_over_scenes(values, label, scene) for values in scores]
    for name, values, draws in zip(names, scores, drawn, strict=True):
        normal = values[label == NORMAL]
        cells = [auc(normal, values[label == kind]) for kind in ANOMALIES] + [auc(normal, values[label != NORMAL])]
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} | {interval(draws)} |")
    for name, draws in zip(names[1:], drawn[1:], strict=True):
        print(f"{name} less {names[0]}: {interval(draws - drawn[0])}")


def areas_over_scenes(values, label, scene):
    """(DRAWS,) the area when scenes are drawn anew, the same ones for all models."""
    rng, names = np.random.default_rng(0), sorted(set(scene.tolist()))
    rows = {name: np.flatnonzero(scene == name) for name in names}
    result = []
    for _ in range(DRAWS):
        chosen = np.concatenate([rows[names[i]] for i in rng.integers(len(names), size=len(names))])
        usual = label[chosen] == NORMAL
        result.append(auc(values[chosen][usual], values[chosen][~usual]))
    return np.array(result)


def interval(draws):
    """95 % of draws."""
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{np.mean(draws):+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
