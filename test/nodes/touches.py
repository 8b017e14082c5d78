"""Messages of touches, as the tracker would send them, and of the sound that follows."""

from __future__ import annotations

from array import array
from functools import lru_cache
from pathlib import Path

import numpy as np
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory

from hearing_hands_ros.motion.hands import end_effector_keypoints
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank
from hearing_hands_ros.ros.hand_messages import stamp_from_ns, stamp_to_ns

ROOT = Path(__file__).parents[2]
BANK, HELD_OUT = ROOT / "demo" / "bank", ROOT / "demo" / "held_out"
NS = 1_000_000_000
RATE_HZ = 16000


def touch(start_ns, number=1, material="wood", speed=0.4, seconds=0.08, phase=ContactEvent.ENDED):
    """A tap of the right hand."""
    event = ContactEvent(id=number, phase=phase, hand=ContactEvent.RIGHT, keypoint=8, material=material)
    event.header.stamp = stamp_from_ns(start_ns)
    event.header.frame_id = "table_scene"
    event.end = stamp_from_ns(start_ns + int(seconds * NS))
    event.approach_speed = speed
    event.normal.z = 1.0
    return event


def window(end_ns, events=(), frames=120, frame_id="table_scene"):
    """The last 4 s of a right hand that stands still, with touches."""
    message = HandTrajectory(rate_hz=30.0, frames=frames, contacts=list(events))
    message.header.stamp = stamp_from_ns(end_ns - (frames - 1) * NS // 30)
    message.header.frame_id = frame_id
    keypoints = np.full((frames, 2, 21, 3), np.nan, np.float32)
    keypoints[:, 1] = end_effector_keypoints(0.15, 0.0)
    message.keypoints = array("f", keypoints.tobytes())
    message.valid = [False, True] * frames
    return message


def sound(stamp_ns, samples, rate_hz=RATE_HZ):
    """Mono audio."""
    message = Audio(sample_rate_hz=rate_hz, channels=1)
    message.header.stamp = stamp_from_ns(stamp_ns)
    message.data = array("f", np.asarray(samples, np.float32).tobytes())
    return message


@lru_cache
def held_out():
    return ExampleBank.load(HELD_OUT).exemplars


def recorded(material, index=0):
    """A recorded tap, from a little before its onset: samples at 16 kHz and where in them it begins, s."""
    taps = [exemplar for exemplar in held_out() if exemplar.material == material and exemplar.kind == "tap"]
    return 0.1 * taps[index].wave, LEAD_S


__all__ = ["BANK", "HELD_OUT", "NS", "RATE_HZ", "recorded", "sound", "stamp_from_ns", "stamp_to_ns", "touch", "window"]
