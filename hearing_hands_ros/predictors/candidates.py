"""Motions made ready for a predictor: cut to a window, and with the touches that nobody has named yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.contact import ContactDetector, ContactSettings, Surface, Touch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion

LONGEST_S = 120.0
"""Longest window that is predicted; a longer one comes from a damaged stamp, and would fill the memory."""


def cut(motion: HandMotion, start_ns: int, end_ns: int) -> HandMotion:
    """The frames of a motion from the last one at or before `start_ns` until `end_ns`.

    What the motion does not cover becomes invalid frames, so a window may reach into the future. Contacts that begin
    after the window are left out.

    Raises:
        ValueError: `end_ns` is not after `start_ns`, or by more than `LONGEST_S`.
    """
    length_s = (end_ns - start_ns) / NANOSECONDS
    if not 0.0 < length_s <= LONGEST_S:
        raise ValueError(f"cut: wanted a window of up to {LONGEST_S:g} s that ends after it begins, got {length_s:g} s")
    first = math.floor((start_ns - motion.start_ns) * motion.rate_hz / NANOSECONDS)
    first_ns = motion.start_ns + round(first * NANOSECONDS / motion.rate_hz)
    frames = math.ceil((end_ns - first_ns) * motion.rate_hz / NANOSECONDS)
    keypoints = np.full((frames, len(HANDS), KEYPOINTS, 3), np.nan, np.float32)
    valid = np.zeros((frames, len(HANDS)), np.bool_)
    low, high = max(first, 0), min(first + frames, len(motion.valid))
    if low < high:
        keypoints[low - first : high - first] = motion.keypoints[low:high]
        valid[low - first : high - first] = motion.valid[low:high]
    contacts = tuple(contact for contact in motion.contacts if contact.start_ns < end_ns)
    return replace(motion, start_ns=first_ns, keypoints=keypoints, valid=valid, contacts=contacts)


def contact_of(touch: Touch, materials: Sequence[str]) -> Contact:
    """Contact of a touch; `materials` are the scene's label names.

    Its speeds are as exact as those in messages, so its prediction is the same bit for bit whichever way it comes.
    """
    return Contact(
        start_ns=touch.start_ns,
        end_ns=touch.end_ns,
        hand=touch.hand,
        material=materials[touch.material] if 0 <= touch.material < len(materials) else "",
        position_m=_triple(touch.position_m),
        normal=_triple(touch.normal),
        approach_speed_mps=float(np.float32(touch.approach_speed_mps)),
        slide_speed_mps=float(np.float32(touch.slide_speed_mps)),
        kind="slide" if touch.slides else "tap",
        contact_id=touch.id,
    )


def find_touches(motion: HandMotion, surface: Surface, settings: ContactSettings) -> list[Touch]:
    """Touches of a surface in a motion, oldest first; one that still goes on at its end is ended there."""
    detector = ContactDetector(surface, settings)
    touches: list[Touch] = []
    for frame, (keypoints, valid) in enumerate(zip(motion.keypoints, motion.valid, strict=True)):
        stamp_ns = motion.start_ns + round(frame * NANOSECONDS / motion.rate_hz)
        touches += detector.update(stamp_ns, keypoints.astype(np.float64), valid)
    touches += [replace(touch, ended=True) for touch in detector.open_touches()]
    return sorted((touch for touch in touches if touch.ended), key=lambda touch: touch.start_ns)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
