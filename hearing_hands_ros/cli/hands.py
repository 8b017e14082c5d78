"""`hearing-hands hands`: recordings with a camera and no tracked hand become recordings with hands in TF."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from rich.console import Console

from hearing_hands_ros.cli.scene.places import line, make_console, make_status, new_place
from hearing_hands_ros.hands_from_video.camera_place import (
    BEGINS,
    ENDS,
    HIDDEN,
    UNKNOWN,
    CameraPlace,
    TfCamera,
    camera_place,
)
from hearing_hands_ros.hands_from_video.detection import HandSource
from hearing_hands_ros.hands_from_video.finding import FoundHands, find_hands
from hearing_hands_ros.hands_from_video.frames import CameraBag, Topics
from hearing_hands_ros.hands_from_video.keypoint_file import KeypointFile
from hearing_hands_ros.hands_from_video.scene_depth import SceneDepth
from hearing_hands_ros.hands_from_video.writing import HandFrames, write_with_hands
from hearing_hands_ros.motion.hands import HANDS
from hearing_hands_ros.progress import bar
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.sim3 import Sim3

PALM_MM = (40.0, 140.0)
REMARKS = (
    "images without a stamp",
    "images whose stamps repeat or go back",
    *(f"images without a camera pose: {lack}" for lack in (BEGINS, ENDS, UNKNOWN, HIDDEN)),
    "images that cannot be read",
    "hands that fit no hand",
    "hands seen for a moment only",
    "hands with depth",
    "hands called left that are right, or the other way round",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `hands`."""
    add = parser.add_argument
    add("bag", type=Path, help="rosbag2 folder, .mcap or .db3 file with images of a camera and their CameraInfo")
    add("--scene", type=Path, required=True, help="folder of the registered scene that was touched")
    add("--out", type=Path, required=True, metavar="BAG", help="recording to write: a folder, or a file *.mcap")
    add(
        "--keypoints",
        type=Path,
        metavar="FILE",
        help="hands that another program found, such as HaMeR, as .npz or .json; default: MediaPipe finds them",
    )
    add("--image-topic", default="", help="of the camera; default: the recording's only one")
    add("--camera-info-topic", default="", help="of its CameraInfo; default: beside the images")
    add("--depth-topic", default="", help="of depth images aligned to them; default: the recording's only one, if any")
    add(
        "--palm-mm",
        type=float,
        help="mean distance from the middle of the wrist to the four knuckles of the hand that is seen, mm; default: "
        "what hands have, give or take a tenth, and with it their distance where there is no depth",
    )
    add("--without-images", action="store_true", help="leave all images out of the recording that is written")


def run(args: argparse.Namespace) -> int:
    """Find the hands and write them down; 0 if there were any, 1 if not.

    Raises:
        ValueError: The recording, the scene or the keypoints cannot be used.
        FileNotFoundError: One of them is not there.
        ImportError: MediaPipe is wanted, and not installed.
    """
    out, palm, console = new_place(args.out), _palm_m(args.palm_mm), make_console()
    bundle = SceneBundle.load(args.scene.expanduser())
    with closing(RecordedBag(args.bag.expanduser())) as bag:
        camera = CameraBag(bag, Topics(args.image_topic, args.camera_info_topic, args.depth_topic))
        source = _source(args.keypoints, camera)
        with make_status().status("looking for the camera"):
            place = camera_place(bundle, camera)
        with bar("finding hands") as tell:
            found = find_hands(camera, source, place, SceneDepth(bundle, camera.lens), palm, tell)
        line(console, "images", f"{found.counts['images']} of '{camera.image_topic}'")
        line(console, "depth", f"'{camera.depth_topic}'" if camera.depth_topic else "none: from the size of the hand")
        line(console, "camera", str(place))
        _tell(console, found)
        if camera.clocks.trouble and isinstance(place, TfCamera):
            line(console, "note", camera.clocks.trouble)
        if isinstance(source, KeypointFile) and source.used < len(source):
            line(
                console, "note", f"{len(source) - source.used} of {len(source)} hands in the file are of no image here"
            )
        if not (found.left or found.right):
            line(console, "written", "nothing: no hands")
            return 1
        with bar("writing") as tell:
            write_with_hands(bag, out, found, _frames(bundle, place), not args.without_images, tell)
    line(console, "written", str(out))
    if found.left:
        line(console, "left hand", "its keypoints want left_keypoint_frames: ['hand_left/kp_{index:02d}']")
    return 0


def _palm_m(palm_mm: float | None) -> float | None:
    low, high = PALM_MM
    if palm_mm is not None and not low <= palm_mm <= high:
        raise ValueError(f"--palm-mm: wanted {low:g} to {high:g}, got {palm_mm:g}")
    return None if palm_mm is None else 1e-3 * palm_mm


def _source(keypoints: Path | None, camera: CameraBag) -> HandSource:
    if keypoints is not None:
        return KeypointFile(keypoints.expanduser(), camera.lens)
    from hearing_hands_ros.hands_from_video.mediapipe_hands import MediapipeHands

    return MediapipeHands()


def _frames(bundle: SceneBundle, place: CameraPlace) -> HandFrames:
    """Hands hang where the camera was known: a scene that is registered anew must not move what TF measured."""
    if isinstance(place, TfCamera):
        return HandFrames(bundle.parent_frame, Sim3(1.0, bundle.rotation_wxyz, bundle.translation_m))
    return HandFrames(bundle.frame_id, Sim3.identity())


def _tell(console: Console, found: FoundHands) -> None:
    for name, tracks in zip(HANDS, (found.left, found.right), strict=True):
        stretches = f" in {len(tracks)} stretches" if tracks else ""
        line(console, name, f"in {found.counts[name]} images{stretches}")
    for what in REMARKS:
        if found.counts[what]:
            line(console, "note", f"{found.counts[what]} {what}")
