"""Heard and predicted spectrogram of a touch on one grid, and the room's noise under them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.touch import RATE_HZ, HeardTouch
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel

SEQUENCE: Final = SequenceConfig()
POOLED: Final = 4
"""Mel bins in a band: noise in single bins differs from itself by as much as it is large."""

BANDS: Final = SEQUENCE.bins // POOLED
QUIET_S: Final = -0.04
"""Frames that end their window before the touch, even one that comes a little early."""

LEAST_QUIET: Final = 3
NOTHING: Final = 1e-10

Power = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TouchPicture:
    """Power of T frames in B bands.

    Attributes:
        heard: (T, B).
        expected: (T, B) of the mean prediction, as the predictor's microphone would hear it.
        spread: (T, B) standard deviation of the prediction, dB.
        noise: (B,) of the room.
        time_s: (T,) middle of each frame, from the begin of the touch.
    """

    heard: Power
    expected: Power
    spread: Power
    noise: Power
    time_s: NDArray[np.float64]

    def between(self, begin_s: float, end_s: float) -> TouchPicture:
        """The frames whose middle is in a span."""
        keep = (self.time_s >= begin_s) & (self.time_s < end_s)
        return TouchPicture(self.heard[keep], self.expected[keep], self.spread[keep], self.noise, self.time_s[keep])


@lru_cache(maxsize=4)  # several scores look at one touch
def picture(touch: HeardTouch) -> TouchPicture:
    """Lay what was heard of a touch over what was predicted.

    Args:
        touch: The touch.

    Returns:
        Frames from the first that was heard until the touch, the sound or the prediction ends.

    Raises:
        ValueError: Fewer than `LEAST_QUIET` frames before the touch, or none after it, are in both.
    """
    hop = SEQUENCE.hop
    expected_at = (touch.contact.start_ns - touch.prediction.start_ns) * RATE_HZ / NANOSECONDS
    first = math.floor(expected_at / hop)
    # The wave is cut so that the touch falls on the same place within a hop as in the prediction.
    begin = round(touch.lead_s * RATE_HZ - (expected_at - first * hop))
    before = begin // hop
    wave = touch.samples[begin - before * hop : round(touch.end_s * RATE_HZ)]
    frames = min(wave.size // hop, touch.prediction.log_mel.shape[1] - first + before)
    time_s = (np.arange(frames) + 0.5 - before) * hop / RATE_HZ - (expected_at - first * hop) / RATE_HZ
    if int((time_s < QUIET_S).sum()) < LEAST_QUIET or frames <= before:
        raise ValueError(
            f"picture: wanted {LEAST_QUIET} frames or more before the touch and one after it, "
            f"got {before} before and {max(frames - before, 0)} after"
        )
    heard = _pooled(100.0 ** log_mel(wave, SEQUENCE).astype(np.float64))[:frames]
    expected, spread = np.full((frames, BANDS), NOTHING), np.zeros((frames, BANDS))
    known = np.arange(frames) + first - before
    inside = known >= 0
    expected[inside] = _pooled(100.0 ** touch.prediction.log_mel.astype(np.float64))[known[inside]]
    spread[inside] = 20.0 * _pooled(touch.prediction.log_mel_std.astype(np.float64))[known[inside]]
    noise = np.maximum(np.median(heard[time_s < QUIET_S], axis=0), NOTHING)
    return TouchPicture(heard, expected, spread, noise, time_s)


def decibel(power: Power) -> Power:
    """Any shape, power to dB, the same shape; at least -100."""
    return np.asarray(10.0 * np.log10(np.maximum(power, NOTHING)))


def _pooled(mel: Power) -> Power:
    """(F, T) to (T, B), means."""
    return np.asarray(mel.T.reshape(mel.shape[1], BANDS, POOLED).mean(axis=2))


def smooth(levels: Power) -> Power:
    """(T,) means of three neighbouring frames, (T,); beyond the ends is nothing."""
    return np.asarray(np.convolve(levels, np.ones(3) / 3.0, "same"))
