"""Folders as a replay writes them, made of the demo's recorded sound and what is known of it, without a replay.

Verdicts and p-values are made up; heard sounds are the demo's, and the sound that is 'predicted' of a touch is that of
the touch before it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from hearing_hands_ros.replay.result import (
    BEFORE_S,
    RUN,
    SOUNDS,
    TOUCHES,
    DifferenceResult,
    ModelResult,
    Run,
    TouchResult,
    heard_path,
    predicted_path,
)
from hearing_hands_ros.sound.audio_file import read_audio

DEMO = Path(__file__).parents[2] / "demo"
RATE_HZ = 16000
SOUND_S = 1.0
CARD = "# A made-up model\n\nSee [its training](train.md), <script>alert(1)</script>\n\n|a|b|\n|---|---|\n|1|2|\n"
VERDICT = {"none": "NORMAL", "wrong_material": "DIFFERENT", "missing_sound": "MISSING", "extra_sound": "UNEXPECTED"}


def made_touches(labelled: bool = True, seed: int = 0) -> list[TouchResult]:
    """Verdicts on the demo's touches and extra sounds: right, but for one false alarm and two that are not known."""
    truth = yaml.safe_load((DEMO / "truth.yaml").read_text())
    rng = np.random.default_rng(seed)
    events = sorted([*truth["touches"], *truth["extra_sounds"]], key=lambda event: event["start_ns"])
    touches = []
    for number, event in enumerate(events, start=1):
        anomaly, is_touch = event.get("anomaly", "extra_sound"), "material" in event
        verdict = {7: "UNKNOWN", 12: "UNKNOWN", 3: "DIFFERENT"}.get(number, VERDICT[anomaly])
        p = {"UNKNOWN": np.nan, "NORMAL": rng.uniform(0.06, 1.0)}.get(verdict, rng.uniform(0.003, 0.05))
        of_touch: dict[str, Any] = {}
        if is_touch:
            of_touch = {
                "kind": event["kind"],
                "contact_id": number,
                "hand": 1,
                "material": event["material"],
                "position_m": tuple(event["position_m"]),
                "normal": tuple(event["normal"]),
                "approach_speed_mps": event["approach_speed_mps"],
                "slide_speed_mps": event["slide_speed_mps"],
                "baselines": {"energy": float(rng.uniform()), "novelty": float(rng.uniform())},
                "scores": {"anomaly": -float(np.log(p)), "level": float(rng.normal())},
                "compute_s": float(rng.uniform(0.05, 0.11)),
            }
        touches.append(
            TouchResult(
                number,
                event["start_ns"],
                event.get("end_ns", event["start_ns"]),
                verdict,
                f"made up: {verdict.lower()}",
                p_value=float(p),
                heard_onset=anomaly != "missing_sound",
                lag_s=0.001 if is_touch else np.nan,
                difference=DifferenceResult(500.0, 2000.0, 0.0, 0.1, 9.0) if verdict == "DIFFERENT" else None,
                label=("normal" if anomaly == "none" else anomaly) if labelled else "",
                **of_touch,
            )
        )
    return touches


def made_run(touches: list[TouchResult], **changed: Any) -> Run:
    """A run with these verdicts; `changed` are fields that are to be otherwise."""
    run = Run(
        bag=str(DEMO / "touches.mcap"),
        mode="offline",
        ended="",
        started="2026-11-22T07:00:00Z",
        begin_ns=1748770200000000000,
        seconds=58.6,
        replayed_s=58.6,
        wall_s=5.0,
        scene=str(DEMO / "scene"),
        scene_name="bench",
        model=ModelResult("made@0", "example", "models/made", "CC0", "00", CARD),
        calibration="demo/calibration.yaml",
        calibrated_on="300 touches",
        alpha=0.05,
        touches=len(touches),
        verdicts=dict(Counter(touch.verdict for touch in touches)),
        quiet_s=11.0,
        counts={"frames": 1758},
        notes=("a hand in all frames",),
        labels="truth.yaml" if any(touch.label for touch in touches) else "",
        missed=(),
        settings={"comparator": {"prediction_wait_s": 1.5}},
        versions={"hearing_hands_ros": "0.1.0"},
        machine="none",
    )
    return dataclasses.replace(run, **changed)


def write_results(folder: Path, touches: list[TouchResult] | None = None, sounds: bool = True, **changed: Any) -> Path:
    """Write a folder; `changed` as in `made_run`."""
    touches = made_touches() if touches is None else touches
    (folder / SOUNDS).mkdir(parents=True)
    (folder / TOUCHES).write_text("".join(touch.line() + "\n" for touch in touches), encoding="utf-8")
    (folder / RUN).write_text(made_run(touches, **changed).text(), encoding="utf-8")
    if sounds:
        heard = read_audio(DEMO / "heard.flac", RATE_HZ)
        pieces = [_piece(heard, touch) for touch in touches]
        for touch, piece, before in zip(touches, pieces, [*pieces[-1:], *pieces], strict=False):
            soundfile.write(heard_path(folder, touch.number), piece, RATE_HZ)
            if touch.kind:
                soundfile.write(predicted_path(folder, touch.number), before, RATE_HZ)
    return folder


def _piece(heard: np.ndarray, touch: TouchResult) -> np.ndarray:
    begin = round(((touch.stamp_ns - 1748770200000000000) * 1e-9 - BEFORE_S) * RATE_HZ)
    piece = heard[max(begin, 0) : begin + round(SOUND_S * RATE_HZ)]
    return np.pad(piece, (0, round(SOUND_S * RATE_HZ) - len(piece)))
