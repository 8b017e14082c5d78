"""Makes a dataset of recordings; what was cut off goes on where it stopped, what is done is not done again."""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from hearing_hands_ros.data.dataset import MANIFEST, Dataset, DatasetInfo, read_info
from hearing_hands_ros.data.dataset_writer import SOURCES, scene_folder, write_info
from hearing_hands_ros.data.from_bags.jobs import (
    BagFacts,
    EncoderFacts,
    IdentifyJob,
    ReadJob,
    SceneJob,
    files_of,
    identify,
    look,
    read,
    write,
)
from hearing_hands_ros.data.from_bags.page import write_page
from hearing_hands_ros.data.from_bags.recorded import Recorded
from hearing_hands_ros.data.from_bags.settings import BuildSettings
from hearing_hands_ros.data.from_bags.split import Place, place_of, split_of
from hearing_hands_ros.data.from_bags.spread import spread
from hearing_hands_ros.data.from_bags.statistics import measure
from hearing_hands_ros.data.from_bags.track import pieces
from hearing_hands_ros.data.from_bags.windows import Cut, Placed, cut_windows
from hearing_hands_ros.plain import plain
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.whole_file import write_text

FORMAT: Final = "hearing_hands_ros/dataset_sources/1"
STATISTICS: Final = "statistics.yaml"
PAGE: Final = "samples.html"
WORK: Final = ".build"
"""In the dataset's folder until it is done: what was read of the recordings."""

Tell = Callable[[str, int, int], object]
"""Told what is done, how much of it, and of how much."""


@dataclass(frozen=True)
class Workers:
    """How many processes work, and whether on Ray."""

    processes: int = 1
    ray: bool = False


@dataclass(frozen=True)
class Plan:
    """The windows of a dataset.

    Attributes:
        scenes: Windows by name of the scene, and the recording that they are of.
        splits: Side by name of the scene.
        left_out: Windows and touches that are not in it, by reason.
        notes: What was done, for people.
    """

    scenes: Mapping[str, tuple[Recorded, list[Cut]]]
    splits: Mapping[str, str]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def build(
    bags: Sequence[Path],
    out: Path,
    settings: BuildSettings,
    replay: ReplaySettings,
    workers: Workers,
    tell: Tell = lambda *_: None,
) -> bool:
    """Make a dataset, or what is missing of it.

    Args:
        bags: Recordings.
        out: Folder of the dataset.
        settings: What it is to be like.
        replay: Scene, hands, sound and the microphone's lag; as the graph would have them.
        workers: Who works.
        tell: Told how far it is.

    Returns:
        Whether anything was to be done.

    Raises:
        FileNotFoundError: A file of the scene is missing.
        ValueError: A recording or the scene cannot be used, or `out` holds something else.
    """
    asked = _asked(bags, settings, replay)
    facts = _facts(bags, out, asked, replay, workers, tell)
    if facts is None:
        return False
    recordings = _read(facts, out, settings, replay, workers, tell)
    plan = _plan(recordings, settings, replay)
    [(_, encoder)] = spread(look, [(replay.scene, settings)], workers.processes, workers.ray)
    info = _info(out, facts, settings, encoder, plan)
    if not (out / MANIFEST).is_file() or read_info(out).document() != info.document():
        write_info(out, info)
    jobs = [
        SceneJob(out, info, scene, recorded, cuts, settings, replay)
        for scene, (recorded, cuts) in plan.scenes.items()
        if not scene_folder(out, scene).is_dir()
    ]
    for done, _ in enumerate(spread(write, jobs, workers.processes, workers.ray), start=1):
        tell("writing scenes", done, len(jobs))
    _finish(out, asked, facts, plan, settings, replay.scene, tell)
    return True


def _asked(bags: Sequence[Path], settings: BuildSettings, replay: ReplaySettings) -> dict[str, Any]:
    """What the dataset is made of and how, but for the recordings."""
    bundle = SceneBundle.load(Path(replay.scene).expanduser())
    if replay.hands.tracker.rate_hz != SequenceConfig().hand_rate_hz:
        wanted = f"{SequenceConfig().hand_rate_hz:g}"
        raise ValueError(f"dataset build: hand_tracker.rate_hz wanted {wanted}, got {replay.hands.tracker.rate_hz}")
    if not bags:
        raise ValueError("dataset build: wanted one recording or more, got none")
    return {
        "scene": {
            "name": bundle.name,
            "sha256": bundle.sha256,
            "scale": float(bundle.scale),
            "rotation_wxyz": bundle.rotation_wxyz.tolist(),
            "translation_m": bundle.translation_m.tolist(),
        },
        "settings": asdict(settings),
        "microphone_lag_s": replay.comparator.microphone_lag_s,
        "hands": plain(asdict(replay.hands)),
        "sound": plain(asdict(replay.sound)),
    }


