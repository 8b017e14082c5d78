"""Hands found by MediaPipe's hand model."""

from __future__ import annotations

import numpy as np

from hearing_hands_ros.hands_from_video.detection import Detection, palm_m
from hearing_hands_ros.hands_from_video.frames import CameraFrame
from hearing_hands_ros.libraries import optional

PALM_M = 0.092
"""Of an adult; MediaPipe's own size of a hand changes from image to image."""


class MediapipeHands:
    """Finds up to two hands, and follows them from image to image.

    Args:
        confidence: Least, of finding and of following, 0 to 1.

    Raises:
        ImportError: MediaPipe is not installed.
    """

    def __init__(self, confidence: float = 0.5) -> None:
        optional("mediapipe", "MediapipeHands", "video")
        hands = optional("mediapipe.python.solutions.hands", "MediapipeHands", "video")
        self._hands = hands.Hands(
            static_image_mode=False,
            max_num_hands=2,
            model_complexity=1,
            min_detection_confidence=confidence,
            min_tracking_confidence=confidence,
        )

    def detect(self, frame: CameraFrame) -> list[Detection]:
        """Hands in a frame."""
        image = np.ascontiguousarray(frame.pixels)
        size = np.array([image.shape[1], image.shape[0]])
        found = self._hands.process(image)
        detections = []
        for landmarks, world, handedness in zip(
            found.multi_hand_landmarks or (),
            found.multi_hand_world_landmarks or (),
            found.multi_handedness or (),
            strict=True,
        ):
            pixels = np.array([(point.x, point.y) for point in landmarks.landmark]) * size
            shape = np.array([(point.x, point.y, point.z) for point in world.landmark])
            name = handedness.classification[0]
            # It takes every image for a mirror's, as of a phone that faces its owner: its left is a right hand.
            right = name.score if name.label == "Left" else 1.0 - name.score
            detections.append(Detection(float(right), pixels, shape * (PALM_M / palm_m(shape))))
        return detections
