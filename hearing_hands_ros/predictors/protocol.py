"""What every predictor takes and gives.

Stamps are integer nanoseconds on one timeline; a stamp is the time of the first sample or frame of what follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.sequence import SequenceConfig

Kind = Literal["tap", "slide"]
HIGHEST_RATE_HZ = 1000.0  # of a motion


@dataclass(frozen=True)
class Contact:
    """One touch of a hand and the surface.

    Attributes:
        start_ns: When it began.
        end_ns: When it ended, so far; not before `start_ns`.
        hand: 0 left, 1 right.
        material: Of the touched surface; empty if not known.
        position_m: (3,) touched point, scene frame.
        normal: (3,) outward unit normal of the surface there.
        approach_speed_mps: Speed towards the surface just before, at least 0.
        slide_speed_mps: Mean speed along the surface during the touch, at least 0.
        kind: 'tap' or 'slide'.
        contact_id: The tracker's number for it; 0 if it has none.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    start_ns: int
    end_ns: int
    hand: int
    material: str
    position_m: tuple[float, float, float]
    normal: tuple[float, float, float]
    approach_speed_mps: float
    slide_speed_mps: float
    kind: Kind
    contact_id: int = 0

    def __post_init__(self) -> None:
        if self.end_ns < self.start_ns:
            raise ValueError(f"Contact: end_ns wanted at least start_ns ({self.start_ns}), got {self.end_ns}")
        if self.hand not in (0, 1):
            raise ValueError(f"Contact: hand wanted 0 (left) or 1 (right), got {self.hand}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"Contact: kind wanted one of {get_args(Kind)}, got {self.kind!r}")
        for name in ("approach_speed_mps", "slide_speed_mps"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Contact: {name} wanted a finite speed of at least 0, got {value}")
        for name in ("position_m", "normal"):
            value = getattr(self, name)
            if len(value) != 3 or not all(math.isfinite(v) for v in value):
                raise ValueError(f"Contact: {name} wanted three finite numbers, got {value}")

    @property
    def key(self) -> tuple[int, int]:
        """Tells touches of one graph apart, even if its tracker was started again."""
        return self.contact_id, self.start_ns

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end_ns - self.start_ns) / NANOSECONDS


@dataclass(frozen=True, eq=False)
class HandMotion:
    """Both hands over one window, and where they touch: one candidate.

    Attributes:
        start_ns: Time of frame 0.
        rate_hz: Frames per second.
        keypoints: (T, 2, 21, 3) float32, m, scene frame; NaN where invalid.
        valid: (T, 2) bool.
        contacts: Touches that overlap the window, oldest first.

    Raises:
        ValueError: Shapes do not fit, a valid hand is not finite, or the contacts are not in order.
    """

    start_ns: int
    rate_hz: float
    keypoints: NDArray[np.float32]
    valid: NDArray[np.bool_]
    contacts: tuple[Contact, ...] = ()

    def __post_init__(self) -> None:
        frames = self.keypoints.shape[0] if self.keypoints.ndim else 0
        if self.keypoints.shape != (frames, len(HANDS), KEYPOINTS, 3) or frames < 1:
            raise ValueError(f"HandMotion: keypoints wanted shape (T, 2, 21, 3), T > 0, got {self.keypoints.shape}")
        if self.valid.shape != (frames, len(HANDS)) or self.valid.dtype != np.bool_:
            raise ValueError(
                f"HandMotion: valid wanted bool of shape {(frames, len(HANDS))}, "
                f"got {self.valid.dtype} of {self.valid.shape}"
            )
        if not 0 < self.rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"HandMotion: rate_hz wanted more than 0, up to {HIGHEST_RATE_HZ:g}, got {self.rate_hz}")
        bad = int(np.count_nonzero(~np.isfinite(self.keypoints).all(axis=(2, 3)) & self.valid))
        if bad:
            raise ValueError(f"HandMotion: keypoints wanted finite where valid, got {bad} hand frames that are not")
        starts = [c.start_ns for c in self.contacts]
        if starts != sorted(starts):
            raise ValueError("HandMotion: contacts wanted oldest first, got another order")

    @property
    def duration_s(self) -> float:
        """Seconds that the frames cover."""
        return float(self.keypoints.shape[0] / self.rate_hz)


@dataclass(frozen=True, eq=False)
class Prediction:
    """The sound of one candidate.

    Attributes:
        start_ns: Time of sample 0 of `audio` and of frame 0 of `log_mel`.
        sample_rate_hz: Of `audio`.
        audio: (L,) float32, one likely sound.
        log_mel: (F, T) log10 magnitude, mean over what the predictor holds possible.
        log_mel_std: (F, T) spread of the same, never negative.
        contacts: Touches that sound in it, oldest first.
        predictor: Kind of predictor, e.g. 'example'.
        model: Which bank or checkpoint, with the start of its hash.
        latency_s: Wall time spent on it; candidates of one batch share theirs evenly.

    Raises:
        ValueError: Shapes do not fit, or values are not finite.
    """

    start_ns: int
    sample_rate_hz: int
    audio: NDArray[np.float32]
    log_mel: NDArray[np.float32]
    log_mel_std: NDArray[np.float32]
    contacts: tuple[Contact, ...]
    predictor: str
    model: str
    latency_s: float

    def __post_init__(self) -> None:
        if self.audio.ndim != 1 or self.audio.size == 0:
            raise ValueError(f"Prediction: audio wanted shape (L,), L > 0, got {self.audio.shape}")
        if self.log_mel.ndim != 2 or self.log_mel_std.shape != self.log_mel.shape:
            raise ValueError(
                f"Prediction: log_mel and log_mel_std wanted one shape (F, T), "
                f"got {self.log_mel.shape} and {self.log_mel_std.shape}"
            )
        for name in ("audio", "log_mel", "log_mel_std"):
            bad = int(np.count_nonzero(~np.isfinite(getattr(self, name))))
            if bad:
                raise ValueError(f"Prediction: {name} wanted finite values, got {bad} that are not")
        if np.any(self.log_mel_std < 0):
            raise ValueError(f"Prediction: log_mel_std wanted at least 0, got {self.log_mel_std.min()}")


class Predictor(Protocol):
    """Turns candidates into sounds, all of a batch in one pass.

    What a predictor needs besides motion (a bank, a checkpoint, the scene and its views) it is given when made. Equal
    candidates give equal predictions: whatever is drawn at random is keyed by the candidate, not kept between calls.
    """

    @property
    def name(self) -> str:
        """Kind of predictor, e.g. 'example'."""

    @property
    def model(self) -> str:
        """Which bank or checkpoint, with the start of its hash."""

    @property
    def config(self) -> SequenceConfig:
        """Rates and lengths of what is predicted."""

    def predict(self, motions: Sequence[HandMotion]) -> list[Prediction]:
        """Predict a batch of candidates.

        Args:
            motions: Candidates; they may differ in length and time.

        Returns:
            One prediction a candidate, in their order, each over the window of its candidate (whole mel frames).

        Raises:
            ValueError: A candidate is too short for one mel frame.
        """
