"""What was heard of one touch, beside what was expected of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.predictors.protocol import Contact, Prediction

RATE_HZ = 16_000
LEAD_S = 0.3
"""Sound before the touch: the onset detector and the scores learn the room from it."""

SEGMENT_S = 0.3
"""Of each touch, from its begin on, if it is not longer itself; a verdict on more of it would come later."""


@dataclass(frozen=True, eq=False)
class HeardTouch:
    """The sound of a touch, ready to be scored.

    Attributes:
        samples: (L,) float32 at 16 kHz from `lead_s` before the touch, microphone lag removed.
        prediction: What was expected, over a window that holds the touch.
        contact: The touch, one of `prediction.contacts`.
        onset_s: Where in `samples` an onset was found near the touch; None if none was.
        until_s: Where in `samples` the next touch begins; None if none does.
        lead_s: Where in `samples` the touch is expected.

    Raises:
        ValueError: `samples` is not one finite channel or ends before the touch, or the prediction is at another rate.
    """

    samples: NDArray[np.float32]
    prediction: Prediction
    contact: Contact
    onset_s: float | None = None
    until_s: float | None = None
    lead_s: float = LEAD_S

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.size <= self.lead_s * RATE_HZ:
            raise ValueError(
                f"HeardTouch: samples wanted shape (L,), L > {self.lead_s * RATE_HZ:.0f} (the lead), "
                f"got {self.samples.shape}"
            )
        bad = int(np.count_nonzero(~np.isfinite(self.samples)))
        if bad:
            raise ValueError(f"HeardTouch: samples wanted finite values, got {bad} that are not")
        if self.prediction.sample_rate_hz != RATE_HZ:
            raise ValueError(f"HeardTouch: prediction wanted at {RATE_HZ} Hz, got {self.prediction.sample_rate_hz} Hz")

    @property
    def end_s(self) -> float:
        """Where in `samples` the sound of this touch ends, s: at the next touch, or with the samples."""
        length_s = self.samples.size / RATE_HZ
        return length_s if self.until_s is None else max(0.0, min(length_s, self.until_s))

    def judged(self, segment_s: float = SEGMENT_S) -> HeardTouch:
        """The same touch with no more sound than its verdict waits for."""
        until_s = self.lead_s + max(segment_s, self.contact.duration_s)
        next_s = None if self.until_s is None or self.until_s > until_s else self.until_s
        return replace(self, samples=self.samples[: round(until_s * RATE_HZ)], until_s=next_s)
