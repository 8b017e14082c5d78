"""What one run of the graph published, kept for evaluation and report. No ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, Prediction


@dataclass(frozen=True)
class Verdict:
    """One comparison as it was published.

    Attributes:
        stamp_ns: Begin of the touch or of the unexplained sound.
        verdict: Its name.
        reason: For people.
        contact_id: 0 if no touch.
        prediction_id: 0 if none.
        lag_s: NaN if no onset was heard.
        p_value: NaN if none decided.
        nearest_material: Empty if not known.
        latency_s: From the end of the touch.
    """

    stamp_ns: int
    verdict: str
    reason: str
    contact_id: int
    prediction_id: int
    lag_s: float = math.nan
    p_value: float = math.nan
    nearest_material: str = ""
    latency_s: float = math.nan


@dataclass
class SoundLine:
    """Mono sound on one time line, assembled from stamped pieces; pieces that overlap are added or replaced.

    Args:
        start_ns: Time of the first sample.
        seconds: Length.
        sample_rate_hz: Rate.
    """

    start_ns: int
    seconds: float
    sample_rate_hz: int

    def __post_init__(self) -> None:
        self.samples: NDArray[np.float32] = np.zeros(round(self.seconds * self.sample_rate_hz), np.float32)

    def put(self, stamp_ns: int, samples: NDArray[np.float32]) -> None:
        """Lay a piece over what is there; a later piece wins."""
        first = round((stamp_ns - self.start_ns) * self.sample_rate_hz / NANOSECONDS)
        low, high = max(first, 0), min(first + len(samples), len(self.samples))
        if low < high:
            self.samples[low:high] = samples[low - first : high - first]

    def cut(self, stamp_ns: int, seconds: float) -> NDArray[np.float32]:
        """Piece from a time on, zero outside the line."""
        length = round(seconds * self.sample_rate_hz)
        first = round((stamp_ns - self.start_ns) * self.sample_rate_hz / NANOSECONDS)
        out = np.zeros(length, np.float32)
        low, high = max(first, 0), min(first + length, len(self.samples))
        if low < high:
            out[low - first : high - first] = self.samples[low:high]
        return out


@dataclass
class Recording:
    """Everything of one run.

    Attributes:
        contacts: Touches that ended, by id.
        hands: By contact id: keypoints (2, 21, 3) and validity (2,) when the touch began.
        predictions: By id.
        prediction_latency_s: From the end of each touch to its prediction.
        verdicts: In the order in which they came.
        audio: (stamp, samples, rate) of the microphone.
        windows: Windows of hands received.
        diagnostics: Node to (level 0 to 3, message, values), the newest while the recording was played.
        afterwards: Likewise, the newest of all.
    """

    contacts: dict[int, Contact] = field(default_factory=dict)
    hands: dict[int, tuple[NDArray[np.float32], NDArray[np.bool_]]] = field(default_factory=dict)
    predictions: dict[int, Prediction] = field(default_factory=dict)
    prediction_latency_s: list[float] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    audio: list[tuple[int, NDArray[np.float32], int]] = field(default_factory=list)
    windows: int = 0
    diagnostics: dict[str, tuple[int, str, dict[str, str]]] = field(default_factory=dict)
    afterwards: dict[str, tuple[int, str, dict[str, str]]] = field(default_factory=dict)
