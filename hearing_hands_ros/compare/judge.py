"""Everything that one touch's verdict needs: scores, calibration, the recorded materials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.calibration import Calibration
from hearing_hands_ros.compare.materials import MaterialModel
from hearing_hands_ros.compare.scores import TouchScores, expected_rise_db, score_touch
from hearing_hands_ros.compare.verdict import Verdict, decide
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.sequence import SequenceConfig

LEAST_RISE_DB = 10.0
"""A touch that should stand out by less than this of those before it is not missed when no onset is heard."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with its evidence.

    Attributes:
        verdict: What was decided.
        reason: For people.
        heard_onset: An onset was heard where it was expected.
        lag_s: Heard less expected onset; NaN without one.
        p_value: Of the score that decided; NaN if none did.
        scores: All scores by name.
        nearest_material: Recorded material nearest to what was heard; empty if not known.
        touch: The scores as they were, for a calibration; None if the touch was not scored.
    """

    verdict: Verdict
    reason: str
    heard_onset: bool = False
    lag_s: float = math.nan
    p_value: float = math.nan
    scores: Mapping[str, float] = field(default_factory=dict)
    nearest_material: str = ""
    touch: TouchScores | None = None

    @classmethod
    def unknown(cls, reason: str) -> Judgement:
        """Could not be judged."""
        return cls(Verdict.UNKNOWN, reason)


class TouchJudge:
    """Judges touches that were heard.

    Args:
        materials: Recorded materials; None for the scores that need none.
        calibration: Scores of normal touches; None makes every verdict about a sound UNKNOWN.
        alpha: False-alarm rate of DIFFERENT.
        search_s: An onset this far from its touch still belongs to it.
        sequence: Rates and lengths of predictions.
    """

    lead_s = 0.3  # of sound before a touch: the onset detector learns the room from it

    def __init__(
        self,
        materials: MaterialModel | None,
        calibration: Calibration | None,
        alpha: float,
        search_s: float = 0.05,
        sequence: SequenceConfig | None = None,
    ) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"TouchJudge: alpha wanted more than 0 and less than 1, got {alpha}")
        self.materials = materials
        self.calibration = calibration
        self.alpha = alpha
        self.search_s = search_s
        self.sequence = sequence or SequenceConfig()

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the sound that is judged."""
        return self.sequence.sample_rate_hz

    def judge(
        self,
        samples: NDArray[np.float32],
        heard: NDArray[np.bool_],
        prediction: Prediction,
        until_s: float | None = None,
    ) -> Judgement:
        """Judge the newest contact of a prediction.

        Args:
            samples: (L,) sound from `lead_s` before the touch, microphone lag removed.
            heard: (L,) which of them were received.
            prediction: What was expected.
            until_s: Where in `samples` the next touch begins, if one does.
        """
        contact = prediction.contacts[-1]
        end = len(samples) if until_s is None else max(0, round(until_s * self.sample_rate_hz))
        lost_s = float(np.count_nonzero(~heard[:end])) / self.sample_rate_hz
        if lost_s:
            return Judgement.unknown(decide(contact, heard_onset=False, lost_s=lost_s).reason)
        if not samples[round((self.lead_s - self.search_s) * self.sample_rate_hz) :].any():
            return Judgement.unknown("wanted at least the microphone's noise, got samples that are all exactly zero")
        try:
            scores = score_touch(
                samples,
                prediction,
                contact,
                lead_s=self.lead_s,
                materials=self.materials,
                max_lag_s=self.search_s,
                until_s=until_s,
                sequence=self.sequence,
            )
        except ValueError as error:
            return Judgement.unknown(str(error))
        onset = scores.heard_onset_s is not None
        if not onset and expected_rise_db(prediction, contact, self.sequence) < LEAST_RISE_DB:
            return Judgement.unknown("no onset was heard, but the touch before it still sounds and may hide it")
        decision = decide(contact, onset, scores, self.calibration, alpha=self.alpha)
        return Judgement(
            verdict=decision.verdict,
            reason=decision.reason,
            heard_onset=onset,
            lag_s=scores.lag_s,
            p_value=decision.p_value,
            scores=scores.values,
            nearest_material=scores.nearest_material,
            touch=scores,
        )
