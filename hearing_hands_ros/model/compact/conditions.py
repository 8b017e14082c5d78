"""What the compact network is told of a motion: its hands, its touches, and what they look like.

Everything lies on the token grid: token n is centred on (n + 1/2) * PATCH * hop samples after the window's start, so
that nothing here depends on how long the window is. The material's name is no condition; it must be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.motion.hands import FINGERTIPS, HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

Array = NDArray[np.float32]

HAND_CHANNELS = 3 * KEYPOINTS + 3 + len(FINGERTIPS) + 1
TOUCH_CHANNELS = 5 * PATCH + 4
RING_S = (0.05, 0.2, 0.8)  # how long ago the last touch began, as decays of these times
KEYPOINT_M, SPEED_MPS = 0.1, 0.5  # what counts as one
REFERENCE_MPS, SLOWEST_MPS = 0.3, 0.02


@dataclass(frozen=True, eq=False)
class Conditions:
    """Conditions of one window of N tokens with C touches.

    Attributes:
        hands: (N, 2 * HAND_CHANNELS), each hand's shape, speed and validity.
        touches: (N, 2 * TOUCH_CHANNELS), each hand's touches.
        touched: (N, 2) which touch of the window each hand made last, from 1; 0 before the first.
        looks: (C, D) image features of the touched places.
        scene: (D,) image features of the scene.

    Raises:
        ValueError: Shapes do not fit, or something is not finite.
    """

    hands: Array
    touches: Array
    touched: NDArray[np.int64]
    looks: Array
    scene: Array

    def __post_init__(self) -> None:
        tokens, dim = len(self.hands), len(self.scene)
        wanted = {
            "hands": (tokens, len(HANDS) * HAND_CHANNELS),
            "touches": (tokens, len(HANDS) * TOUCH_CHANNELS),
            "touched": (tokens, len(HANDS)),
            "looks": (len(self.looks), dim),
            "scene": (dim,),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"Conditions: {name} wanted finite values of shape {shape}, got {value.shape}")
        if tokens and int(self.touched.max()) > len(self.looks):
            raise ValueError(f"Conditions: touched wanted at most {len(self.looks)}, got {self.touched.max()}")

    def part(self, begin: int, end: int) -> Conditions:
        """Tokens `begin` to `end` of the window, with all its touches."""
        rows = slice(begin, end)
        return replace(self, hands=self.hands[rows], touches=self.touches[rows], touched=self.touched[rows])


def tokens_of(seconds: float, sequence: SequenceConfig) -> int:
    """Tokens that cover a window; the last one may reach beyond it."""
    return -(-sequence.mel_frames(seconds) // PATCH)


def conditions_of(
    motion: HandMotion, looks: Array, scene: Array, sequence: SequenceConfig, from_ns: int | None = None
) -> Conditions:
    """Conditions of a motion.

    Args:
        motion: Hands and touches over the window.
        looks: (C, D) image features of the place of each of its contacts, in their order.
        scene: (D,) or (V, D) image features of the scene; of several the mean is taken.
        sequence: Rates and lengths.
        from_ns: Where the first token begins, within the motion; its start if None.

    Raises:
        ValueError: There is not one look for each contact, or the window is shorter than one mel frame.
    """
    from_ns = motion.start_ns if from_ns is None else from_ns
    skipped_s = (from_ns - motion.start_ns) / NANOSECONDS
    tokens = tokens_of(motion.duration_s - skipped_s, sequence)
    if tokens < 1:
        raise ValueError(
            f"conditions_of: motion wanted one mel frame or more, got {motion.duration_s - skipped_s:.3f} s"
        )
    if len(looks) != len(motion.contacts):
        raise ValueError(
            f"conditions_of: looks wanted one for each of {len(motion.contacts)} contacts, got {len(looks)}"
        )
    scene = np.asarray(scene, np.float32)
    middle = scene.mean(axis=0) if scene.ndim == 2 else scene
    starts = np.array([(c.start_ns - from_ns) / NANOSECONDS for c in motion.contacts])
    ends = np.array([(c.end_ns - from_ns) / NANOSECONDS for c in motion.contacts])
    token_s: NDArray[np.float64] = (np.arange(tokens, dtype=np.float64) + 0.5) * (PATCH * sequence.hop_s)
    hands, touches = [], []
    touched = np.zeros((tokens, len(HANDS)), np.int64)
    for hand in range(len(HANDS)):
        hands.append(_hand(motion.keypoints[:, hand], motion.valid[:, hand], motion.rate_hz, token_s + skipped_s))
        mine = [index for index, contact in enumerate(motion.contacts) if contact.hand == hand]
        touches.append(_touches([motion.contacts[i] for i in mine], starts[mine], ends[mine], tokens, sequence))
        half_s = 0.5 * PATCH * sequence.hop_s
        for index in mine:
            touched[token_s + half_s > starts[index], hand] = index + 1
    return Conditions(
        np.concatenate(hands, axis=1),
        np.concatenate(touches, axis=1),
        touched,
        np.asarray(looks, np.float32).reshape(len(motion.contacts), len(middle)),
        middle,
    )


def _hand(keypoints: Array, valid: NDArray[np.bool_], rate_hz: float, token_s: NDArray[np.float64]) -> Array:
    """(T, 21, 3) keypoints of a hand to (N, HAND_CHANNELS); zero where it is invalid.

    The fingers' places from the wrist, the wrist's velocity, the fingertips' speeds, and that the hand is valid.
    """
    points = np.where(valid[:, None, None], keypoints, 0.0).astype(np.float64)
    velocity = np.zeros_like(points)
    both = valid[1:] & valid[:-1]
    velocity[1:][both] = np.diff(points, axis=0)[both] * rate_hz
    shape = (points - points[:, :1]) / KEYPOINT_M
    speed = np.linalg.norm(velocity[:, FINGERTIPS], axis=2)
    rows = (
        np.concatenate(
            [shape.reshape(len(points), -1), velocity[:, 0] / SPEED_MPS, speed / SPEED_MPS, np.ones((len(points), 1))],
            axis=1,
        )
        * valid[:, None]
    )
    place = np.clip(token_s * rate_hz, 0.0, len(valid) - 1.0)
    before = np.minimum(place.astype(int), max(len(valid) - 2, 0))
    after = np.minimum(before + 1, len(valid) - 1)
    share = (place - before)[:, None]
    whole = (valid[before] | (share[:, 0] == 1.0)) & (valid[after] | (share[:, 0] == 0.0))
    between = (1.0 - share) * rows[before] + share * rows[after]
    result: Array = (between * whole[:, None]).astype(np.float32)
    return result


def _touches(
    contacts: Sequence[Contact],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    tokens: int,
    sequence: SequenceConfig,
) -> Array:
    """Touches of one hand to (N, TOUCH_CHANNELS).

    By mel frame: that a touch begins (split between the two nearest frames, so that times between frames are told
    apart), the same times its strength, that it lasts, its speed along the surface, that it is a slide. By token: how
    long ago the last one began, and whether there was one.
    """
    hop_s = sequence.hop_s
    frame_s = (np.arange(tokens * PATCH) + 0.5) * hop_s
    by_frame = np.zeros((5, len(frame_s)), np.float32)
    for contact, start_s, end_s in zip(contacts, starts_s, ends_s, strict=True):
        begins = np.maximum(0.0, 1.0 - np.abs(frame_s - start_s) / hop_s)
        overlap_s = np.minimum(frame_s + 0.5 * hop_s, end_s) - np.maximum(frame_s - 0.5 * hop_s, start_s)
        lasts = np.clip(overlap_s / hop_s, 0.0, 1.0)
        strength = np.log(max(contact.approach_speed_mps, SLOWEST_MPS) / REFERENCE_MPS)
        along, slides = contact.slide_speed_mps / REFERENCE_MPS, float(contact.kind == "slide")
        by_frame += np.stack([begins, begins * strength, lasts, lasts * along, lasts * slides]).astype(np.float32)
    by_token = np.zeros((tokens, 1 + len(RING_S)), np.float32)
    if len(starts_s):
        token_s = (np.arange(tokens) + 0.5) * PATCH * hop_s
        last = np.searchsorted(starts_s, token_s, side="right") - 1
        ago_s = np.maximum(token_s - starts_s[np.maximum(last, 0)], 0.0)
        by_token[:, 0] = 1.0
        by_token[:, 1:] = np.exp(-ago_s[:, None] / RING_S)
        by_token[last < 0] = 0.0
    grouped = by_frame.reshape(5, tokens, PATCH).transpose(1, 0, 2).reshape(tokens, -1)
    return np.concatenate([grouped, by_token], axis=1)
