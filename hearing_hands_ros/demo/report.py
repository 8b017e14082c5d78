"""The report of a run: one HTML page that needs nothing else, sounds, pictures, and the same as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soxr
from PIL import Image

from hearing_hands_ros.demo.evaluate import Evaluation, Outcome
from hearing_hands_ros.demo.recording import Recording, SoundLine
from hearing_hands_ros.demo.touch_views import TouchView
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact
from hearing_hands_ros.report.media import data_url, flac, mel_png
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.audio_file import write_wav
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.picture import HIGH, LOW, Mark, save_png

SHOWN_S = 1.0
LEAD_S = 0.1
ROOM_S = 8.0  # of one strip of the overview
SHOWN_DB = 20.0 * (HIGH - LOW)


@dataclass(frozen=True)
class ReportText:
    """What the page says besides figures.

    Attributes:
        title: Heading.
        lead: What this run is, in a sentence or two.
        origin: What is recorded and what is simulated, a line each.
        facts: Name and value of everything else worth knowing.
    """

    title: str
    lead: str
    origin: Sequence[str]
    facts: Sequence[tuple[str, str]]


def sound_lines(recording: Recording, sequence: SequenceConfig) -> tuple[SoundLine, SoundLine]:
    """Predicted and heard sound of a run on one time line.

    Raises:
        ValueError: Nothing was heard.
    """
    if not recording.audio:
        raise ValueError("sound_lines: wanted sound from the microphone, got none")
    start_ns = min(stamp for stamp, _, _ in recording.audio)
    rate = recording.audio[0][2]
    end_ns = max(stamp + round(len(piece) * NANOSECONDS / rate) for stamp, piece, rate in recording.audio)
    seconds = (end_ns - start_ns) / NANOSECONDS
    heard = SoundLine(start_ns, seconds, rate)
    for stamp, piece, _ in recording.audio:
        heard.put(stamp, piece)
    heard = _resampled(heard, sequence.sample_rate_hz)
    predicted = SoundLine(start_ns, seconds, sequence.sample_rate_hz)
    for prediction in sorted(recording.predictions.values(), key=lambda item: item.start_ns):
        predicted.put(prediction.start_ns, prediction.audio)
    return predicted, heard


def write_report(
    out: Path,
    recording: Recording,
    evaluation: Evaluation,
    text: ReportText,
    figures: Mapping[str, float],
    views: Mapping[int, TouchView],
) -> None:
    """Write report.html, report.json, predicted.wav, heard.wav and the spectrogram pictures into a folder.

    Args:
        out: Exists.
        recording: The run.
        evaluation: Its verdicts beside the truth.
        text: Words of the page.
        figures: Also into the JSON.
        views: What the touches looked like, by contact id.
    """
    sequence = SequenceConfig()
    predicted, heard = sound_lines(recording, sequence)
    write_wav(out / "predicted.wav", predicted.samples, sequence.sample_rate_hz)
    write_wav(out / "heard.wav", heard.samples, sequence.sample_rate_hz)
    _write_overview(out / "spectrograms.png", predicted, heard, evaluation, sequence)
    rows = [_row(outcome, recording, predicted, heard, sequence, views) for outcome in evaluation.outcomes]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hearing_hands_ros", "demo"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=text.title,
        lead=text.lead,
        origin=text.origin,
        facts=text.facts,
        cards=_cards(evaluation, recording, figures),
        overview=data_url((out / "spectrograms.png").read_bytes(), "image/png"),
        rows=rows,
    )
    (out / "report.html").write_text(page, encoding="utf-8")
    media = ("predicted_png", "heard_png", "predicted_sound", "heard_sound", "scene_view", "spot_view")
    document = {
        "title": text.title,
        "origin": list(text.origin),
        "facts": dict(text.facts),
        "figures": {name: _json(value) for name, value in figures.items()},
        "touches": [{name: _json(value) for name, value in row.items() if name not in media} for row in rows],
        "diagnostics": {
            name: {"level": level, "message": message, "values": values}
            for name, (level, message, values) in sorted(recording.diagnostics.items())
        },
    }
    (out / "report.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _cards(evaluation: Evaluation, recording: Recording, figures: Mapping[str, float]) -> list[dict[str, str]]:
    return [
        {"value": str(len(recording.contacts)), "label": "touches found"},
        {"value": str(len(recording.predictions)), "label": "sounds predicted"},
        {"value": f"{evaluation.count('found')} of {evaluation.anomalies}", "label": "anomalies found"},
        {"value": f"{evaluation.recall:.2f}", "label": "recall"},
        {"value": f"{evaluation.precision:.2f}", "label": "precision"},
        {"value": str(evaluation.count("unknown")), "label": "verdicts UNKNOWN"},
        {"value": f"{1e3 * figures['prediction_latency_p95_s']:.0f} ms", "label": "touch end to prediction, p95"},
        {"value": f"{1e3 * figures['verdict_latency_p95_s']:.0f} ms", "label": "touch end to verdict, p95"},
    ]


def _row(
    outcome: Outcome,
    recording: Recording,
    predicted: SoundLine,
    heard: SoundLine,
    sequence: SequenceConfig,
    views: Mapping[int, TouchView],
) -> dict[str, Any]:
    verdict, truth = outcome.verdict, outcome.truth
    known = verdict or truth
    assert known is not None  # noqa: S101  (an outcome has one of them)
    stamp_ns = known.stamp_ns
    contact: Contact | None = recording.contacts.get(verdict.contact_id) if verdict else None
    pieces: dict[str, str | None] = {}
    for name, line, there in (("predicted", predicted, contact is not None), ("heard", heard, True)):
        pieces[f"{name}_png"] = pieces[f"{name}_sound"] = None
        if there:
            piece = line.cut(stamp_ns - round(LEAD_S * NANOSECONDS), SHOWN_S)
            pieces[f"{name}_png"] = data_url(mel_png(piece, sequence, HIGH, SHOWN_DB), "image/png")
            pieces[f"{name}_sound"] = data_url(flac(piece, sequence.sample_rate_hz), "audio/flac")
    view = views.get(verdict.contact_id) if verdict else None
    truth_text = ""
    if truth is not None:
        odd = f"{truth.anomaly.replace('_', ' ')}: {truth.heard}"
        truth_text = "nothing odd" if truth.anomaly == "none" else odd
    speed = None
    if contact is not None:
        speed = contact.slide_speed_mps if contact.kind == "slide" else contact.approach_speed_mps
    return {
        "time_s": (stamp_ns - predicted.start_ns) / NANOSECONDS,
        "material": contact.material if contact else None,
        "kind": contact.kind if contact else None,
        "speed": speed,
        "truth": truth_text,
        "outcome": outcome.kind,
        "verdict": verdict.verdict if verdict else "no verdict",
        "p_value": _finite(verdict.p_value) if verdict else None,
        "lag_ms": 1e3 * verdict.lag_s if verdict and math.isfinite(verdict.lag_s) else None,
        "latency_s": _finite(verdict.latency_s) if verdict else None,
        "reason": verdict.reason if verdict else "nothing was said about it",
        "scene_view": None if view is None else data_url(view.scene, "image/jpeg"),
        "spot_view": None if view is None else data_url(view.spot, "image/jpeg"),
        **pieces,
    }


def _write_overview(
    path: Path, predicted: SoundLine, heard: SoundLine, evaluation: Evaluation, sequence: SequenceConfig
) -> None:
    """Write the whole run as strips of equal length under each other."""
    mels = [log_mel(line.samples, sequence) for line in (predicted, heard)]
    # A prediction says nothing of the time between touches: leave that blank rather than black.
    silent = np.abs(predicted.samples[: mels[0].shape[1] * sequence.hop]).reshape(-1, sequence.hop).max(axis=1) == 0.0
    mels[0] = np.where(silent, np.float32(np.nan), mels[0])
    marks = [
        Mark(
            (outcome.verdict.stamp_ns - predicted.start_ns) / NANOSECONDS,
            outcome.verdict.verdict.lower(),
            "" if outcome.verdict.verdict == "NORMAL" else outcome.verdict.verdict.lower(),
        )
        for outcome in evaluation.outcomes
        if outcome.verdict is not None
    ]
    frames = sequence.mel_frames(ROOM_S)
    strips = []
    for first in range(0, mels[0].shape[1], frames):
        pair = [
            np.pad(mel[:, first : first + frames], ((0, 0), (0, frames - mel[:, first : first + frames].shape[1])),
                   constant_values=np.nan)
            for mel in mels
        ]  # fmt: skip
        strip = path.with_name(f".strip{first}.png")
        save_png(strip, pair[0], pair[1], marks, first * sequence.hop_s, config=sequence)
        strips.append(Image.open(strip).convert("RGB"))
        strip.unlink()
    height = sum(strip.height for strip in strips)
    whole = Image.new("RGB", (strips[0].width, height), "white")
    top = 0
    for strip_image in strips:
        whole.paste(strip_image, (0, top))
        top += strip_image.height
    whole.save(path, optimize=True)


def _resampled(line: SoundLine, rate_hz: int) -> SoundLine:
    out = SoundLine(line.start_ns, line.seconds, rate_hz)
    samples = soxr.resample(line.samples, line.sample_rate_hz, rate_hz)[: len(out.samples)]
    out.samples[: len(samples)] = samples
    return out


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(value: Any) -> Any:
    return _finite(value) if isinstance(value, float) else value
