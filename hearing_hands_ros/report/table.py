"""The table of touches: what its cells say, and which touches can be seen and heard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hearing_hands_ros.compare.evidence import Difference
from hearing_hands_ros.compare.verdict import Verdict
from hearing_hands_ros.replay.result import BEFORE_S, TouchResult
from hearing_hands_ros.report.columns import Column
from hearing_hands_ros.report.matching import Row
from hearing_hands_ros.report.measures import ALARMS, is_odd
from hearing_hands_ros.report.media import LEAST_S, Wave, data_url, difference_png, flac, mel_png
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.audio_file import read_audio
from hearing_hands_ros.sound.mel import mel_from_hz

ALL_NORMAL: Final = Verdict.NORMAL.name
HANDS: Final = {0: "left", 1: "right"}
SHOWN_S: Final = 2.1
"""Sound of a touch that is in the page."""


@dataclass
class Entry:
    """What one replay said of a touch, and what can be seen and heard of it.

    Attributes:
        column: Index of the replay.
        touch: The verdict.
        outcome: 'found', 'missed', 'false alarm', 'normal', 'unknown', or empty without a label.
        predicted_png: Spectrogram; as all of these an address, and empty if there is none.
        heard_png: Likewise.
        difference_png: Likewise.
        predicted_sound: FLAC.
        heard_sound: FLAC.
        seconds: Length of both sounds.
    """

    column: int
    touch: TouchResult
    outcome: str
    predicted_png: str = ""
    heard_png: str = ""
    difference_png: str = ""
    predicted_sound: str = ""
    heard_sound: str = ""
    seconds: float = 0.0


@dataclass
class Line:
    """A row of the table.

    Attributes:
        number: Counts from 1.
        time_s: From the begin of the recording.
        entries: Of the replays that had the touch.
        spot_jpeg: The touched place, an address; empty if it is not shown.
        has_media: It can be seen and heard.
    """

    number: int
    time_s: float
    entries: list[Entry] = field(default_factory=list)
    spot_jpeg: str = ""
    has_media: bool = False

    @property
    def touch(self) -> TouchResult:
        """Of the first replay that had it."""
        return self.entries[0].touch

    @property
    def speed_mps(self) -> float:
        """Along the surface for slides, else towards it; NaN for none."""
        return self.touch.slide_speed_mps if self.touch.kind == "slide" else self.touch.approach_speed_mps

    @property
    def p_value(self) -> float:
        """The least of all replays; NaN for none."""
        return min((e.touch.p_value for e in self.entries if not math.isnan(e.touch.p_value)), default=math.nan)

    @property
    def differs(self) -> bool:
        """Replays gave different verdicts."""
        return len({entry.touch.verdict for entry in self.entries}) > 1

    @property
    def words(self) -> str:
        """Everything in it that one may look for, in small letters."""
        touch = self.touch
        told = [touch.material, touch.kind or "no touch", HANDS.get(touch.hand, ""), touch.label]
        told += [part for e in self.entries for part in (e.touch.verdict, e.touch.reason, e.outcome, e.touch.anomaly)]
        return " ".join(told).lower()


def lines(rows: Sequence[Row]) -> list[Line]:
    """The table, without pictures and sounds."""
    return [
        Line(
            number,
            row.time_s,
            [Entry(column, touch, outcome(touch)) for column, touch in enumerate(row.results) if touch is not None],
        )
        for number, row in enumerate(rows, start=1)
    ]


def outcome(touch: TouchResult) -> str:
    """The verdict beside the label."""
    alarm, unknown = touch.verdict in ALARMS, touch.verdict == Verdict.UNKNOWN.name
    if not touch.label:
        return ""
    if unknown:
        return "unknown"
    if is_odd(touch):
        return "found" if alarm else "missed"
    return "false alarm" if alarm else "normal"


def chosen(table: Sequence[Line], most: int) -> list[Line]:
    """Rows that are to be seen and heard: those that anybody called other than normal, then others, evenly.

    Args:
        table: All rows.
        most: That many at most.
    """
    odd = [line for line in table if any(entry.touch.verdict != ALL_NORMAL for entry in line.entries)]
    normal = [line for line in table if all(entry.touch.verdict == ALL_NORMAL for entry in line.entries)]
    taken = _evenly(odd, most)
    return taken + _evenly(normal, most - len(taken))


def fill(line: Line, columns: Sequence[Column], sequence: SequenceConfig) -> None:
    """Put pictures and sounds into a row; what was heard only once for all replays of one recording."""
    heard_by: dict[str, Entry] = {}
    most = round(SHOWN_S * sequence.sample_rate_hz)
    for entry in line.entries:
        column = columns[entry.column]
        heard, predicted = (
            _sound(file, most, sequence)
            for file in (column.results.heard(entry.touch), column.results.predicted(entry.touch))
        )
        entry.seconds = max(0 if wave is None else len(wave) for wave in (heard, predicted)) / sequence.sample_rate_hz
        line.has_media |= entry.seconds > 0.0
        if heard is not None and heard_by.setdefault(column.run.bag, entry) is entry:
            entry.heard_png = data_url(mel_png(heard, sequence), "image/png")
            entry.heard_sound = data_url(flac(heard, sequence.sample_rate_hz), "audio/flac")
        if predicted is not None:
            entry.predicted_png = data_url(mel_png(predicted, sequence), "image/png")
            entry.predicted_sound = data_url(flac(predicted, sequence.sample_rate_hz), "audio/flac")
        if heard is not None and predicted is not None:
            entry.difference_png = data_url(difference_png(heard, predicted, BEFORE_S, sequence), "image/png")


def _sound(file: Path | None, most: int, sequence: SequenceConfig) -> Wave | None:
    """Up to `most` samples of a file; None where there is nothing to speak of."""
    wave = None if file is None else read_audio(file, sequence.sample_rate_hz)[:most]
    return None if wave is None or len(wave) < LEAST_S * sequence.sample_rate_hz else wave


def told(touch: TouchResult, seconds: float, sequence: SequenceConfig) -> dict[str, Any]:
    """Everything about a verdict that is shown when it is opened, for the page's script.

    Args:
        touch: The verdict.
        seconds: Length of its sounds; 0 without any.
        sequence: Edges of the spectrograms.
    """
    facts = {
        "compared with": touch.company,
        "most likely wrong": touch.anomaly,
        "sounds like": touch.nearest_material,
        "predicted like": touch.expected_material,
        "differs": "" if touch.difference is None else str(Difference(**asdict(touch.difference))),
        "onset": "" if math.isnan(touch.lag_s) else f"{1e3 * touch.lag_s:+.0f} ms from where it was expected",
        "computed in": "" if math.isnan(touch.compute_s) else f"{1e3 * touch.compute_s:.0f} ms",
        "said after": "" if math.isnan(touch.latency_s) else f"{1e3 * touch.latency_s:.0f} ms",
        "position": " ".join(f"{value:.3f}" for value in touch.position_m) + (" m" if touch.position_m else ""),
    }
    return {
        "reason": touch.reason,
        "facts": {name: text for name, text in facts.items() if text},
        "scores": _rounded(touch.scores),
        "baselines": _rounded(touch.baselines),
        "frame": _frame(touch, seconds, sequence),
    }


def _frame(touch: TouchResult, seconds: float, sequence: SequenceConfig) -> list[float] | None:
    """Where a touch differs, as left, top, width and height in percent of a spectrogram."""
    if touch.difference is None or not seconds:
        return None
    low, high = (float(mel_from_hz(hz)) for hz in (sequence.low_hz, sequence.high_hz))
    edges = (touch.difference.high_hz, touch.difference.low_hz)
    top, bottom = (100.0 * (1.0 - (float(mel_from_hz(hz)) - low) / (high - low)) for hz in edges)
    left, right = (100.0 * (BEFORE_S + at) / seconds for at in (touch.difference.begin_s, touch.difference.end_s))
    right, top, bottom = min(right, 100.0), max(top, 0.0), min(bottom, 100.0)
    return [round(value, 2) for value in (left, top, right - left, bottom - top)]


def _rounded(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 3) for name, value in values.items()}


def _evenly(items: Sequence[Line], most: int) -> list[Line]:
    count = min(max(most, 0), len(items))
    return [items[i * len(items) // count] for i in range(count)]
