"""What is said of a touch, or of a sound that no touch explains."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Verdict(IntEnum):
    """As in the message."""

    UNKNOWN = 0
    NORMAL = 1
    UNEXPECTED = 2
    MISSING = 3
    DIFFERENT = 4


NOT_HEARD: Final = ("missing", "weaker")
BESIDE: Final = "extra"


def verdict_of(anomaly: str, heard_onset: bool) -> Verdict:
    """The verdict on a touch that is not normal.

    Args:
        anomaly: What is most likely wrong, by the names of an `AnomalyModel`.
        heard_onset: Whether anything began to sound when the touch began.
    """
    if anomaly == BESIDE:
        return Verdict.UNEXPECTED
    return Verdict.MISSING if anomaly in NOT_HEARD and not heard_onset else Verdict.DIFFERENT