def _facts(
    bags: Sequence[Path], out: Path, asked: Mapping[str, Any], replay: ReplaySettings, workers: Workers, tell: Tell
) -> list[BagFacts] | None:
    """Identify the recordings; None if the dataset of them is there."""
    jobs = [IdentifyJob(bag.expanduser().absolute(), replay) for bag in bags]
    done = _document(out / SOURCES)
    begun = done or _document(out / WORK / SOURCES)
    known = {tuple(row["files"]): row for row in begun["recordings"]} if begun else {}
    ordered: dict[int, BagFacts] = {}
    rest = []
    for number, job in enumerate(jobs):
        row = known.get(tuple(_stamps(job.path)))
        if row is None:
            rest.append(number)
        else:
            ordered[number] = BagFacts(job.path, row["sha256"], row["start_ns"], row["end_ns"], row["sample_rate_hz"])
    for count, (number, facts) in enumerate(spread(identify, [jobs[n] for n in rest], workers.processes, workers.ray)):
        ordered[rest[number]] = facts
        tell("identifying", count + 1, len(rest))
    found = [ordered[number] for number in range(len(jobs))]
    _check_facts(found)
    document = {"format": FORMAT, **asked, "recordings": [_row(facts) for facts in found]}
    if begun is None:
        if out.is_dir() and any(path.name != WORK for path in out.iterdir()):
            raise ValueError(
                f"--out: wanted a new folder or one of a dataset that was begun, got '{out}' with other things"
            )
        _write_yaml(out / WORK / SOURCES, document)
    elif _same(begun) != _same(document):
        differs = [key for key in document if _same(begun).get(key) != _same(document)[key]]
        raise ValueError(f"--out: wanted a folder of the same dataset, got '{out}' of other {', '.join(differs)}")
    if done:
        shutil.rmtree(out / WORK, ignore_errors=True)  # of one that was cut off just before its end
    return None if done else found


def _check_facts(found: Sequence[BagFacts]) -> None:
    rates: dict[int, list[str]] = defaultdict(list)
    for facts in found:
        rates[facts.sample_rate_hz].append(facts.path.name)
    if len(rates) > 1:
        got = "; ".join(f"{rate} Hz in {', '.join(names)}" for rate, names in sorted(rates.items()))
        raise ValueError(f"dataset build: wanted one sample rate, got {got}: build a dataset of each")
    least = SequenceConfig().sample_rate_hz
    if min(rates) < least:
        raise ValueError(f"dataset build: wanted sound of {least} Hz or more, got {min(rates)} Hz")
    twice = [name for name, count in Counter(facts.sha256 for facts in found).items() if count > 1]
    if twice:
        names = ", ".join(facts.path.name for facts in found if facts.sha256 == twice[0])
        raise ValueError(f"dataset build: wanted different recordings, got one twice: {names}")


def _read(
    facts: Sequence[BagFacts], out: Path, settings: BuildSettings, replay: ReplaySettings, workers: Workers, tell: Tell
) -> list[Recorded]:
    """Read what was not read yet."""
    recordings, jobs, names = [], list[ReadJob](), Counter[str]()
    for bag in facts:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", bag.path.stem) or "recording"
        names[plain] += 1
        name = plain if names[plain] == 1 else f"{plain}-{names[plain]}"
        parts = pieces(bag.start_ns, bag.end_ns)
        folders = [out / WORK / "tracks" / f"{name}_{number:04d}" for number in range(len(parts))]
        jobs += [
            ReadJob(bag.path, part, folder, settings.window_s, replay)
            for part, folder in zip(parts, folders, strict=True)
            if not folder.is_dir()
        ]
        recordings.append(Recorded(name, parts, folders))
    for done, _ in enumerate(spread(read, jobs, workers.processes, workers.ray), start=1):
        tell("reading", done, len(jobs))
    for bag, recorded in zip(facts, recordings, strict=True):
        rates = sorted({rate for track in recorded.tracks for rate in track.rates_hz})
        if len(rates) > 1:
            raise ValueError(f"bag '{bag.path}': wanted one sample rate, got {', '.join(map(str, rates))} Hz")
        if not any(track.counts["frames"] for track in recorded.tracks):
            raise ValueError(f"bag '{bag.path}': wanted a hand, got none: {recorded.tracks[0].trouble}")
    return recordings


