"""What a replay leaves on disk: one folder a recording, written as it goes and read again one touch at a time.

run.json        what was replayed with what, and what was counted; written last, so a folder without it is not whole
touches.jsonl   one verdict a line, in the order in which they were given
sounds/         000001_heard.flac and 000001_predicted.flac, 16 kHz, from `BEFORE_S` before the touch, equally long

A figure that is not a number (no onset, no p-value) is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from hearing_hands_ros.plain import plain

FORMAT: Final = 1
RUN, TOUCHES, SOUNDS = "run.json", "touches.jsonl", "sounds"
BEFORE_S: Final = 0.1
"""Sound before the touch that is in the files of a touch."""

UNLABELLED, NORMAL = "", "normal"
OFFLINE, LIVE = "offline", "live"
NAN: Final = math.nan


@dataclass(frozen=True)
class DifferenceResult:
    """Where a touch differs most from its prediction; see `Difference`."""

    low_hz: float
    high_hz: float
    begin_s: float
    end_s: float
    by_db: float


@dataclass(frozen=True)
class TouchResult:
    """One verdict: on a touch, or on a sound that no touch explains.

    Attributes:
        number: Counts from 1; also names the sounds.
        stamp_ns: Begin of the touch, or the onset of the sound.
        since_ns: End of the touch, or the onset.
        verdict: Name of a `Verdict`.
        reason: For people.
        kind: 'tap' or 'slide'; empty for a sound without a touch, which has none of the next seven either.
        contact_id: The tracker's number; 0 for none.
        hand: 0 left, 1 right; -1 for none.
        material: As the scene names it; empty if it does not.
        position_m: (3,) in the scene's frame, or empty.
        normal: (3,) outward, or empty.
        approach_speed_mps: Towards the surface; NaN for none.
        slide_speed_mps: Along the surface; NaN for none.
        p_value: NaN if it was not compared.
        company: Which normal touches it was compared with.
        scores: By name; larger is odder, NaN where there is none.
        baselines: P-values by name.
        anomaly: What is most likely wrong if anything is; empty if not known.
        nearest_material: What was heard is nearest to; empty if not known.
        expected_material: What was predicted is nearest to; empty if not known.
        heard_onset: Whether an onset was heard where it was expected.
        lag_s: Heard less expected onset; NaN without one.
        onsets_s: All that were heard, from the begin of the touch.
        difference: Where it differs most; None if nowhere.
        change: 0 to 1, how far the change alarm is.
        change_alarm: Whether this touch raised it.
        compute_s: Wall time spent on the prediction; NaN without one.
        latency_s: From `since_ns` to the verdict, live; NaN offline.
        label: '' not known, 'normal', or the anomaly that was put in.
    """

    number: int
    stamp_ns: int
    since_ns: int
    verdict: str
    reason: str
    kind: str = ""
    contact_id: int = 0
    hand: int = -1
    material: str = ""
    position_m: tuple[float, ...] = ()
    normal: tuple[float, ...] = ()
    approach_speed_mps: float = NAN
    slide_speed_mps: float = NAN
    p_value: float = NAN
    company: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    anomaly: str = ""
    nearest_material: str = ""
    expected_material: str = ""
    heard_onset: bool = False
    lag_s: float = NAN
    onsets_s: tuple[float, ...] = ()
    difference: DifferenceResult | None = None
    change: float = 0.0
    change_alarm: bool = False
    compute_s: float = NAN
    latency_s: float = NAN
    label: str = UNLABELLED

    def line(self) -> str:
        """As one line of JSON, without its end."""
        return json.dumps(plain(asdict(self)), ensure_ascii=False, allow_nan=False)

    @classmethod
    def of_line(cls, line: str) -> TouchResult:
        """Read a line.

        Raises:
            ValueError: It is not one of these lines.
        """
        values = _fields(cls, json.loads(line), "a touch")
        if values.get("difference") is not None:
            values["difference"] = DifferenceResult(**_fields(DifferenceResult, values["difference"], "difference"))
        for name in ("position_m", "normal", "onsets_s"):
            values[name] = tuple(values.get(name, ()))
        for name in ("scores", "baselines"):
            values[name] = {key: NAN if value is None else value for key, value in values.get(name, {}).items()}
        return cls(**values)


@dataclass(frozen=True)
class MissedLabel:
    """An event of the labels that got no verdict."""

    stamp_ns: int
    label: str


@dataclass(frozen=True)
class ModelResult:
    """What predicted.

    Attributes:
        name: As the predictor names it, with the start of its hash.
        predictor: Its kind.
        folder: Where it lies.
        licence: As its checkpoint says; empty if it does not.
        sha256: Of its weights; empty if it has none.
        card: Text of its README.md; empty if there is none.
    """

    name: str
    predictor: str
    folder: str = ""
    licence: str = ""
    sha256: str = ""
    card: str = ""


@dataclass(frozen=True)
class Run:
    """What was replayed with what, and what was counted.

    Attributes:
        bag: Path of the recording.
        mode: 'offline' or 'live'.
        ended: Empty if the recording was replayed to its end; else why not: what there is is then the beginning.
        started: When, UTC, ISO 8601.
        begin_ns: First stamp of the recording.
        seconds: Its length.
        replayed_s: So much of it was replayed.
        wall_s: So long that took, without loading.
        scene: Folder of the scene.
        scene_name: Its name.
        model: What predicted.
        calibration: File with the scores of normal touches; empty for none.
        calibrated_on: What that says of its touches; empty for none.
        alpha: Rate of false alarms asked for.
        touches: Lines of touches.jsonl.
        verdicts: How many of each.
        quiet_s: Seconds in which a hand was followed, nothing was touched and no sound was lost; NaN live, where
            nobody counts them.
        counts: What was read, skipped, lost or refused.
        notes: What was found in the recording, for people.
        labels: File of the labels; empty for none.
        missed: Events of the labels that got no verdict.
        settings: Of the nodes, or what stands for them.
        versions: Of packages.
        machine: Processor, cores, system.
    """

    bag: str
    mode: str
    ended: str
    started: str
    begin_ns: int
    seconds: float
    replayed_s: float
    wall_s: float
    scene: str
    scene_name: str
    model: ModelResult
    calibration: str
    calibrated_on: str
    alpha: float
    touches: int
    verdicts: Mapping[str, int]
    quiet_s: float
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    labels: str
    missed: tuple[MissedLabel, ...]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    machine: str

    @property
    def is_whole(self) -> bool:
        """Whether the recording was replayed to its end."""
        return not self.ended

    def text(self) -> str:
        """As JSON."""
        document = {"format": FORMAT, **plain(asdict(self))}
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    @classmethod
    def of_text(cls, text: str) -> Run:
        """Read it.

        Raises:
            ValueError: It is not the JSON of a run.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
            raise ValueError(f"wanted a mapping with format {FORMAT}, got another")
        values = _fields(cls, document, "a run")
        values["model"] = ModelResult(**_fields(ModelResult, values["model"], "model"))
        values["missed"] = tuple(MissedLabel(**_fields(MissedLabel, item, "missed")) for item in values["missed"])
        values["notes"] = tuple(values["notes"])
        return cls(**values)


