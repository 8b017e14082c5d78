"""What the page's script reads: the details of touches that are opened, and the sounds that are played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hearing_hands_ros.replay.result import BEFORE_S
from hearing_hands_ros.report.columns import Column
from hearing_hands_ros.report.figures import colour
from hearing_hands_ros.report.table import Entry, Line, told
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import mel_from_hz

AXIS_HZ: Final = {"0": 0.0, "1 kHz": 1000.0, "2 kHz": 2000.0, "4 kHz": 4000.0, "8 kHz": 8000.0}


def details(columns: Sequence[Column], table: Sequence[Line], sequence: SequenceConfig) -> dict[str, Any]:
    """What the page's script shows of a touch that is opened."""
    low, high = (float(mel_from_hz(hz)) for hz in (sequence.low_hz, sequence.high_hz))
    axis = {text: hz for text, hz in AXIS_HZ.items() if sequence.low_hz <= hz <= sequence.high_hz}
    touches = {}
    for line in table:
        said = []
        for entry in line.entries:
            heard = next(
                (e for e in line.entries if e.heard_png and _recording(columns, e) == _recording(columns, entry)), entry
            )
            names = {"predicted": entry.column, "heard": heard.column, "difference": entry.column}
            said.append(
                {
                    **told(entry.touch, entry.seconds, sequence),
                    "letter": columns[entry.column].letter,
                    "name": columns[entry.column].name,
                    "colour": colour(entry.column),
                    "seconds": entry.seconds,
                    "pictures": {
                        name: f'[data-{"open" if name == "difference" else "sound"}="{line.number}-{of}-{name}"]'
                        for name, of in names.items()
                    },
                }
            )
        touches[line.number] = {"spot": line.spot_jpeg, "entries": said}
    hz = [
        (text, round(100.0 * (1.0 - (float(mel_from_hz(value)) - low) / (high - low)), 2))
        for text, value in axis.items()
    ]
    return {"before_s": BEFORE_S, "hz": hz, "touches": touches}


def _recording(columns: Sequence[Column], entry: Entry) -> str:
    return columns[entry.column].run.bag


def sounds(table: Sequence[Line]) -> dict[str, str]:
    """Addresses of all sounds, by the keys of their buttons."""
    return {
        f"{line.number}-{entry.column}-{name}": sound
        for line in table
        for entry in line.entries
        for name, sound in (("predicted", entry.predicted_sound), ("heard", entry.heard_sound))
        if sound
    }
