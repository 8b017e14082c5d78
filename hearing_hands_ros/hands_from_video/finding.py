"""From images to the motion of both hands in the scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.hands_from_video.camera_place import CameraPlace
from hearing_hands_ros.hands_from_video.detection import Detection, HandSource, palm_m
from hearing_hands_ros.hands_from_video.frames import CameraBag, CameraFrame
from hearing_hands_ros.hands_from_video.placing import Seen, place_hand
from hearing_hands_ros.hands_from_video.rays import rays_of
from hearing_hands_ros.hands_from_video.scene_depth import SceneDepth
from hearing_hands_ros.hands_from_video.smoothing import smoothed
from hearing_hands_ros.hands_from_video.stamps import in_order
from hearing_hands_ros.hands_from_video.tracks import Sighting, Track, named, tracks_of
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.scene.sim3 import Sim3

Array = NDArray[np.float64]

PATCH = 2  # pixels about a keypoint on each side in which depth is looked for
SIZE_OFF, MEASURED_OFF = 0.1, 0.02  # by how much hands differ from the expected size; one that was measured
DEPTH_NOISE_M, PLAIN_NOISE_M = 0.003, 0.008  # of a keypoint with and without measured depth
ACCELERATION_MPS2 = 20.0  # of a hand that taps
LEAST_SIGHTINGS = 5  # fewer are a flicker


@dataclass(frozen=True, eq=False)
class HandTrack:
    """A stretch of motion of one hand without a long gap.

    Attributes:
        stamps_ns: (N,) of the images.
        keypoints_m: (N, 21, 3) in the scene's frame.
    """

    stamps_ns: NDArray[np.int64]
    keypoints_m: Array


@dataclass(frozen=True, eq=False)
class FoundHands:
    """Motion of both hands.

    Attributes:
        left: Its stretches in the order of time.
        right: Likewise.
        counts: What was met: images, hands, renamed ones, those with depth, and what could not be used.
    """

    left: tuple[HandTrack, ...]
    right: tuple[HandTrack, ...]
    counts: Counter[str] = field(default_factory=Counter)


def frame_names(hand: int) -> list[str]:
    """TF frames of a hand's keypoints, 0 left, 1 right."""
    return [f"hand_{HANDS[hand]}/kp_{index:02d}" for index in range(KEYPOINTS)]


def find_hands(
    camera: CameraBag,
    source: HandSource,
    place: CameraPlace,
    scene: SceneDepth,
    palm: float | None = None,
    tell: Callable[[float], object] = lambda _: None,
) -> FoundHands:
    """Find the hands of a recording.

    Args:
        camera: The recording.
        source: Finds hands in images.
        place: Knows where the camera is.
        scene: What hands are in front of.
        palm: From the wrist to the four knuckles, mean, m; None where nobody measured it.
        tell: Told the share of the images that is done.

    Raises:
        ValueError: The recording's TF has such hands already, or its depth images are not aligned.
    """
    counts: Counter[str] = Counter()
    names = {name for hand in range(len(HANDS)) for name in frame_names(hand)}
    seen: list[list[Sighting]] = []
    stamps_ns: list[int] = []
    for frame, edges in camera.frames():
        for edge, is_static in edges:
            if edge[1].removeprefix("/") in names:
                raise ValueError(f"bag '{camera.bag.path}': wanted TF without hands, got the frame '{edge[1]}'")
            place.learn(edge, is_static)
        counts["images"] += 1
        stamps_ns.append(frame.stamp_ns)
        seen.append(_look(camera, frame, source, place, scene, palm, counts))
        tell(counts["images"] / max(1, camera.image_count))
    ordered = [seen[number] for number in in_order(stamps_ns)]
    counts["images without a stamp"] = camera.unstamped
    counts["images whose stamps repeat or go back"] = len(seen) - len(ordered)
    tracks = [track for track in tracks_of(ordered) if len(track.sightings) >= LEAST_SIGHTINGS]
    counts["hands seen for a moment only"] = sum(map(len, ordered)) - sum(len(track.sightings) for track in tracks)
    left, right = named(tracks)
    counts["hands called left that are right, or the other way round"] = sum(
        (sighting.right > 0.5) != bool(side)
        for side, of_side in enumerate((left, right))
        for track in of_side
        for sighting in track.sightings
    )
    counts["left"], counts["right"] = (sum(len(track.sightings) for track in side) for side in (left, right))
    return FoundHands(tuple(map(_smooth, left)), tuple(map(_smooth, right)), counts)


