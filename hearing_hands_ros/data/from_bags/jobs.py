"""What the processes of a build do: identify a recording, read a piece of it, write a scene, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hearing_hands_ros.data.dataset import DatasetInfo
from hearing_hands_ros.data.dataset_writer import write_scene
from hearing_hands_ros.data.from_bags.recorded import Recorded, seconds_of
from hearing_hands_ros.data.from_bags.settings import BuildSettings
from hearing_hands_ros.data.from_bags.track import Piece, read_track
from hearing_hands_ros.data.from_bags.windows import Cut
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.recording import Recording
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.vision.encoder import load_encoder
from hearing_hands_ros.vision.scene_looks import SceneLooks

_BLOCK_BYTES = 1 << 22
_LONGEST_S = 7 * 86_400.0  # one damaged stamp makes a recording of decades, read in millions of pieces


@dataclass(frozen=True)
class BagFacts:
    """What a recording is.

    Attributes:
        path: Of the bag.
        sha256: Of its files, in the order of their names.
        start_ns: Its first message.
        end_ns: Its last one.
        sample_rate_hz: Of the first sound in it.
    """

    path: Path
    sha256: str
    start_ns: int
    end_ns: int
    sample_rate_hz: int


@dataclass(frozen=True)
class IdentifyJob:
    """A recording that is to be identified."""

    path: Path
    replay: ReplaySettings


@dataclass(frozen=True)
class ReadJob:
    """A piece of a recording, and the folder that its track is to be written to."""

    path: Path
    piece: Piece
    folder: Path
    window_s: float
    replay: ReplaySettings


@dataclass(frozen=True)
class EncoderFacts:
    """What looks at the scene: name, length of its features, and licence."""

    name: str
    dim: int
    licence: str


@dataclass(frozen=True)
class SceneJob:
    """A scene of the dataset: windows of one recording that begin at one place."""

    out: Path
    info: DatasetInfo
    scene: str
    recorded: Recorded
    cuts: Sequence[Cut]
    settings: BuildSettings
    replay: ReplaySettings


def files_of(bag: Path) -> list[Path]:
    """All files of a bag, in the order of their names; none where there is no bag."""
    return [bag] if bag.is_file() else sorted(path for path in bag.rglob("*") if path.is_file())


def identify(job: IdentifyJob) -> BagFacts:
    """Read all of a recording's bytes, and its first sound.

    Raises:
        ValueError: It cannot be read, has no TF or no sound, or its stamps are of more than a week.
    """
    bag = RecordedBag(job.path)
    start_ns, end_ns = bag.start_ns, bag.end_ns
    bag.close()
    if bag.seconds > _LONGEST_S:
        raise ValueError(f"bag '{job.path}': wanted stamps of at most 7 days, got {bag.seconds / 86_400.0:.0f} days")
    digest = hashlib.sha256()
    for file in files_of(job.path):
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    rate_hz = 0
    with _opened(job.path, job.replay) as recording:
        for moment in recording.moments(span=(start_ns, end_ns + 1)):
            if moment.sound:
                rate_hz = moment.sound[0].sample_rate_hz
                break
    if not rate_hz:
        raise ValueError(f"bag '{job.path}': wanted sound, got none that can be read: {recording.sound.refused}")
    return BagFacts(job.path, digest.hexdigest(), start_ns, end_ns, rate_hz)


def read(job: ReadJob) -> None:
    """Read a piece, and keep what is in it."""
    if job.folder.is_dir():
        return
    with _opened(job.path, job.replay) as recording:
        lag_s, rate_hz = job.replay.comparator.microphone_lag_s, SequenceConfig().sample_rate_hz
        read_track(recording, job.piece, job.window_s, lag_s, rate_hz).save(job.folder)


def look(job: tuple[str, BuildSettings]) -> EncoderFacts:
    """Load the encoder, and bake the features of a scene where baked ones are wanted and none are beside it."""
    scene, settings = job
    encoder = _looks(scene, settings.encoder, settings.views).features.cache.encoder
    return EncoderFacts(encoder.name, encoder.dim, encoder.licence)


def write(job: SceneJob) -> int:
    """Write a scene; return how many windows are in it."""
    bare = "bare" if job.settings.views == "exact" else job.settings.views
    looks = _looks(job.replay.scene, job.settings.encoder, bare)
    with_hand = _looks(job.replay.scene, job.settings.encoder, "exact") if job.settings.views == "exact" else None
    sequence, recorded = job.info.sequence, job.recorded
    items, windows = [], []
    for cut in job.cuts:
        motion, sound = recorded.motion(cut), recorded.sound(cut, sequence)
        assert sound is not None  # noqa: S101  (windows whose sound was lost are left out)
        local = looks.looks(motion).astype(np.float16)
        hand = np.full_like(local, np.nan) if with_hand is None else with_hand.looks(motion).astype(np.float16)
        begin_ns, end_ns = cut.span_ns(recorded.rate_hz)
        first = next((contact for contact in motion.contacts if contact.start_ns >= 0), None)
        action = "none" if first is None or not cut.touches else first.kind
        since_ms = (begin_ns - recorded.pieces[0].start_ns) * 1000 // NANOSECONDS
        name = f"{since_ms:09d}_{action}"
        scene_views = looks.scene[None].astype(np.float16)
        items.append(Item(job.scene, name, action, motion, sound, local, hand, scene_views))
        windows.append({"name": name, "start_ns": begin_ns, "end_ns": end_ns, "touches": cut.touches})
    sources: dict[str, Any] = {
        "recording": recorded.name,
        "place": list(job.cuts[0].place),
        "place_m": job.settings.place_m,
        "seconds": round(sum(seconds_of(cut, recorded.rate_hz) for cut in job.cuts), 3),
        "windows": windows,
    }
    return write_scene(job.out, job.info, job.scene, items, sources)


def _opened(path: Path, replay: ReplaySettings) -> Recording:
    bundle, surface = _scene(replay.scene)
    return Recording(path, bundle, surface, replay.hands, replay.sound)


@lru_cache(maxsize=1)
def _scene(folder: str) -> tuple[SceneBundle, SplatSurface]:
    bundle = SceneBundle.load(Path(folder).expanduser())
    return bundle, SplatSurface(bundle)


@lru_cache(maxsize=2)
def _looks(folder: str, encoder: str, mode: Any) -> SceneLooks:
    return SceneLooks.of(folder, load_encoder(encoder, precision="bfloat16"), mode)  # one type: the same numbers
