"""What a replay says of itself: model, settings, versions, machine, what was read and what could not be used."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml

from hearing_hands_ros import __version__
from hearing_hands_ros.compare.conformal import ConformalCalibration
from hearing_hands_ros.plain import plain
from hearing_hands_ros.predictors.protocol import Predictor
from hearing_hands_ros.replay.recording import Recording
from hearing_hands_ros.replay.result import ModelResult, Run
from hearing_hands_ros.replay.settings import ReplaySettings
from hearing_hands_ros.scene.bundle import SceneBundle

PACKAGES: Final = ("numpy", "scipy", "torch", "soxr", "rosbags")
CONFIGS: Final = ("config.yaml", "bank.yaml")
CARD: Final = "README.md"


@dataclass(frozen=True)
class Task:
    """One recording to replay.

    Attributes:
        bag: The recording.
        out: Folder for its results.
        labels: File with what is known of its touches; None for none.
    """

    bag: Path
    out: Path
    labels: Path | None = None


def run_before(
    task: Task,
    mode: str,
    settings: ReplaySettings,
    predictor: Predictor,
    scene: SceneBundle,
    calibration: ConformalCalibration | None,
) -> Run:
    """What is known of a replay before it begins; nothing is counted yet."""
    return Run(
        bag=str(task.bag),
        mode=mode,
        ended="",
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        begin_ns=0,
        seconds=0.0,
        replayed_s=0.0,
        wall_s=0.0,
        scene=settings.scene,
        scene_name=scene.name,
        model=model_of(settings.model, predictor),
        calibration=settings.calibration,
        calibrated_on="" if calibration is None else calibration.source,
        alpha=settings.alpha,
        touches=0,
        verdicts={},
        quiet_s=math.nan,
        counts={},
        notes=(),
        labels="" if task.labels is None else str(task.labels),
        missed=(),
        settings=plain(asdict(settings)),
        versions=versions(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    )


def model_of(folder: str, predictor: Predictor) -> ModelResult:
    """What predicts, with what its folder says of it."""
    path = Path(folder).expanduser()
    document: Mapping[str, Any] = {}
    for name in CONFIGS:
        if (path / name).is_file():
            document = yaml.safe_load((path / name).read_text(encoding="utf-8"))
    hashes = document.get("sha256")
    card = path / CARD
    return ModelResult(
        name=predictor.model,
        predictor=predictor.name,
        folder=folder,
        licence=str(document.get("licence", "")),
        sha256=str(next(iter(hashes.values()), "") if isinstance(hashes, Mapping) else hashes or ""),
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
    )


def counts_of(recording: Recording) -> dict[str, int]:
    """What was read of a recording, and what could not be used."""
    follower, heard = recording.hands.follower, recording.sound.monitor.counts
    return {
        "tf_messages": recording.hands.counts["messages"],
        "tf_malformed": recording.hands.counts["malformed"],
        **{f"hand_{name}": follower.counts[name] for name in ("frames", "invalid_frames", "late_frames", "windows")},
        "hand_jumps": follower.hand_jumps,
        "touches": follower.counts["touches"],
        "clock_jumps": follower.counts["clock_jumps"],
        "sound_blocks": heard.blocks,
        "sound_samples": heard.frames,
        "sound_samples_lost": heard.lost_frames,
        "sound_refused": heard.refused,
    }


def versions() -> dict[str, str]:
    """Of this package and those that figures depend on."""
    ours = {"hearing_hands_ros": __version__, "python": platform.python_version()}
    return ours | {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # on a robot it may come from elsewhere
        return ""
