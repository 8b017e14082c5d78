"""Hands and touches to and from messages."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time as TimeMsg
from numpy.typing import NDArray

from hearing_hands_ros.motion.contact import Touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.tracker import TrackedWindow
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import ContactEvent, HandTrajectory


def stamp_to_ns(stamp: TimeMsg) -> int:
    """Nanoseconds of a stamp."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def stamp_from_ns(time_ns: int) -> TimeMsg:
    """Stamp of nanoseconds, zero or more."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return TimeMsg(sec=seconds, nanosec=nanoseconds)


def contact_event(touch: Touch, frame_id: str, materials: Sequence[str]) -> ContactEvent:
    """Message of a touch; `materials` are the scene's label names."""
    event = ContactEvent()
    event.header.stamp = stamp_from_ns(touch.start_ns)
    event.header.frame_id = frame_id
    event.end = stamp_from_ns(touch.end_ns)
    event.id = touch.id
    event.phase = ContactEvent.ENDED if touch.ended else ContactEvent.STARTED
    event.hand = touch.hand
    event.keypoint = touch.keypoint
    event.kind = ContactEvent.SLIDE if touch.slides else ContactEvent.TAP
    event.material = materials[touch.material] if 0 <= touch.material < len(materials) else ""
    event.material_share = touch.material_share
    for vector, values in ((event.position, touch.position_m), (event.normal, touch.normal)):
        vector.x, vector.y, vector.z = (float(value) for value in values)
    event.approach_speed = touch.approach_speed_mps
    event.slide_speed = touch.slide_speed_mps
    event.depth = touch.depth_m
    return event


def hand_trajectory(window: TrackedWindow, frame_id: str, materials: Sequence[str]) -> HandTrajectory:
    """Message of a window."""
    message = HandTrajectory()
    message.header.stamp = stamp_from_ns(window.hands.start_ns)
    message.header.frame_id = frame_id
    message.rate_hz = float(window.hands.rate_hz)
    message.frames = len(window.hands.valid)
    # Through `array`, which the setter takes as it is; a NumPy array would be checked element by element.
    message.keypoints = array("f", window.hands.keypoints.tobytes())
    message.valid = window.hands.valid.ravel().tolist()
    message.contacts = [contact_event(touch, frame_id, materials) for touch in window.touches]
    return message


def read_hand_trajectory(message: HandTrajectory) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Keypoints (T, 2, 21, 3) and validity (T, 2) of a message.

    Raises:
        ValueError: A length does not fit `frames`, the rate is not positive, or a valid frame is not finite.
    """
    frames = int(message.frames)
    wanted = frames * len(HANDS) * KEYPOINTS * 3
    if frames < 1 or len(message.keypoints) != wanted or len(message.valid) != frames * len(HANDS):
        raise ValueError(
            f"HandTrajectory: {frames} frames want at least one frame, {wanted} keypoint values and "
            f"{frames * len(HANDS)} validities, got {len(message.keypoints)} and {len(message.valid)}"
        )
    if not message.rate_hz > 0.0:
        raise ValueError(f"HandTrajectory: rate_hz wants a positive number, got {message.rate_hz}")
    keypoints = np.asarray(message.keypoints, np.float32).reshape(frames, len(HANDS), KEYPOINTS, 3)
    valid = np.asarray(message.valid, np.bool_).reshape(frames, len(HANDS))
    broken = int((valid & ~np.isfinite(keypoints).all(axis=(2, 3))).sum())
    if broken:
        raise ValueError(f"HandTrajectory: valid frames want finite keypoints, got {broken} that are not")
    return keypoints, valid
