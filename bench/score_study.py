"""How well a wrong material is told from the right one.

    python bench/score_study.py [BANK_DIR HELD_OUT_DIR]

The bank predicts; the held-out recordings are heard with a gain of +-6 dB in room noise. Right: expected and heard
material are the same. Wrong: every other material is expected in turn.
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from hearing_hands_ros.compare.calibration import Calibration, leave_one_group_out, one_touch
from hearing_hands_ros.compare.materials import MaterialModel, in_room, odds_against
from hearing_hands_ros.compare.scores import TouchScores, score_touch
from hearing_hands_ros.compare.timbre import timbre
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sound.onsets import find_onsets

ALPHA = 0.05
CLEAR = ("metal", "stone", "wood")


def auc(right, wrong):
    """Chance that a wrong touch scores higher than a right one."""
    right, wrong = np.sort(right), np.asarray(wrong)
    below = np.searchsorted(right, wrong, "left") + np.searchsorted(right, wrong, "right")
    return float(below.mean() / (2 * len(right)))


def heard_touches(held, snr_db, seed=0):
    """(exemplar, wave with the onset at 0.3 s) of each held-out recording."""
    result = []
    for i, exemplar in enumerate(held.exemplars):
        generator = np.random.default_rng([seed, round(snr_db), i])
        result.append((exemplar, in_room(exemplar, 0.3, snr_db, generator, generator.uniform(-6, 6))))
    return result


def onset_of(wave):
    """Heard onset, or the true one where none was found near it."""
    near = [t for t in find_onsets(wave) if abs(t - 0.3) <= 0.05]
    return min(near, key=lambda t: abs(t - 0.3), default=0.3)


def five(model):
    """At most five exemplars of each material and kind."""
    keep = np.zeros(len(model.material), dtype=bool)
    generator = np.random.default_rng(5)
    for name in np.unique(model.material):
        own = np.flatnonzero((model.material == name) & (model.kind == "tap"))
        keep[generator.permutation(own)[:5]] = True
    return model.only(keep)


def table(rows, heard, materials):
    """Print AUC over all wrong materials, over the clear ones and the share whose nearest material is right."""
    print("| distance | AUC, all 8 materials | AUC, wood / metal / stone | nearest is right |")
    print("|---|---|---|---|")
    truth = [e.material for e, _ in heard]
    for name, scores, nearest in rows:
        right = [s[t] for s, t in zip(scores, truth, strict=True)]
        wrong = [s[m] for s, t in zip(scores, truth, strict=True) for m in materials if m != t]
        clear_right = [s[t] for s, t in zip(scores, truth, strict=True) if t in CLEAR]
        clear_wrong = [s[m] for s, t in zip(scores, truth, strict=True) for m in CLEAR if m != t and t in CLEAR]
        hits = np.mean([min(d, key=d.get) == t for d, t in zip(nearest, truth, strict=True)])
        print(f"| {name} | {auc(right, wrong):.3f} | {auc(clear_right, clear_wrong):.3f} | {hits:.2f} |")


def distances_study(bank, heard):
    """AUC of several distances on the same touches."""
    model = MaterialModel.fit(bank)
    plain = replace(model, whitening=np.eye(model.whitening.shape[0]))
    pictures = [timbre(w, onset_of(w)) for _, w in heard]
    rows = []
    for name, fitted in (
        ("levels, nearest of 5 exemplars", replace(five(model), whitening=plain.whitening)),
        ("levels, nearest exemplar", plain),
        ("whitened levels, nearest exemplar", model),
    ):
        d = [fitted.distances(p, e.kind) for p, (e, _) in zip(pictures, heard, strict=True)]
        rows.append((name, d, d))
        rows.append((f"{name}, less that of other materials", [{m: odds_against(v, m) for m in v} for v in d], d))
    predictor = ExamplePredictor(bank)
    scores = {"log_mel": [], "envelope": []}
    for i, (e, wave) in enumerate(heard):
        motions = [one_touch(m, e.kind, 10**9 * i) for m in bank.materials]
        got = [
            score_touch(wave, p, p.contacts[0], lead_s=0.3, heard_onset_s=onset_of(wave))
            for p in predictor.predict(motions)
        ]
        for name, values in scores.items():
            values.append({m: g.values[name] for m, g in zip(bank.materials, got, strict=True)})
    rows.append(("residual over the spread of 5 predicted mels (no bank)", scores["log_mel"], scores["log_mel"]))
    rows.append(("envelope (no bank)", scores["envelope"], scores["envelope"]))
    table(rows, heard, bank.materials)
    return model


def verdicts(model, heard, materials, calibration):
    """Matrix of DIFFERENT: heard material by expected material."""
    share = {t: {m: [] for m in materials} for t in materials}
    for e, wave in heard:
        try:
            d = model.distances(timbre(wave, onset_of(wave)), e.kind)
        except ValueError:  # too little over the noise: UNKNOWN, so not DIFFERENT
            d = {}
        for m in materials:
            share[e.material][m].append(calibration.p_value("material", odds_against(d, m)) <= ALPHA)
    return share


def unseen_tool_calibration(bank, model):
    """Scores of bank touches whose tool and material are left out together, where another tool is left."""
    scores = []
    for e, wave in heard_touches(bank, 30.0, seed=9):
        rest = model.only(~((model.tool == e.tool) & (model.material == e.material)) & (model.group != e.group))
        if e.material in rest.material[rest.kind == e.kind]:
            d = rest.distances(timbre(wave, onset_of(wave)), e.kind)
            scores.append(TouchScores({"material": odds_against(d, e.material)}, 0.0, 0.3))
    return Calibration.of("unseen tools", scores)


def summary(share, materials):
    """False-alarm rate and recall, with counts."""
    right = [v for m in materials for v in share[m][m]]
    wrong = [v for t in materials for m in materials if m != t for v in share[t][m]]
    false_alarms = f"false alarms {sum(right)}/{len(right)} = {np.mean(right):.3f}"
    return f"{false_alarms}, wrong found {sum(wrong)}/{len(wrong)} = {np.mean(wrong):.3f}"


def main(arguments):
    """Run everything."""
    folders = arguments or ["demo/bank", "demo/held_out"]
    bank, held = (ExampleBank.load(Path(f)) for f in folders)
    print(
        f"bank {bank.model}, {len(bank.exemplars)} recordings; held out {len(held.exemplars)}; {platform.machine()}\n"
    )
    calibration = Calibration.of("bank", leave_one_group_out(bank))
    print(f"calibrated with {calibration.count('material')} touches, alpha {ALPHA}\n")
    heard = heard_touches(held, 30.0)
    model = distances_study(bank, heard)
    materials = bank.materials
    print("\nShare judged DIFFERENT (heard down, expected across), 30 dB over room noise, 3 draws of gain and noise:\n")
    share = {t: {m: [] for m in materials} for t in materials}
    for seed in range(3):
        one = verdicts(model, heard_touches(held, 30.0, seed), materials, calibration)
        for t in materials:
            for m in materials:
                share[t][m] += one[t][m]
    print("| heard (recordings) | " + " | ".join(materials) + " |")
    print("|" + "---|" * (len(materials) + 1))
    for t in materials:
        print(
            f"| {t} ({len(share[t][t]) // 3}) | " + " | ".join(f"{np.mean(share[t][m]):.2f}" for m in materials) + " |"
        )
    print()
    print(f"all draws: {summary(share, materials)}\n")
    print("| room noise | false alarms and wrong materials found |\n|---|---|")
    for snr in (40.0, 30.0, 20.0, 10.0):
        got = verdicts(model, heard_touches(held, snr), materials, calibration)
        print(f"| {snr:.0f} dB under the touch | {summary(got, materials)} |")
    print("\nA tool that the bank never heard (its recordings left out of the bank, all of them heard):\n")
    print("| tool on material | false alarms and wrong materials found |\n|---|---|")
    both = [*bank.exemplars, *held.exemplars]
    for material in CLEAR:
        for tool in sorted({e.tool for e in bank.exemplars if e.material == material}):
            keep = (model.tool != tool) | (model.material != material)
            fitted = model.only(keep)
            own = replace(held, exemplars=tuple(e for e in both if e.tool == tool and e.material == material))
            if material not in fitted.material or not own.exemplars:
                continue
            got = verdicts(fitted, heard_touches(own, 30.0), materials, calibration)
            print(f"| {tool} on {material} | {summary(got, materials)} |")
    unseen = unseen_tool_calibration(bank, model)
    print(
        f"\nCalibrated for tools the bank never heard ({unseen.count('material')} touches), held-out touches at 30 dB:"
    )
    print(summary(verdicts(model, heard, materials, unseen), materials))
    wave, picture = heard[0][1], timbre(heard[0][1], 0.3)
    began = time.perf_counter()
    for _ in range(50):
        model.distances(picture, "tap")
    middle = time.perf_counter()
    for _ in range(50):
        timbre(wave, 0.3)
    predictor = ExamplePredictor(bank)
    prediction = predictor.predict([one_touch("wood", "tap", 0)])[0]
    mid2 = time.perf_counter()
    for _ in range(50):
        score_touch(wave, prediction, prediction.contacts[0], lead_s=0.3, materials=model, heard_onset_s=0.3)
    end = time.perf_counter()
    print(f"\ndistances {(middle - began) * 20:.2f} ms, score_touch {(end - mid2) * 20:.2f} ms a touch")


if __name__ == "__main__":
    main(sys.argv[1:])
