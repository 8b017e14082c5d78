"""Recordings of normal touches in the demo's world, to calibrate a comparator with.

    python -m hearing_hands_ros.demo.normal FOLDER

writes FOLDER/normal_1.mcap to normal_9.mcap. As the demo's own recording they are simulated but for the sounds, which
are recorded; no recording that the demo's microphone hears is in them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.status import Status

from hearing_hands_ros.demo import heard, motion
from hearing_hands_ros.demo.build import record
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.voices import recordings_of

SEEDS: Final = tuple(range(101, 110))
SLIDES_S: Final = (0.7, 0.85, 0.95) * 4
FEW: Final = 3
"""One recording that is heard again and again is no more than one touch."""

FOOT: Final = "foot"
QUIET_S: Final = 25.0
"""At the end of each the hand rests: what this room sounds like when nothing touches."""


def record_normal(demo: Path, bag: Path, seed: int) -> int:
    """Write a recording of taps and slides of which each sounds like what it touches.

    Args:
        demo: Folder of the demo.
        bag: File to write.
        seed: Of motion and sounds.

    Returns:
        How many touches are in it.
    """
    events = motion.plan(seed, SLIDES_S, pauses=0)
    rows = unheard(demo)
    sounds = heard.cast_normal(events, rows, seed)
    wave = heard.mix(events, sounds, demo, rows, motion.duration_s(events) + QUIET_S, seed)
    record(bag, events, wave, SplatSurface(SceneBundle.load(demo / "scene")), lambda _: None)
    return len(sounds)


def heard_in_demo(demo: Path) -> set[str]:
    """Files of `held_out` that the demo's microphone hears."""
    truth = yaml.safe_load((demo / "truth.yaml").read_text())
    return {event["recording"] for event in (*truth["touches"], *truth["extra_sounds"])} - {None}


def unheard(demo: Path) -> Sequence[Mapping[str, Any]]:
    """Recordings that are not heard in the demo and, where there are such, that the generator does not know.

    To what it knows its predictions are nearer than to a new touch, so that a calibration with that would promise too
    much. New to it are the held-out recordings and those of the bank that only validated its training; what few of
    these are left of is filled up with the others of the bank. Footsteps are taken only where all recordings of a
    material are such: the demo hears none on wood, and no hand sounds like one.

    Returns:
        As `heard.recordings`, with files relative to `demo`.
    """
    held_out, bank = _rows(demo, "held_out"), _rows(demo, "bank")
    used = {f"held_out/{file}" for file in heard_in_demo(demo)}
    new = {f"bank/{e.file}" for e in recordings_of("val", demo / "bank", demo / "held_out", heard.RATE_HZ).exemplars}
    trodden = {row["material"] for row in held_out} - {row["material"] for row in held_out if row["tool"] != FOOT}
    rows = [row for row in held_out if row["file"] not in used] + [row for row in bank if row["file"] in new]
    rows = [row for row in rows if row["tool"] != FOOT or row["material"] in trodden]
    left = Counter((row["material"], row["action"]) for row in rows)
    known = (row for row in bank if row["file"] not in new)
    return rows + [row for row in known if left[row["material"], row["action"]] < FEW]


def _rows(demo: Path, folder: str) -> list[Mapping[str, Any]]:
    """As `heard.recordings`, with files relative to `demo`."""
    return [{**row, "file": f"{folder}/{row['file']}"} for row in heard.recordings(demo / folder)]


def main(arguments: list[str]) -> int:
    """Command line: FOLDER."""
    if len(arguments) != 1:
        print("usage: python -m hearing_hands_ros.demo.normal FOLDER", file=sys.stderr)
        return 2
    folder, demo = Path(arguments[0]), share_directory() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with Status("", console=Console(stderr=True)) as status:
        for number, seed in enumerate(SEEDS, start=1):
            status.update(f"making recording {number} of {len(SEEDS)}")
            record_normal(demo, folder / f"normal_{number}.mcap", seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
