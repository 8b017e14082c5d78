"""A few seconds of one or two hands in a workcell, and the touches that a tracker finds in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.tracker import SceneHandTracker, TrackerSettings
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns
from hearing_hands_ros.predictors.candidates import contact_of
from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.effectors import Effector, follow
from hearing_hands_ros.train.simulator.gestures import ACTIONS, Gesture, plan
from hearing_hands_ros.train.simulator.motion import tip_way
from hearing_hands_ros.train.simulator.patterns import Array
from hearing_hands_ros.train.simulator.textures import MATERIALS
from hearing_hands_ros.train.simulator.workcell import Workcell

RATE_HZ: Final = 30
BEFORE_S: Final = 1  # hands move, and things ring, before an item begins
EFFECTORS: Final = {  # shares of finger, flat fingers, knuckles, gripper
    "knock": (0.2, 0.05, 0.5, 0.25),
    "slide": (0.4, 0.25, 0.05, 0.3),
    "scratch": (0.45, 0.2, 0.05, 0.3),
    "other": (0.38, 0.2, 0.12, 0.3),
}
BOTH_SHARE, IDLE_SHARE, LOST_SHARE = 0.18, 0.15, 0.08
EARLY_S, LATE_S = 0.06, 0.08  # of a touch as the tracker sees it, against the true one
ATTEMPTS: Final = 20


@dataclass(frozen=True)
class Performance:
    """What was done, and what a tracker saw of it.

    Attributes:
        action: One of `ACTIONS`.
        hands: What touched, and how; at most one for each hand.
        seen: Keypoints, validity and touches in the scene frame; time 0 is the first frame.
        before: (B, 2, 21, 3) keypoints of the frames just before, NaN where invalid.
    """

    action: str
    hands: tuple[tuple[Effector, tuple[Gesture, ...]], ...]
    seen: HandMotion
    before: NDArray[np.float32]


def perform(
    cell: Workcell, surface: SplatSurface, seconds: float, rng: np.random.Generator, action: str | None = None
) -> Performance:
    """Let hands do something.

    Args:
        cell: Where.
        surface: Of its scene; the touches are those that the tracker finds on it.
        seconds: Length of what is seen.
        rng: Of everything.
        action: One of `ACTIONS`; any if None.

    Raises:
        RuntimeError: Hands kept touching what they should not.
    """
    for _ in range(ATTEMPTS):
        result = _attempt(cell, surface, seconds, rng, action)
        if result is not None:
            return result
    raise RuntimeError(f"perform({cell.bundle.name!r}): wanted clean touches, got others in {ATTEMPTS} attempts")


def _attempt(
    cell: Workcell, surface: SplatSurface, seconds: float, rng: np.random.Generator, action: str | None
) -> Performance | None:
    action = action or str(rng.choice(list(ACTIONS), p=list(ACTIONS.values())))
    frames = round((seconds + BEFORE_S) * RATE_HZ)
    time_s = np.arange(frames) / RATE_HZ - BEFORE_S
    keypoints = np.full((frames, len(HANDS), KEYPOINTS, 3), np.nan)
    hands: dict[int, tuple[Effector, tuple[Gesture, ...]]] = {}
    for hand, allowed in _roles(cell, rng).items():
        kind = str(rng.choice(("finger", "flat", "knuckles", "gripper"), p=EFFECTORS.get(action, EFFECTORS["other"])))
        effector = Effector.draw(kind, hand == 0, rng)
        gestures = plan(action, cell.patches, allowed, (-BEFORE_S, seconds + 0.2), rng) if allowed else []
        keypoints[:, hand] = _move(cell, effector, gestures, hand, time_s, rng)
        hands[hand] = effector, tuple(gestures)
    valid = np.isfinite(keypoints).all(axis=(2, 3))
    if rng.random() < LOST_SHARE:
        first, hand = int(rng.integers(frames)), int(rng.choice(list(hands)))
        valid[first : first + int(rng.integers(2, 11)), hand] = False
    seen, before = _track(surface, keypoints, valid)
    for contact in seen.contacts:
        start_s = contact.start_ns / NANOSECONDS
        strokes = [s for g in hands[contact.hand][1] if g.touches for s in g.strokes]
        if not any(s.start_s - EARLY_S <= start_s <= s.end_s + LATE_S for s in strokes):
            return None
    return Performance(action, tuple(hands.values()), seen, before)


def _roles(cell: Workcell, rng: np.random.Generator) -> dict[int, list[int]]:
    """Patches that each hand may touch; a hand that is there and has none rests."""
    everything = list(range(len(cell.patches)))
    chance, hand = rng.random(), int(rng.integers(2))
    if chance < BOTH_SHARE:
        # Each on its own side, so that they do not meet; not on the table, which is on both.
        sides = [[i for i in everything[1:] if sign * cell.patches[i].shape.centre[0] > 0.05] for sign in (-1.0, 1.0)]
        if all(sides):
            return dict(enumerate(sides))
    if chance > 1.0 - IDLE_SHARE:
        return {hand: everything, 1 - hand: []}
    return {hand: everything}


def _move(
    cell: Workcell, effector: Effector, gestures: list[Gesture], hand: int, time_s: Array, rng: np.random.Generator
) -> Array:
    """(T, 21, 3) keypoints in the scene frame, with tremor and the tracker's noise."""
    side = -1.0 if hand == 0 else 1.0
    rest = np.array([side * rng.uniform(0.12, 0.3), rng.uniform(-0.25, -0.05), cell.top_m + rng.uniform(0.1, 0.2)])
    if not gestures:
        rest[1] -= 0.15  # out of the other hand's way
    turn = side * rng.uniform(-0.1, 0.5)
    heading = np.array([-np.sin(turn), np.cos(turn), 0.0])
    tip = tip_way(gestures, rest, cell.top_m, time_s, rng)
    tremor = rng.uniform(0.0, 0.0004) * np.sin(
        2 * np.pi * rng.uniform(7.0, 12.0, 3) * time_s[:, None] + rng.uniform(0, 2 * np.pi, 3)
    )
    placed = follow(effector, gestures, tip + tremor, time_s, heading, rng)
    noise = np.exp(rng.uniform(np.log(0.0001), np.log(0.001)))
    return cell.scene_from_cell.apply(placed.reshape(-1, 3)).reshape(placed.shape) + rng.normal(
        0.0, noise, placed.shape
    )


