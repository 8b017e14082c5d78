"""When something begins to sound, and how clearly, as numbers rather than as found or not found."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from hearing_hands_ros.compare.scoring.picture import NOTHING, decibel, picture
from hearing_hands_ros.compare.scoring.touch import RATE_HZ, HeardTouch
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import mel_filters

WINDOW, HOP = 256, 64
BANDS: Final = SequenceConfig(hop=HOP, window=WINDOW, bins=16, low_hz=100.0)
FLOOR: Final = 3.0
"""Times the room's noise: what is fainter is no beginning."""

RECENT: Final = range(3, 16)
"""Frames back in time (12 to 60 ms) that a beginning must rise over; nearer ones overlap with it."""

QUIET_S: Final = -0.02
NEAR_S: Final = 0.05
LATE_S: Final = 0.06
EARLY_S: Final = -0.03
TIMES: Final[dict[Literal["before", "after"], tuple[float, float]]] = {
    "before": (-10.0, EARLY_S),
    "after": (LATE_S, 100.0),
}
SHIFTS: Final = range(-6, 14)
"""Frames of 16 ms by which a touch may be early or late."""

ON_TIME, TOO_LATE = slice(4, 9), slice(10, None)  # of SHIFTS: -32 to 32 ms, and from 64 ms on

Array = NDArray[np.float64]


class UnexpectedOnset:
    """Strongest beginning where none belongs: before the touch, or after it.

    Args:
        when: Which.
    """

    def __init__(self, when: Literal["before", "after"]) -> None:
        self._when = when
        self.name = f"onset_{when}"

    def score(self, touch: HeardTouch) -> float:
        """The rise, dB; 0 if the sound ends before."""
        time_s, rise = rises(touch)
        first, last = TIMES[self._when]
        inside = (time_s > first) & (time_s < last)
        return float(rise[inside].max()) if inside.any() else 0.0


class MissingOnset:
    """How little of a beginning there is where the touch should begin."""

    name = "onset_missing"

    def score(self, touch: HeardTouch) -> float:
        """The rise within 50 ms of the touch, dB, turned round: 0 where there is none, else negative."""
        time_s, rise = rises(touch)
        return -float(rise[np.abs(time_s) < NEAR_S].max())


class Timing:
    """Whether the rises that were heard fit those that were predicted better at a later time.

    Both are correlated at shifts of whole frames. The best correlation at 64 to 208 ms less the best within 32 ms, as a
    share of the best of all.
    """

    name = "timing"

    def score(self, touch: HeardTouch) -> float:
        """-1 to 1, positive if later fits better; 0 if nothing rises."""
        seen = picture(touch)
        heard, wanted = (
            np.maximum(np.diff(np.maximum(decibel(power / seen.noise) - 2.0, 0.0).mean(axis=1)), 0.0)
            for power in (seen.heard, seen.expected)
        )
        touched = int(np.argmin(np.abs(seen.time_s)))
        wanted[: max(0, touched - 6)] = 0.0
        wanted[touched + 12 :] = 0.0
        fit = np.array([float((_moved(wanted, by) * heard).sum()) for by in SHIFTS])
        return float((fit[TOO_LATE].max() - fit[ON_TIME].max()) / (fit.max() + 1e-9))


@lru_cache(maxsize=4)
def rises(touch: HeardTouch) -> tuple[Array, Array]:
    """How far each moment stands over what was just heard and over the room.

    Args:
        touch: The touch.

    Returns:
        See `rises_of`.
    """
    return rises_of(touch.samples[: round(touch.end_s * RATE_HZ)], touch.lead_s)


def rises_of(wave: NDArray[np.float32], lead_s: float) -> tuple[Array, Array]:
    """How far each moment stands over what was just heard and over the room.

    Args:
        wave: (L,) at 16 kHz.
        lead_s: Sound from which the room is learnt.

    Returns:
        (T,) middles of the frames, s from the end of the lead, every 4 ms; (T,) mean rise over the bands, dB, at
        least 0.
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
    power = np.abs(rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2 @ mel_filters(BANDS).T
    time_s = (np.arange(len(power)) * HOP + WINDOW / 2) / RATE_HZ - lead_s
    floor = FLOOR * np.maximum(np.median(power[time_s < QUIET_S], axis=0), NOTHING)
    level = decibel(np.maximum(power, floor) / floor)
    recent = np.max([np.roll(level, back, axis=0) for back in RECENT], axis=0)
    first = RECENT.stop
    recent[:first] = level[:first]
    return time_s, np.maximum(level - recent, 0.0).mean(axis=1)


def _moved(course: Array, by: int) -> Array:
    result = np.zeros_like(course)
    if by >= 0:
        result[by:] = course[: course.size - by]
    else:
        result[:by] = course[-by:]
    return result
