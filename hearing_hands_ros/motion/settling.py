"""Touches that may be over soon: slides that slow down, hands that rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS

PRESS_S: Final = 0.3
"""A touch that lasts longer is no tap."""

REST_MPS: Final = 0.03
"""A hand that is slower along the surface, in the mean, rests."""

SLOW: Final = 0.6
"""A slide slows down where the hand has less than this share of its highest speed."""

SPAN: Final = 2  # frames over which a speed is taken: over one, the noise of a tracker is as fast as a slow slide
_SAME = 1e-3  # of a frame: stamps are whole nanoseconds


class Frames(Protocol):
    """Frames of both hands, as `HandFrames` and `HandMotion` are."""

    @property
    def start_ns(self) -> int: ...  # noqa: D102
    @property
    def rate_hz(self) -> float: ...  # noqa: D102
    @property
    def keypoints(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def valid(self) -> NDArray[np.bool_]: ...  # noqa: D102


class Lasting(Protocol):
    """A touch so far, as `Touch` and `Contact` are."""

    @property
    def start_ns(self) -> int: ...  # noqa: D102
    @property
    def end_ns(self) -> int: ...  # noqa: D102
    @property
    def hand(self) -> int: ...  # noqa: D102
    @property
    def slide_speed_mps(self) -> float: ...  # noqa: D102
    @property
    def normal(self) -> Sequence[float] | NDArray[np.float64]: ...  # noqa: D102


def has_settled(frames: Frames, touch: Lasting, slides: bool) -> bool:
    """Whether a touch that goes on may be over soon.

    Args:
        frames: The newest of both hands.
        touch: As far as it is known; it ends with the newest frame.
        slides: It is a slide.
    """
    if not slides:
        return touch.end_ns - touch.start_ns > PRESS_S * NANOSECONDS and touch.slide_speed_mps < REST_MPS
    speeds = speeds_along(frames, touch)
    return is_slow(speeds[-1:], speeds)


def is_slow(newest: NDArray[np.float64], speeds: NDArray[np.float64]) -> bool:
    """Whether the newest speeds of a touch are low against all of its; false if one is not known, or there is none."""
    return bool(len(newest)) and bool(newest.max() < SLOW * np.nanmax(speeds, initial=0.0))


def speeds_along(frames: Frames, touch: Lasting) -> NDArray[np.float64]:
    """Speed of the middle of the hand along the surface, at the frames of a touch.

    Args:
        frames: Of both hands.
        touch: In them.

    Returns:
        (T,) m/s at each frame of the touch from its third on; NaN where the hand is not known. T may be 0.
    """
    first, last = ((ns - frames.start_ns) * frames.rate_hz / NANOSECONDS for ns in (touch.start_ns, touch.end_ns))
    during = slice(max(math.ceil(first - _SAME), 0), math.floor(last + _SAME) + 1)
    points = frames.keypoints[during, touch.hand].astype(np.float64)
    middle = np.where(frames.valid[during, touch.hand, None], points.mean(axis=1), np.nan)
    step = middle[SPAN:] - middle[:-SPAN]
    normal = np.asarray(touch.normal, np.float64)
    along = step - (step @ normal)[:, None] * normal
    speeds: NDArray[np.float64] = np.linalg.norm(along, axis=1) * (frames.rate_hz / SPAN)
    return speeds
