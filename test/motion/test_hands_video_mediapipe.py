"""MediaPipe's real hand model on pictures of a simulated right hand."""

import numpy as np
import pytest
from hand_videos import picture
from scipy.spatial.transform import Rotation

from hearing_hands_ros.demo import hand
from hearing_hands_ros.hands_from_video.detection import palm_m
from hearing_hands_ros.hands_from_video.frames import CameraFrame
from hearing_hands_ros.hands_from_video.mediapipe_hands import PALM_M, MediapipeHands
from hearing_hands_ros.hands_from_video.placing import Seen, place_hand
from hearing_hands_ros.scene.camera import Camera
from hearing_hands_ros.scene.hand_shape import HandShape
from hearing_hands_ros.scene.render import SplatRenderer

pytest.importorskip("mediapipe", reason="the video extra is not installed")

SIZE, DISTANCE_M = 480, 0.5


@pytest.fixture(scope="module")
def pictures():
    """Frames of an open hand that turns slowly before the camera, palm first, and (N, 21, 3) where it was."""
    camera = Camera.look_at("camera", [0.0, 0.0, -DISTANCE_M], np.zeros(3), [0.0, -1.0, 0.0], SIZE, 38.0)
    frames, truth = [], []
    for index in range(30):
        turn = Rotation.from_euler("zyx", [90.0, 10.0 + index, 10.0], degrees=True)
        keypoints = hand.keypoints(np.full((1, 4, 3), 0.1))[0]
        keypoints = turn.apply(keypoints - keypoints.mean(axis=0))
        shape = HandShape(light=(0.0, 0.0, -1.0)).gaussians(keypoints)
        seen = SplatRenderer(shape).render([camera], background=(0.35, 0.4, 0.45))
        stamp_ns = 1 + index * 33_000_000
        image = picture(stamp_ns, np.clip(np.rint(255 * seen.rgb[0]), 0, 255).astype(np.uint8), "rgb8")
        frames.append(CameraFrame(stamp_ns, "camera", image))
        truth.append(camera.rotation.inv().apply(keypoints - camera.position))
    return camera, frames, np.array(truth)


def test_a_hand_is_found_named_and_placed(pictures):
    camera, frames, truth = pictures
    source = MediapipeHands()
    pixels_off, distances, right = [], [], []
    for frame, points in zip(frames, truth, strict=True):
        for found in source.detect(frame):
            true_pixels = points[:, :2] / points[:, 2:] * camera.fx + SIZE / 2
            pixels_off.append(np.linalg.norm(found.pixels - true_pixels, axis=1))
            right.append(found.right)
            assert palm_m(found.shape_m) == pytest.approx(PALM_M)
            rays = (found.pixels - SIZE / 2) / camera.fx
            nothing = np.full((21, 0), np.nan)
            placed = place_hand(Seen(rays, found.shape_m, camera.fx, nothing, np.full(21, np.inf), 0.1))
            distances.append(placed[:, 2].mean())
    assert len(right) >= 15
    assert np.mean(np.array(right) > 0.5) > 0.9  # no mirror
    assert np.median(pixels_off) < 10.0
    assert np.median(distances) == pytest.approx(DISTANCE_M, rel=0.15)
