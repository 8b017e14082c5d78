"""The verdict on one touch, with its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.audibility import LEAST_RISE_DB, expected_rise_db, stands_out
from hearing_hands_ros.compare.calibrated import AFTER, ALONE, EGO_NOISE, MODEL, SCORER, SEGMENT, segment_text
from hearing_hands_ros.compare.conformal import ConformalCalibration, PValue
from hearing_hands_ros.compare.evidence import Difference, where_it_differs
from hearing_hands_ros.compare.groups import ALL, group_text
from hearing_hands_ros.compare.ranks import least_touches
from hearing_hands_ros.compare.scoring.material import heard_material, predicted_wave
from hearing_hands_ros.compare.scoring.onsets import rises_of
from hearing_hands_ros.compare.scoring.picture import picture
from hearing_hands_ros.compare.scoring.scorer import ANOMALY, Scorer
from hearing_hands_ros.compare.scoring.touch import LEAD_S, SEGMENT_S, HeardTouch
from hearing_hands_ros.compare.verdict import Verdict, verdict_of
from hearing_hands_ros.compare.watch import Watch, Watched
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.onsets import find_onsets

NEAR_S: Final = 0.05
LEAST_ALONE_S: Final = 0.2
"""A touch that the next one cuts off sooner is odder than whole ones, whatever it sounds like."""

RUN_LENGTH: Final = 1000.0


@dataclass(frozen=True)
class Judgement:
    """A verdict with its evidence.

    Attributes:
        verdict: What was decided.
        reason: For people.
        heard_onset: An onset was heard where it was expected.
        lag_s: Heard less expected onset; NaN without one.
        onsets_s: All that were heard, from the begin of the touch.
        p_value: Share of normal touches that are as odd; NaN if it was not compared.
        company: Which normal touches those are.
        scores: All scores by name.
        anomaly: What is most likely wrong if anything is; empty if not known.
        nearest_material: What was heard is nearest to; empty if not known.
        expected_material: What was predicted is nearest to; empty if not known.
        difference: Where a touch that is not normal differs most from the prediction; None if nowhere.
        watched: What was found beside it; None if there is no calibration.
        touch: What was heard; None if some of it was not.
    """

    verdict: Verdict
    reason: str
    heard_onset: bool = False
    lag_s: float = math.nan
    onsets_s: tuple[float, ...] = ()
    p_value: float = math.nan
    company: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    anomaly: str = ""
    nearest_material: str = ""
    expected_material: str = ""
    difference: Difference | None = None
    watched: Watched | None = None
    touch: HeardTouch | None = None

    @classmethod
    def unknown(cls, reason: str) -> Judgement:
        """Could not be judged."""
        return cls(Verdict.UNKNOWN, reason)

    @property
    def is_scored(self) -> bool:
        """Whether a calibration may count it."""
        return self.touch is not None and math.isfinite(self.scores.get(ANOMALY, math.nan))


class TouchJudge:
    """Judges touches that were heard, and sounds that no touch explains.

    Args:
        scorer: As it ships; the calibration says how it is adapted.
        calibration: Scores of normal touches; None makes every verdict UNKNOWN.
        alpha: Rate of false alarms: share of normal touches whose verdict is not NORMAL.
        search_s: An onset this far from its touch still belongs to it.
        run_length: Touches between false change alarms, on average.
        ego_noise: Digest of the robot's own noise, which is evened out of what was heard; empty if none is.
        segment_s: Sound that is waited for from the begin of each touch on.
        sequence: Rates and lengths of predictions.

    Attributes:
        watch: What goes on beside the verdicts; None without a calibration that fits.
    """

    lead_s = LEAD_S

    def __init__(
        self,
        scorer: Scorer,
        calibration: ConformalCalibration | None,
        alpha: float,
        search_s: float = 0.05,
        run_length: float = RUN_LENGTH,
        ego_noise: str = "",
        segment_s: float = SEGMENT_S,
        sequence: SequenceConfig | None = None,
    ) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"TouchJudge: alpha wanted more than 0 and less than 1, got {alpha}")
        self.scorer, self.alpha, self.search_s, self.run_length = scorer, alpha, search_s, run_length
        self.ego_noise, self.segment_s = ego_noise, segment_s
        self.sequence = sequence or SequenceConfig()
        self.arm(calibration)

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the sound that is judged."""
        return self.sequence.sample_rate_hz

    def arm(self, calibration: ConformalCalibration | None) -> None:
        """Judge by a calibration from now on; see `unarmed`."""
        self.calibration = calibration
        adaptation = None if calibration is None else calibration.adaptation
        self._adapted = self.scorer if adaptation is None else adaptation.applied(self.scorer)
        self.watch: Watch | None = None
        if calibration is not None and not self.unarmed:
            self.watch = Watch(self._adapted, calibration, self.alpha, self.run_length)

    def forget(self) -> None:
        """Forget the touches before: time jumped, or another recording."""
        if self.watch is not None:
            self.watch.forget()

    @property
    def unarmed(self) -> str:
        """Why no verdict can be given, for people; empty if one can."""
        if self.calibration is None:
            return "not calibrated with normal touches"
        made_with = self.calibration.made_with
        ours_by_name = {SCORER: self.scorer.digest, EGO_NOISE: self.ego_noise, SEGMENT: segment_text(self.segment_s)}
        for name, ours in ours_by_name.items():
            if (got := made_with.get(name, "")) != ours:
                return (
                    f"calibration ({self.calibration.source}): wanted one made with {name} {ours or 'none'}, "
                    f"got {got or 'none'}: calibrate again"
                )
        try:
            self.calibration.check(ANOMALY, self.alpha)
        except (ValueError, KeyError) as error:
            return str(error)
        return ""

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
        end = len(samples) if until_s is None else max(0, round(until_s * self.sample_rate_hz))
        lost_s = float(np.count_nonzero(~heard[:end])) / self.sample_rate_hz
        if lost_s:
            return Judgement.unknown(
                f"wanted all of the sound around it, got all but {lost_s * 1e3:.1f} ms: audio was lost"
            )
        if until_s is not None and until_s - self.lead_s < LEAST_ALONE_S:
            return Judgement.unknown(
                f"wanted {LEAST_ALONE_S:g} s of its sound before the next touch, got {until_s - self.lead_s:.2f} s"
            )
        if not samples[round((self.lead_s - self.search_s) * self.sample_rate_hz) : end].any():
            return Judgement.unknown("wanted at least the microphone's noise, got samples that are all exactly zero")
        try:
            onsets = find_onsets(samples)
            near = [at for at in onsets if abs(at - self.lead_s) <= self.search_s]
            onset = min(near, key=lambda at: abs(at - self.lead_s), default=None)
            touch = HeardTouch(samples, prediction, prediction.contacts[-1], onset, until_s, self.lead_s)
            seen = picture(touch)
            scores = self._adapted.scores(touch)
            found = Judgement(
                Verdict.UNKNOWN,
                "",
                heard_onset=onset is not None,
                lag_s=math.nan if onset is None else onset - self.lead_s,
                onsets_s=tuple(at - self.lead_s for at in onsets if at < touch.end_s),
                scores=scores,
                anomaly=self._adapted.likeliest(scores, touch.contact.kind),
                nearest_material=self._material(heard_material(self.scorer.listener, touch)),
                expected_material=self._material(
                    self.scorer.listener.listen(predicted_wave(touch), touch.contact.kind)
                ),
                difference=where_it_differs(seen),
                touch=touch,
            )
        except ValueError as error:
            return Judgement.unknown(str(error))
        return self._decided(found, touch, stands_out(seen))

    @property
    def judges_after(self) -> bool:
        """Whether it is known what begins after normal touches."""
        return self.calibration is not None and self.calibration.count(AFTER) >= least_touches(self.alpha)

    def judge_alone(self, rise_db: float, after: bool = False) -> Judgement | None:
        """Judge a sound that no touch begins with.

        Args:
            rise_db: See `rise_db`.
            after: It began when the touch before it was judged but might still ring.

        Returns:
            The judgement; None if there are such sounds in the quiet of this room, or after normal touches, or if it
            is not known what begins after those.
        """
        if after and not self.judges_after:
            return None
        what = "a sound began after a touch" if after else "a sound began and no touch explains it"
        if self.unarmed or self.calibration is None:
            return Judgement.unknown(f"{what}, but: {self.unarmed}")
        name = AFTER if after else ALONE
        try:
            p = self.calibration.p_value(name, rise_db, ALL, self.alpha)
        except KeyError:
            return Judgement.unknown(f"{what}, but no quiet was calibrated with")
        except ValueError as error:
            return Judgement.unknown(f"{what}, but: {error}")
        if p.value > self.alpha:
            return None
        of = f"{p.touches} touches" if after else f"{p.touches} s"
        reason = f"{what} (rise {rise_db:.1f} dB, p {p.value:.3f} of {of})"
        company = "after a touch" if after else "no touch"
        return Judgement(Verdict.UNEXPECTED, reason, True, p_value=p.value, company=company, scores={name: rise_db})

    def rise_db(self, samples: NDArray[np.float32]) -> float:
        """How strongly something begins `lead_s` into a sound.

        Args:
            samples: (L,) from `lead_s` before it.
        """
        time_s, rise = rises_of(samples, self.lead_s)
        return float(rise[np.abs(time_s) < NEAR_S].max(initial=0.0))

    def _decided(self, found: Judgement, touch: HeardTouch, stands_out_of_noise: bool) -> Judgement:
        """The verdict on what was found."""
        of = f"{touch.contact.kind} on {touch.contact.material or 'unknown material'}"
        if not found.heard_onset and expected_rise_db(touch.prediction, touch.contact, self.sequence) < LEAST_RISE_DB:
            return replace(
                found, reason="no onset was heard, but the touch before it still sounds and may hide it", touch=None
            )
        anomaly = found.scores[ANOMALY]
        if math.isnan(anomaly):
            return replace(found, reason=f"not one score of this {of} could be had")
        if self.unarmed or self.calibration is None or self.watch is None:
            return replace(found, reason=self.unarmed)
        predicted_by = self.calibration.made_with.get(MODEL)
        if predicted_by != touch.prediction.model:
            return replace(
                found,
                reason=f"calibration: wanted predictions of {predicted_by}, got one of {touch.prediction.model}: "
                "calibrate again",
            )
        group = self.calibration.groups.of(touch.contact)
        found = replace(found, watched=self.watch.take(touch, anomaly, group))
        p = self.calibration.p_value(ANOMALY, anomaly, group, self.alpha)
        found = replace(found, p_value=p.value, company=group_text(p.group))
        if p.group == ALL:
            return replace(found, reason=p.note)  # a tap says nothing of what is normal for a slide
        told = _told(p)
        if p.value > self.alpha:
            if not (found.heard_onset or stands_out_of_noise):
                return replace(
                    found, reason=f"nothing louder than the room was heard of a {of}, as of normal ones ({told})"
                )
            return replace(found, reason=f"heard a {of} as expected ({told})", verdict=Verdict.NORMAL)
        verdict = verdict_of(found.anomaly, found.heard_onset)
        if verdict == Verdict.MISSING:
            return replace(found, reason=f"wanted the sound of a {of}, heard no onset ({told})", verdict=verdict)
        like = found.nearest_material
        words = [f"most likely {found.anomaly}"] + ([f"sounds like {like}"] if like != touch.contact.material else [])
        words += [str(found.difference)] if found.difference else []
        return replace(found, reason=f"wanted a {of}: {', '.join(words)} ({told})", verdict=verdict)

    def _material(self, likely: NDArray[np.float32]) -> str:
        return self.scorer.listener.materials[int(likely.argmax())]


def _told(p: PValue) -> str:
    return f"p {p.value:.3f} of {p.touches} normal touches" + (f"; {p.note}" if p.note else "")