def _plan(recordings: Sequence[Recorded], settings: BuildSettings, replay: ReplaySettings) -> Plan:
    """Which windows there will be; the same ones whenever it is asked."""
    sequence, silence = SequenceConfig(), 10.0 ** (replay.sound.limits.silence_dbfs / 20.0)
    split = split_of({recorded.name: recorded.touches for recorded in recordings}, settings)
    left_out: Counter[str] = Counter()
    full, empty = list[tuple[Recorded, Cut]](), list[tuple[Recorded, Cut]]()
    for number, recorded in enumerate(recordings):
        placed = [
            Placed(touch, place, split.side(recorded.name, place))
            for touch in recorded.touches
            for place in [place_of(touch, settings.place_m)]
        ]
        rng = np.random.default_rng([settings.seed, number])
        around, between, lost = cut_windows(placed, recorded.span_ns(), recorded.rate_hz, settings, rng)
        left_out += lost
        for found, into in ((around, full), (between, empty)):
            for cut in found:
                fault = recorded.fault(cut, sequence, silence)
                if fault:
                    left_out[f"windows: {fault}"] += 1
                else:
                    into.append((recorded, cut))
    wanted = round(settings.empty_share / (1.0 - settings.empty_share) * len(full))
    chosen = np.random.default_rng([settings.seed, len(recordings)]).permutation(len(empty))[:wanted]
    warnings = [
        f"{r.name}: {text}" for r in recordings for text in dict.fromkeys(t for k in r.tracks for t in k.warnings)
    ]
    notes = [*split.notes, *_notes(len(full), len(empty), wanted, settings, replay), *warnings]
    if not full:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()) if count) or "no touches"
        raise ValueError(f"dataset build: wanted windows with touches, got none; left out: {reasons}")
    scenes: dict[str, tuple[Recorded, list[Cut]]] = {}
    numbers = _numbers([cut.place for _, cut in full + empty])
    splits: dict[str, str] = {}
    for recorded, cut in [*full, *(empty[i] for i in sorted(chosen))]:
        scene = f"{recorded.name}_p{numbers[cut.place]:03d}"
        scenes.setdefault(scene, (recorded, []))[1].append(cut)
        splits[scene] = cut.side
    ordered = sorted(scenes)
    return Plan(
        {scene: (scenes[scene][0], sorted(scenes[scene][1], key=lambda cut: cut.first_frame)) for scene in ordered},
        {scene: splits[scene] for scene in ordered},
        {reason: count for reason, count in sorted(left_out.items()) if count},
        tuple(notes),
    )


def _notes(full: int, empty: int, wanted: int, settings: BuildSettings, replay: ReplaySettings) -> list[str]:
    notes = []
    if empty < wanted:
        share = empty / max(full + empty, 1)
        notes.append(
            f"in {share:.0%} of the windows nothing is touched, {settings.empty_share:.0%} were wanted: the recordings "
            "have no more time away from touches"
        )
    lag_s = replay.comparator.microphone_lag_s
    if lag_s:
        notes.append(f"the microphone's lag of {1e3 * lag_s:g} ms is taken out")
    else:
        notes.append("the microphone's lag was taken to be 0: measure it with hearing-hands calibrate lag")
    return notes


def _numbers(places: Sequence[Place]) -> dict[Place, int]:
    return {place: number for number, place in enumerate(sorted(set(places)))}


def _info(
    out: Path, facts: Sequence[BagFacts], settings: BuildSettings, encoder: EncoderFacts, plan: Plan
) -> DatasetInfo:
    recorded = ", ".join(bag.path.name for bag in facts)
    return DatasetInfo(
        name=out.absolute().name,
        sequence=SequenceConfig(),
        encoder=encoder.name,
        encoder_dim=encoder.dim,
        origin=settings.origin,
        licences={"recordings": settings.licence, "features": encoder.licence},
        splits=plan.splits,
        made_by=f"built from {recorded}; held out: {settings.split}",
    )


def _finish(
    out: Path,
    asked: Mapping[str, Any],
    facts: Sequence[BagFacts],
    plan: Plan,
    settings: BuildSettings,
    scene: str,
    tell: Tell,
) -> None:
    """Say what there is; that all is done is written last."""
    dataset = Dataset.open(out)
    statistics = measure(dataset, lambda done, total: tell("measuring", done, total))
    document = {"notes": list(plan.notes), "left_out": dict(plan.left_out), **statistics.document()}
    _write_yaml(out / STATISTICS, document)
    write_page(out / PAGE, dataset, document, Path(scene).expanduser(), np.random.default_rng(settings.seed))
    _write_yaml(out / SOURCES, {"format": FORMAT, **asked, "recordings": [_row(bag) for bag in facts]})
    shutil.rmtree(out / WORK)


def _row(facts: BagFacts) -> dict[str, Any]:
    return {
        "bag": facts.path.name,
        "sha256": facts.sha256,
        "start_ns": facts.start_ns,
        "end_ns": facts.end_ns,
        "sample_rate_hz": facts.sample_rate_hz,
        "files": _stamps(facts.path),
    }


def _stamps(bag: Path) -> list[str]:
    """By what a bag that was read before is known again without reading all of it."""
    return [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files_of(bag)]


def _same(document: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for the same dataset."""
    recordings = [{key: row[key] for key in ("bag", "sha256")} for row in document["recordings"]]
    return {**document, "recordings": recordings}


def _document(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"'{path}': wanted format {FORMAT!r}, got something else")
    return document


def _write_yaml(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(dict(document), sort_keys=False, width=120))