def _track(surface: SplatSurface, keypoints: Array, valid: NDArray[np.bool_]) -> tuple[HandMotion, NDArray[np.float32]]:
    """What the tracker makes of frames, as at run time."""
    tracker = SceneHandTracker(surface, TrackerSettings(rate_hz=RATE_HZ), ContactSettings())
    touches = []
    for frame, (points, known) in enumerate(zip(keypoints, valid, strict=True)):
        seen = tracker.push(frame, points, known)
        valid[frame] = seen.valid
        touches += [touch for touch in seen.touches if touch.ended]
    touches += tracker.finish()[0]
    first = BEFORE_S * RATE_HZ
    start_ns, end_ns = frame_stamp_ns(first, RATE_HZ), frame_stamp_ns(len(valid), RATE_HZ)
    contacts = (contact_of(touch, MATERIALS) for touch in sorted(touches, key=lambda touch: touch.start_ns))
    shown = np.where(valid[..., None, None], keypoints, np.nan).astype(np.float32)
    motion = HandMotion(
        start_ns=0,
        rate_hz=float(RATE_HZ),
        keypoints=shown[first:],
        valid=valid[first:],
        contacts=tuple(
            replace(contact, start_ns=contact.start_ns - start_ns, end_ns=contact.end_ns - start_ns)
            for contact in contacts
            if contact.end_ns > start_ns and contact.start_ns < end_ns
        ),
    )
    return motion, shown[:first]
