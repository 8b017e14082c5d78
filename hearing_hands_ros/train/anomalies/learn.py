"""Learns what ships for scoring: the listener, levels by speed, and the weights of the scores.

    python -m hearing_hands_ros.train.anomalies.learn DATASET --also VALIDATION --generator models/compact

writes `models/listener` and `config/anomalies.yaml`. The listener is taught with training scenes only. The weights are
learnt on touches as the comparator judges them, of training scenes that their listener was not taught with (the one
that ships is taught with all), and of the validation scenes of another dataset: their recordings are new to generator
and listener, as those of a robot are. Of what is known to both alone, material would be trusted too much.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from hearing_hands_ros.compare.scoring.anomaly_model import NORMAL, AnomalyModel
from hearing_hands_ros.compare.scoring.level import LevelBySpeed
from hearing_hands_ros.compare.scoring.listener import KIND, SEQUENCE, MaterialListener
from hearing_hands_ros.compare.scoring.material import MaterialOdds
from hearing_hands_ros.compare.scoring.protocol import score_all
from hearing_hands_ros.compare.scoring.scorer import Scorer, single_scores
from hearing_hands_ros.data.dataset import Dataset, ItemRef
from hearing_hands_ros.model.checkpoint import save_checkpoint
from hearing_hands_ros.train.anomalies.cases import SNRS_DB, Case, cases
from hearing_hands_ros.train.anomalies.listener import teach
from hearing_hands_ros.train.anomalies.predictions import ByGenerator, ItemPredictor
from hearing_hands_ros.train.anomalies.takes import Take, takes_of

ITEMS: Final = 300
LICENCE: Final = "CC-BY-SA-3.0"


def learn_scorer(found: Sequence[Case], listener: MaterialListener, origin: str) -> Scorer:
    """Learn levels and weights from cases.

    Args:
        found: Normal touches and anomalies, of scenes that `listener` was not taught with.
        listener: Names materials.
        origin: What they are, for people.
    """
    level = LevelBySpeed.fit([case.touch for case in found if case.anomaly == NORMAL])
    scores = single_scores(listener, level)
    values = [score_all(scores, case.touch) for case in found]
    kinds = [case.touch.contact.kind for case in found]
    labels = [case.anomaly for case in found]
    names = [score.name for score in scores]
    unnamed = [name for name in names if name != MaterialOdds.name]
    return Scorer(
        listener,
        level,
        AnomalyModel.fit(names, values, kinds, labels),
        AnomalyModel.fit(unnamed, values, kinds, labels),
        origin,
    )


def takes_of_refs(dataset: Dataset, refs: Sequence[ItemRef]) -> list[Take]:
    """Touches that can be heard alone, of many items."""
    return [take for number, ref in enumerate(refs) for take in takes_of(number, dataset.load(ref))]


def found_cases(dataset: Dataset, refs: Sequence[ItemRef], predictor: ItemPredictor, seed: int = 0) -> list[Case]:
    """All cases of some items, as they are judged, in noise of each level."""
    takes = takes_of_refs(dataset, refs)
    predictions = list(predictor.predict([dataset.load(ref) for ref in refs]))
    found = (case for snr_db in SNRS_DB for case in cases(takes, predictions, snr_db, seed))
    return [replace(case, touch=case.touch.judged()) for case in found]


def spread(refs: Sequence[ItemRef], count: int) -> Sequence[ItemRef]:
    """At most so many items, evenly out of all."""
    return refs[:: max(1, len(refs) // count)][:count]


def named(dataset: Dataset) -> str:
    """A dataset, for people."""
    return f"{dataset.info.name!r} ({dataset.info.made_by})"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--also", type=Path, help="dataset whose validation scenes are learnt from, too")
    parser.add_argument("--generator", type=Path, default=Path("models/compact"), help="checkpoint that predicts")
    parser.add_argument("--out", type=Path, default=Path("models/listener"))
    parser.add_argument("--config", type=Path, default=Path("config/anomalies.yaml"))
    parser.add_argument("--items", type=int, default=ITEMS, help="of each dataset, from which cases are made")
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    refs = dataset.items("train")
    half = set(list(dict.fromkeys(ref.scene for ref in refs))[1::2])
    everything = takes_of_refs(dataset, refs)
    judged = spread([ref for ref in refs if ref.scene not in half], options.items)
    other, _ = teach([take for take in everything if take.scene in half])
    predictor = ByGenerator.load(options.generator)
    found = {f"training scenes of {named(dataset)}": found_cases(dataset, judged, predictor)}
    if options.also:
        also = Dataset.open(options.also)
        new = found_cases(also, spread(also.items("val"), options.items), predictor)
        found[f"validation scenes of {named(also)}"] = new
    levels = ", ".join(f"{snr:g}" for snr in SNRS_DB)
    counts = ", ".join(f"{len(some)} of {where}" for where, some in found.items())
    every = [case for some in found.values() for case in some]
    model = every[0].touch.prediction.model
    origin = f"touches, normal and anomalous, at {levels} dB, predicted by {model}: {counts}"
    learned = learn_scorer(every, other, origin)
    listener, tensors = teach(everything)
    network = {"materials": list(listener.materials), "widths": [len(bias) for _, bias in listener.layers]}
    save_checkpoint(
        options.out,
        KIND,
        {
            "name": "listener",
            "network": network,
            "sequence": asdict(SEQUENCE),
            "training": f"{len(everything)} touches of training scenes of {dataset.info.name!r}",
            "licence": LICENCE,
        },
        tensors,
    )
    replace(learned, listener=listener).save(options.config)
    print(f"{options.out}: {len(everything)} touches; {options.config}: {origin}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
