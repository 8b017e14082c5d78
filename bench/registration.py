"""How exact a registration of the synthetic room is, and from how far off a cloud finds it.

python bench/registration.py [--quick]
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[1] / "test" / "scene" / "registration"))

from room_world import RoomWorld, errors
from test_icp import depth_cloud, guess

from hearing_hands_ros.demo import room
from hearing_hands_ros.scene.registration.icp import register_from_cloud
from hearing_hands_ros.scene.registration.images import register_from_images
from hearing_hands_ros.scene.registration.report import Limits
from hearing_hands_ros.scene.rotations import to_wxyz
from hearing_hands_ros.scene.sim3 import Sim3

OFF = ((10, 0.1, 1.05), (20, 0.2, 1.1), (30, 0.3, 1.15), (45, 0.4, 1.2), (60, 0.5, 1.25))


def shaken(observations, mm, deg, seed):
    """The same images; TF that is a little off."""
    rng = np.random.default_rng(seed)
    for observation in observations:
        pose = observation.parent_from_camera
        turn = Rotation.from_rotvec(np.deg2rad(rng.normal(0, deg, 3))) * pose.rotation
        place = pose.translation + rng.normal(0, mm * 1e-3, 3)
        yield replace(observation, parent_from_camera=Sim3(1.0, to_wxyz(turn), place))


def from_images(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = RoomWorld(Path(folder))
        print("from 20 images of 400 x 300, 2 of them with wrong poses (worst of the rounds):")
        for mm, deg in ((0.0, 0.0), (2.0, 0.2)):
            found = []
            for seed in range(rounds):
                begun = time.perf_counter()
                observations = list(shaken(world.observations(wrong=2, seed=seed), mm, deg, seed))
                report = register_from_images(world.bundle, observations, Limits())
                found.append((*errors(report.parent_from_splat), time.perf_counter() - begun))
            scale, turn, shift, seconds = np.max(found, axis=0)
            print(
                f"  TF off by {mm:g} mm, {deg:g} deg: scale {100 * scale:.3f} %, rotation {turn:.3f} deg, "
                f"translation {shift:.2f} mm, {seconds:.1f} s"
            )


def from_cloud(rounds: int) -> None:
    scene = room.room_bundle(60_000, registered=False)
    cloud = depth_cloud([0, 10, 19])
    begun = time.perf_counter()
    report = register_from_cloud(scene.splats, cloud, up=scene.up)
    scale, turn, shift = errors(report.parent_from_splat)
    print(
        f"from a cloud of {len(cloud)} points with 3 mm of noise, no guess: scale {100 * scale:.3f} %, rotation "
        f"{turn:.3f} deg, translation {shift:.2f} mm, {time.perf_counter() - begun:.1f} s"
    )
    for deg, metres, growth in OFF:
        right = 0
        begun = time.perf_counter()
        for seed in range(rounds):
            try:
                initial = guess(cloud, deg, metres, growth if seed % 2 else 1 / growth, seed)
                found = register_from_cloud(scene.splats, cloud, up=scene.up, initial=initial)
            except ValueError:
                continue
            right += errors(found.parent_from_splat)[2] < 5.0
        seconds = (time.perf_counter() - begun) / rounds
        print(f"  guess off by {deg} deg, {metres:g} m, {growth:g} x: found {right} of {rounds}, {seconds:.1f} s each")


def main() -> None:
    rounds = 2 if "--quick" in sys.argv else 5
    from_images(rounds)
    from_cloud(2 * rounds)


if __name__ == "__main__":
    main()
