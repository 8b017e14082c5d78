"""The verdict on one touch, or on one sound that no touch explains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from hearing_hands_ros.compare.calibration import Calibration
from hearing_hands_ros.compare.scores import TouchScores
from hearing_hands_ros.predictors.protocol import Contact


class Verdict(IntEnum):
    """As in the message."""

    UNKNOWN = 0
    NORMAL = 1
    UNEXPECTED = 2
    MISSING = 3
    DIFFERENT = 4


@dataclass(frozen=True)
class Decision:
    """A verdict and why.

    Attributes:
        verdict: What was decided.
        reason: For people: what was wanted and what was found.
        score: Name of the score that decided; empty if none did.
        p_value: Of that score; NaN if none decided.
    """

    verdict: Verdict
    reason: str
    score: str = ""
    p_value: float = math.nan


def decide(
    contact: Contact | None,
    heard_onset: bool,
    scores: TouchScores | None = None,
    calibration: Calibration | None = None,
    *,
    alpha: float = 0.05,
    lost_s: float = 0.0,
) -> Decision:
    """Decide about one touch, or about one onset that no touch explains.

    The score that decides is `material` where a bank was given, else `log_mel`. The touch is DIFFERENT if its p-value
    is at most `alpha`. Whatever keeps it from being judged gives UNKNOWN, never NORMAL.

    Args:
        contact: The touch that was expected, or None for an onset without one.
        heard_onset: Whether an onset was heard where it was looked for.
        scores: Of the touch; needed if there are both.
        calibration: Scores of normal touches; needed if there are both.
        alpha: False-alarm rate the user chose.
        lost_s: How much of the sound around the touch was not received; with any, nothing is said.

    Returns:
        The decision.

    Raises:
        ValueError: There is neither a touch nor an onset, or `alpha` is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"decide: alpha wanted more than 0 and less than 1, got {alpha}")
    if contact is None and not heard_onset:
        raise ValueError("decide: wanted a touch, an onset or both, got neither")
    if lost_s != 0.0:
        return Decision(
            Verdict.UNKNOWN, f"wanted all of the sound around it, got all but {lost_s * 1e3:.1f} ms: audio was lost"
        )
    if contact is None:
        return Decision(Verdict.UNEXPECTED, "a sound began and no touch explains it")
    touch = f"{contact.kind} on {contact.material or 'unknown material'}"
    if not heard_onset:
        return Decision(Verdict.MISSING, f"wanted the sound of a {touch}, heard no onset")
    if not contact.material:
        return Decision(Verdict.UNKNOWN, "the scene does not say what was touched")
    if scores is None:
        return Decision(Verdict.UNKNOWN, f"heard an onset for a {touch}, but there is no prediction to compare it with")
    name, value = scores.deciding
    if math.isnan(value):
        return Decision(Verdict.UNKNOWN, f"no {name} score: {scores.reason or 'it was not computed'}", name)
    if calibration is None:
        return Decision(Verdict.UNKNOWN, "there is no calibration with normal touches", name)
    try:
        calibration.check(name, alpha)
    except ValueError as error:
        return Decision(Verdict.UNKNOWN, str(error), name)
    p_value = calibration.p_value(name, value)
    found = f"{name} {value:.2f}, p {p_value:.3f}"
    if p_value <= alpha:
        nearest = scores.nearest_material
        like = f", it sounds like {nearest}" if nearest and nearest != contact.material else ""
        return Decision(Verdict.DIFFERENT, f"wanted a {touch}{like} ({found} is at most {alpha:g})", name, p_value)
    return Decision(Verdict.NORMAL, f"heard a {touch} as expected ({found})", name, p_value)