@dataclass(frozen=True)
class ReplayResults:
    """A folder that a replay has written.

    Attributes:
        folder: Where it is.
        run: What was replayed with what.
    """

    folder: Path
    run: Run

    def touches(self) -> Iterator[TouchResult]:
        """Yield the verdicts; never more than one is in memory.

        Raises:
            ValueError: A line is broken, or there are not as many as the run says.
        """
        path, number = self.folder / TOUCHES, 0
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _read(line, f"'{path}': line {number}")
        if number != self.run.touches:
            raise ValueError(f"'{path}': wanted {self.run.touches} verdicts, as {RUN} says, got {number}")

    def heard(self, touch: TouchResult) -> Path | None:
        """Sound file of what was heard; None if nothing was."""
        return _there(heard_path(self.folder, touch.number))

    def predicted(self, touch: TouchResult) -> Path | None:
        """Sound file of what was predicted, as long as the heard one; None without a prediction."""
        return _there(predicted_path(self.folder, touch.number))


def read_results(folder: Path) -> ReplayResults:
    """Open a folder that a replay has written.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It is not one, not whole, or of another format.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"results: wanted a folder that a replay has written, found nothing at '{folder}'")
    path = folder / RUN
    if not path.is_file() or not (folder / TOUCHES).is_file():
        raise ValueError(
            f"results: wanted {RUN} and {TOUCHES} in '{folder}', which a replay writes to its end; found "
            f"{', '.join(sorted(item.name for item in folder.iterdir())) or 'nothing'}"
        )
    try:
        return ReplayResults(folder, Run.of_text(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"'{path}': wanted what a replay writes, got: {error}") from error


def heard_path(folder: Path, number: int) -> Path:
    """Where the heard sound of a touch is."""
    return folder / SOUNDS / f"{number:06d}_heard.flac"


def predicted_path(folder: Path, number: int) -> Path:
    """Where the predicted sound of a touch is."""
    return folder / SOUNDS / f"{number:06d}_predicted.flac"


def _read(line: str, where: str) -> TouchResult:
    try:
        return TouchResult.of_line(line)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{where} wanted a verdict, got: {error}") from error


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _fields(kind: type, values: Any, what: str) -> dict[str, Any]:
    """Values of a dataclass out of JSON, null as NaN where a number belongs."""
    known = {item.name: item.type for item in fields(kind)}
    if not isinstance(values, dict) or set(values) - set(known):
        got = sorted(set(values) - set(known)) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"{what} wanted only fields of {kind.__name__}, got {got}")
    return {name: NAN if value is None and known[name] == "float" else value for name, value in values.items()}
