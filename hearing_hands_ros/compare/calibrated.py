"""A calibration made of touches and quiet that somebody vouches for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from hearing_hands_ros.compare.conformal import ConformalCalibration, NormalTouch
from hearing_hands_ros.compare.drift import DriftReference, TouchLevels, noise_floor_db
from hearing_hands_ros.compare.groups import ALL, ContactGroups
from hearing_hands_ros.compare.ranks import divided, least_touches
from hearing_hands_ros.compare.scoring.adaptation import Adaptation
from hearing_hands_ros.compare.scoring.baselines import Baselines
from hearing_hands_ros.compare.scoring.level import LevelBySpeed
from hearing_hands_ros.compare.scoring.picture import QUIET_S
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.touch import RATE_HZ, SEGMENT_S, HeardTouch

ALONE: Final = "alone"
"""Score of a second in which nothing touches: the strongest beginning in it, dB."""

AFTER: Final = "after"
"""Score of the time after a touch in which it may still ring: the strongest beginning in it, dB."""

SCORER, MODEL, EGO_NOISE, SEGMENT = "scorer", "model", "ego_noise", "segment"
SEED: Final = 0
MOST_UNHEARD: Final = 0.2
"""Share of taps."""

MEASURING_SHARE: Final = 1 / 3
"""Of the touches at most, to adapt the scorer to; the calibration counts the others."""


def calibrated(
    touches: Sequence[HeardTouch],
    quiet: Sequence[float],
    scorer: Scorer,
    alpha: float,
    source: str,
    ego_noise: str = "",
    after: Sequence[float] = (),
    segment_s: float = SEGMENT_S,
) -> ConformalCalibration:
    """Adapt the scorer to some of the touches, and count how odd the others are.

    Args:
        touches: Normal ones, in the order in which they were heard.
        quiet: Score `ALONE` of seconds in which nothing touched and nothing was wrong.
        scorer: As it ships.
        alpha: Rate of false alarms that is wanted.
        source: What they are, for people.
        ego_noise: Digest of the robot's own noise, which was evened out of them; empty if none was.
        after: Score `AFTER` of the times after touches in which nothing was wrong.
        segment_s: Sound that was waited for from the begin of each touch on.

    Raises:
        ValueError: There are too few touches for `alpha`, many were not heard, or several models predicted them.
    """
    least = least_touches(alpha)
    if len(touches) < least:
        raise ValueError(
            f"calibration: wanted {least} normal touches or more for alpha {alpha:g}, got {len(touches)}: "
            f"{least - len(touches)} are missing"
        )
    taps = [touch for touch in touches if touch.contact.kind == "tap"]
    unheard = sum(touch.onset_s is None for touch in taps)
    if unheard > MOST_UNHEARD * len(taps):
        raise ValueError(
            f"calibration: wanted taps that are heard where they are expected, got {unheard} of {len(taps)} taps "
            "without an onset: is microphone_lag_s right (hearing-hands calibrate lag), and the microphone on?"
        )
    models = sorted({touch.prediction.model for touch in touches})
    if len(models) != 1:
        raise ValueError(f"calibration: wanted predictions of one model, got those of {', '.join(models)}")
    spare = min(round(MEASURING_SHARE * len(touches)), len(touches) - least)
    # Drawn, for a robot that goes round its places would else be measured at some and judged at others.
    measuring = set(divided(range(len(touches)), spare, np.random.default_rng(SEED))[0])
    adaptation = Adaptation.of(scorer, [touches[i] for i in sorted(measuring)])
    adapted = adaptation.applied(scorer)
    baselines = Baselines(adapted)
    groups = ContactGroups()
    normal = []
    for number, touch in enumerate(touches):
        scores = baselines.scores(touch)
        if number not in measuring:
            scores[ANOMALY] = adapted.score(touch)
            normal.append(NormalTouch(groups.of(touch.contact), scores))
    normal += [NormalTouch(ALL, {ALONE: value}) for value in quiet]
    normal += [NormalTouch(ALL, {AFTER: value}) for value in after]
    return ConformalCalibration.of(
        source,
        normal,
        groups,
        reference=DriftReference.of([levels_of(touch, adapted.level) for touch in touches]),
        adaptation=adaptation,
        made_with={SCORER: scorer.digest, MODEL: models[0], EGO_NOISE: ego_noise, SEGMENT: segment_text(segment_s)},
    )


def segment_text(segment_s: float) -> str:
    """As a calibration says with what it was made."""
    return f"{segment_s:g} s"


def levels_of(touch: HeardTouch, level: LevelBySpeed) -> TouchLevels:
    """What a touch says of microphone and room."""
    lag_s = math.nan if touch.onset_s is None else touch.onset_s - touch.lead_s
    before: np.ndarray[tuple[int], np.dtype[np.float32]] = touch.samples[: round((touch.lead_s + QUIET_S) * RATE_HZ)]
    try:
        gain_db = -level.score(touch)
    except ValueError:  # too little of it to be looked at
        gain_db = math.nan
    return TouchLevels(gain_db, lag_s, noise_floor_db(before, RATE_HZ))
