"""How well a recording tells that it is of another scene, or that the scene lies elsewhere.

    .venv/bin/python bench/scene_check.py [BAG ...]

BAGs are recordings of the demo's bench; default: the demo's own. Each is passed through the scene as it is, and through
the scene shifted, turned and exchanged for others: the synthetic room with its table top at the bench's, and workcells.
Motion and scenes are simulated, most sounds are recorded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[1]))

from hearing_hands_ros.demo.room import ROBOT_FROM_ROOM, room_bundle
from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.replay.recording import Recording
from hearing_hands_ros.replay.sound import SoundSettings
from hearing_hands_ros.scene.bundle import Registration, SceneBundle
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.workcell import build_workcell

DEMO = Path(__file__).parents[1] / "demo"
MIDDLE = np.array([1.35, -0.42, 0.76])
"""Of the bench, in its parent frame."""

SHIFTS_MM = (
    (0, 0, 50),
    (0, 0, 10),
    (0, 0, 5),
    (0, 0, -5),
    (0, 0, -10),
    (0, 0, -50),
    (50, 0, 0),
    (-50, 0, 0),
    (0, 50, 0),
)
TURNS_DEG = ((0, 0, 5), (0, 0, 15), (0, 0, 90), (5, 0, 0))


def moved(bundle: SceneBundle, shift_m: np.ndarray, turn: Rotation) -> SceneBundle:
    """The scene, turned about the bench's middle and shifted."""
    away = Sim3(1.0, to_wxyz(turn), MIDDLE - turn.apply(MIDDLE) + shift_m)
    return replace(bundle, registration=Registration("world", away @ bundle.registered.parent_from_splat, 0.0, 0.0))


def scenes() -> Iterator[tuple[str, SceneBundle]]:
    """The right one, then wrong ones."""
    right = SceneBundle.load(DEMO / "scene")
    yield "right", right
    for shift in SHIFTS_MM:
        yield f"shifted by {shift} mm", moved(right, 1e-3 * np.array(shift), Rotation.identity())
    for turn in TURNS_DEG:
        yield f"turned by {turn} degrees", moved(right, np.zeros(3), Rotation.from_euler("xyz", turn, degrees=True))
    table = ROBOT_FROM_ROOM.apply(np.array([[-0.35, 0.35, 0.75]]))[0]
    yield "room", moved(room_bundle(60_000), MIDDLE - table, Rotation.identity())
    for seed in range(4):
        cell = build_workcell(f"cell_{seed}", "test", np.random.default_rng(seed)).bundle
        yield f"workcell {seed}", moved(cell, np.zeros(3), Rotation.identity())


def main() -> None:
    """Pass all recordings through all scenes, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bags", type=Path, nargs="*", default=[DEMO / "touches.mcap"], metavar="BAG")
    args = parser.parse_args()
    print(f"{'scene':28s} touches  deep  sounds  alone  doubted")
    for name, bundle in scenes():
        surface, total, doubted = SplatSurface(bundle), np.zeros(4, int), 0
        for bag in args.bags:
            with Recording(bag, bundle, surface, FollowerSettings(), SoundSettings()) as recording:
                for _ in recording.moments():
                    pass
                check = recording.hands.scene
            total += [check.touches, check.deep, check.sounds, check.alone]
            doubted += bool(check.doubt)
        touches, deep, sounds, alone = total
        print(f"{name:28s} {touches:7d} {deep:5d} {sounds:7d} {alone:6d}  {doubted} of {len(args.bags)}", flush=True)


if __name__ == "__main__":
    main()