def _look(
    camera: CameraBag,
    frame: CameraFrame,
    source: HandSource,
    place: CameraPlace,
    scene: SceneDepth,
    palm: float | None,
    counts: Counter[str],
) -> list[Sighting]:
    """Hands of one image in the scene's frame."""
    pose = place.scene_from_camera(frame)
    if pose is None:
        counts[f"images without a camera pose: {place.lacks}"] += 1
        return []
    try:
        detections, depth = source.detect(frame), frame.depth_m
    except ValueError:
        counts["images that cannot be read"] += 1
        return []
    if depth is not None and depth.shape != (camera.lens.height, camera.lens.width):
        raise ValueError(
            f"bag '{camera.bag.path}': wanted depth on '{camera.depth_topic}' aligned to the {camera.lens.width} x "
            f"{camera.lens.height} pixels of '{camera.image_topic}', got {depth.shape[1]} x {depth.shape[0]}"
        )
    found = []
    for detection in detections:
        counts["hands"] += 1
        seen = _seen(camera, detection, depth, scene, pose, palm)
        keypoints = place_hand(seen)
        if keypoints is None:
            counts["hands that fit no hand"] += 1
            continue
        has_depth = bool(np.isfinite(seen.surface_m).any())
        counts["hands with depth"] += has_depth
        found.append(Sighting(frame.stamp_ns, detection.right, pose.apply(keypoints), has_depth))
    return found


def _seen(
    camera: CameraBag,
    detection: Detection,
    depth: NDArray[np.float32] | None,
    scene: SceneDepth,
    pose: Sim3,
    palm: float | None,
) -> Seen:
    rays = rays_of(camera.lens, detection.pixels)
    shape = detection.shape_m if palm is None else detection.shape_m * (palm / palm_m(detection.shape_m))
    return Seen(
        rays,
        shape,
        0.5 * (camera.lens.fx + camera.lens.fy),
        np.full((len(rays), 0), np.nan) if depth is None else depth_patches(depth, detection.pixels),
        scene.at(pose, rays),
        SIZE_OFF if palm is None else MEASURED_OFF,
    )


def depth_patches(depth: NDArray[np.float32], pixels: Array) -> Array:
    """(21, P) depths about each keypoint, NaN beyond the image."""
    height, width = depth.shape
    steps = np.arange(-PATCH, PATCH + 1)
    column, row = (np.floor(pixels[:, axis, None, None]).astype(int) for axis in (0, 1))
    column, row = np.broadcast_arrays(column + steps[None, None, :], row + steps[None, :, None])
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    patches = np.full(column.shape, np.nan)
    patches[inside] = depth[row[inside], column[inside]]
    return patches.reshape(len(pixels), -1)


def _smooth(track: Track) -> HandTrack:
    stamps = np.array([sighting.stamp_ns for sighting in track.sightings])
    points = np.stack([sighting.keypoints_m for sighting in track.sightings])
    depths = np.mean([sighting.has_depth for sighting in track.sightings])
    noise = DEPTH_NOISE_M if depths > 0.5 else PLAIN_NOISE_M
    time_s = (stamps - stamps[0]) / NANOSECONDS
    return HandTrack(stamps, smoothed(time_s, points, noise, ACCELERATION_MPS2))
