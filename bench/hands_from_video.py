"""How near hands found in video are to where they were, and which taps they make touches of.

A simulated hand taps the demo's bench before a simulated camera; images and depth are rendered, nothing is recorded.
MediaPipe is measured where it is installed; "HaMeR" is the true hand with 3 mm of noise, on pixels of HaMeR's lens.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "test" / "motion"))
import hand_videos
from hand_videos import NS, START_NS, Bench, hamer_file, video

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.camera_place import camera_place
from hearing_hands_ros.hands_from_video.finding import FoundHands, HandTrack, find_hands
from hearing_hands_ros.hands_from_video.frames import CameraBag, Topics
from hearing_hands_ros.hands_from_video.keypoint_file import KeypointFile
from hearing_hands_ros.hands_from_video.scene_depth import SceneDepth
from hearing_hands_ros.hands_from_video.writing import HandFrames, write_with_hands
from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.replay.hands import RecordedHands
from hearing_hands_ros.replay.recorded_bag import RecordedBag

TAPS = 20
TOUCH_M = ((0.004, 0.008), (0.01, 0.016), (0.02, 0.028))
CLOSE_S = 0.15


def taps(bench):
    """Times and (T, 21, 3) of a tap a second, each on another place of the bench, and the times of the touches."""
    rng = np.random.default_rng(0)
    time_s, one = bench.taps(TAPS)
    lift = (one - one[15])[:, 0] @ bench.normal
    places = []
    while len(places) < TAPS:
        answer = bench.surface.query(bench.point[None] + rng.uniform(-0.12, 0.12, (1, 3)) @ bench.plane)
        if answer.distance_m[0] < 0.03 and answer.normal[0] @ bench.normal > 0.95:
            places.append(hand.touching(answer.point_m[0], answer.normal[0], bench.away))
    share = np.clip((time_s - 0.85) % 1.0 / 0.3, 0.0, 1.0)[:, None, None]
    number = np.clip(np.floor(time_s - 0.85).astype(int), -1, TAPS - 2)
    before, after = (np.array(places)[np.clip(number + step, 0, TAPS - 1)] for step in (0, 1))
    return time_s, before * (1 - share) + after * share + lift[:, None, None] * bench.normal, np.arange(TAPS) + 0.4


def touched(bench, path, touch_m, release_m):
    """Starts of the touches that replay finds, s."""
    settings = FollowerSettings(contact=ContactSettings(touch_m=touch_m, release_m=release_m))
    with closing(RecordedBag(path)) as bag:
        hands = RecordedHands(bag, bench.bundle, bench.surface, settings)
        windows = []
        for connection, stamp_ns, raw in bag.messages(hands.connections):
            hands.take(connection, raw)
            windows += hands.advance(stamp_ns)
        windows += hands.advance(bag.end_ns + NS)
    starts = {contact.start_ns for contact in chain.from_iterable(window.motion.contacts for window in windows)}
    return [(start_ns - START_NS) / NS for start_ns in sorted(starts)]


def measure(name, bench, path, make_source, truth, when, folder):
    stamps = {int(stamp_ns): index for index, stamp_ns in enumerate(hand_videos.stamps_of(truth[0]))}
    with closing(RecordedBag(path)) as bag:
        camera = CameraBag(bag, Topics())
        source, place = make_source(camera), camera_place(bench.bundle, camera)
        began = time.perf_counter()
        found = find_hands(camera, source, place, SceneDepth(bench.bundle, camera.lens))
        took = time.perf_counter() - began
        out = folder / f"{name.replace(' ', '_')}.mcap"
        write_with_hands(bag, out, found, HandFrames(bench.bundle.parent_frame, bench.parent_from_scene), False)
    errors = [
        np.linalg.norm(points - truth[1][stamps[stamp_ns]], axis=1)
        for track in found.right
        for stamp_ns, points in zip(track.stamps_ns.tolist(), track.keypoints_m, strict=True)
    ]
    mm = 1e3 * np.array(errors).reshape(-1, 21)
    print(f"{name}: {len(mm)} of {len(truth[0])} images with the hand, {1e3 * took / len(truth[0]):.0f} ms an image")
    if len(mm):
        tip = mm[:, 8]
        print(f"  mm: keypoints {np.median(mm):.1f} (p90 {np.percentile(mm, 90):.1f}), ", end="")
        print(f"index fingertip {np.median(tip):.1f} (p90 {np.percentile(tip, 90):.1f})")
    tell_touches(bench, out, when)


def tell_touches(bench, path, when):
    for touch_m, release_m in TOUCH_M:
        starts = touched(bench, path, touch_m, release_m)
        right = [start for start in starts if np.abs(start - when).min() < CLOSE_S]
        hit = sum(any(abs(start - at) < CLOSE_S for start in starts) for at in when)
        late = 1e3 * np.median([start - when[np.abs(when - start).argmin()] for start in right]) if right else np.nan
        print(
            f"  touch_m {touch_m}: {hit} of {TAPS} taps found, {len(starts) - len(right)} else, {late:+.0f} ms (median)"
        )


def main():
    hand_videos.SIZE = (640, 480)
    bench = Bench()
    bench.plane = np.eye(3) - np.outer(bench.normal, bench.normal)
    time_s, keypoints, when = taps(bench)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bags = {
            kind: video(bench, time_s, keypoints, with_depth=kind == "depth").write(folder / kind)
            for kind in ("depth", "colour")
        }
        hamer = hamer_file(folder / "hamer.npz", bench, time_s, keypoints, noise_m=0.003)
        frames = HandFrames(bench.bundle.parent_frame, bench.parent_from_scene)
        true_hands = FoundHands((), (HandTrack(hand_videos.stamps_of(time_s), keypoints),))
        with closing(RecordedBag(bags["colour"])) as bag:
            write_with_hands(bag, folder / "truth.mcap", true_hands, frames, with_images=False)
        print("the true hand")
        tell_touches(bench, folder / "truth.mcap", when)
        for kind, path in bags.items():
            truth = (time_s, keypoints)
            measure(f"HaMeR {kind}", bench, path, lambda camera: KeypointFile(hamer, camera.lens), truth, when, folder)
            if find_spec("mediapipe"):
                from hearing_hands_ros.hands_from_video.mediapipe_hands import MediapipeHands

                measure(f"MediaPipe {kind}", bench, path, lambda _: MediapipeHands(), truth, when, folder)


if __name__ == "__main__":
    main()
