"""Lays what was predicted and what was heard over each other by their stamps, and judges every touch once. No ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.ego_noise import EgoNoise
from hearing_hands_ros.compare.hand_speed import HandSpeed
from hearing_hands_ros.compare.heard import HeardSound
from hearing_hands_ros.compare.judge import Judgement, TouchJudge
from hearing_hands_ros.compare.settings import ComparatorSettings
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction
from hearing_hands_ros.sound.onsets import OnsetDetector

RING_S = 20.0
"""Sound and touches older than this are forgotten."""

ALIVE_S = 1.0
"""A tracker that sent a window so short a time ago would tell of a touch."""

QUIET_BLOCK_S = 1.0
"""Quiet is counted in blocks of this length."""

BEGINNING_S = 0.06
"""Sound after an onset that says how strong it is."""


@dataclass(frozen=True)
class Comparison:
    """One verdict.

    Attributes:
        stamp_ns: Begin of the touch, or the onset of a sound that no touch explains.
        judgement: Verdict, reason, scores.
        contact: The touch, or None.
        prediction_id: Of the prediction, 0 if none.
        since_ns: End of the touch or the onset; the verdict's latency counts from here.
    """

    stamp_ns: int
    judgement: Judgement
    contact: Contact | None = None
    prediction_id: int = 0
    since_ns: int = 0


def frame_times_ns(motion: HandMotion) -> list[int]:
    """When the frames of a window were."""
    return [motion.start_ns + round(frame * NANOSECONDS / motion.rate_hz) for frame in range(len(motion.valid))]


@dataclass
class _Touch:
    contact: Contact
    judged: bool
    prediction: Prediction | None = None
    prediction_id: int = 0
    after_db: float = 0.0  # the strongest beginning while it may still ring
    is_over: bool = False  # it does not ring any more


class Comparator:
    """Takes sound, hands and predictions as they come, in any order; `poll` returns the verdicts that are due.

    Args:
        judge: Scores and judges one touch.
        settings: Times.
    """

    def __init__(self, judge: TouchJudge, settings: ComparatorSettings, ego_noise: EgoNoise | None = None) -> None:
        self._ego_noise, self._speed = ego_noise, HandSpeed()
        self.judge = judge
        self.settings = settings
        self._rate_hz = judge.sample_rate_hz
        self._heard = HeardSound(self._rate_hz, RING_S)
        self._onsets = OnsetDetector()
        self.clear()

    def clear(self, now_ns: int = 0) -> None:
        """Forget everything but the calibration, and leave touches that have ended by now to whoever was here before.

        Args:
            now_ns: Present time: the comparator has just been started, or time jumped.
        """
        self._heard.clear()
        self._speed.clear()
        self._onsets.reset()
        self.judge.forget()
        self._onsets_from = self._onsets_until = 0  # samples that the detector was given
        self._begun_ns = now_ns
        self._oldest_ns = now_ns - self._ns(RING_S)
        self._touches: dict[tuple[int, int], _Touch] = {}
        self._unexplained: deque[int] = deque()  # times, microphone lag removed
        self._hands: deque[tuple[int, bool]] = deque(maxlen=2000)  # (time, any hand valid), ascending
        self._last_unexpected_ns = -10 * NANOSECONDS
        self._alone: deque[tuple[int, float]] = deque(maxlen=2000)  # onsets that no touch explains: time, rise in dB
        self._block_ns = 0  # where the next block of quiet would begin
        self._quiet: deque[float] = deque(maxlen=100_000)
        self._after: deque[float] = deque(maxlen=100_000)
        self._going_on: tuple[Contact, ...] = ()

    @property
    def heard_until_ns(self) -> int | None:
        """Time after the newest sample."""
        return self._heard.until_ns

    @property
    def hands_until_ns(self) -> int | None:
        """Time of the newest frame."""
        return self._hands[-1][0] if self._hands else None

    @property
    def followed_until_ns(self) -> int | None:
        """Time of the newest frame in which a hand was followed."""
        return next((stamp for stamp, followed in reversed(self._hands) if followed), None)

    def hears_something(self, seconds: float) -> bool:
        """Whether any of the last seconds' samples was received and is not exactly zero."""
        until_ns = self._heard.until_ns
        if until_ns is None:
            return False
        samples, _ = self._heard.segment(until_ns - self._ns(seconds), round(seconds * self._rate_hz))
        return bool(samples.any())

    # What comes in.

    def hear(
        self, stamp_ns: int, samples: NDArray[np.float32], rate_hz: int, lost: NDArray[np.bool_] | None = None
    ) -> None:
        """Take a block (L, C) of sound; see `HeardSound.push`."""
        first = self._heard.push(stamp_ns, samples, rate_hz, lost)
        for begin, stretch in self._heard.stretches(first):
            if begin != self._onsets_until:  # where sound comes back after a gap is no onset
                self._onsets.reset()
                self._onsets_from = begin
            self._onsets_until = begin + len(stretch)
            for seconds in self._onsets.push(stretch):
                index = self._onsets_from + round(seconds * self._rate_hz)
                self._unexplained.append(self._heard.time_of(index) - self._lag_ns)

    def see(self, motion: HandMotion, going_on: Sequence[Contact] = ()) -> None:
        """Take a window of hands; its contacts have ended, `going_on` have not."""
        self._speed.see(motion)
        stamps = frame_times_ns(motion)
        if self._hands and stamps[-1] < self._hands[-1][0] - NANOSECONDS:
            self._hands.clear()  # those came from another time
        newest = self._hands[-1][0] if self._hands else -1
        for stamp, valid in zip(stamps, motion.valid, strict=True):
            if stamp > newest:
                self._hands.append((stamp, bool(valid.any())))
        self._going_on = tuple(going_on)
        for contact in motion.contacts:
            self._touch_of(contact)

    def expect(self, prediction: Prediction, prediction_id: int) -> None:
        """Take a prediction; it is for the newest of its contacts."""
        if not prediction.contacts:
            return
        touch = self._touch_of(prediction.contacts[-1])
        if touch is not None and touch.prediction is None:
            touch.prediction, touch.prediction_id = prediction, prediction_id

    def _touch_of(self, contact: Contact) -> _Touch | None:
        """Remember a touch that has ended; None if it is older than what is remembered.

        One from before the start is not judged, but its sound is still known for its own.
        """
        if contact.end_ns <= self._oldest_ns:
            return None
        new = _Touch(contact, judged=contact.end_ns <= self._begun_ns)
        return self._touches.setdefault(contact.key, new)

    # What comes out.

    def poll(self, now_ns: int) -> list[Comparison]:
        """Return the verdicts that can be given now, and those that cannot wait any longer."""
        results: list[Comparison] = []
        for touch in sorted(self._touches.values(), key=lambda item: item.contact.start_ns):
            if not touch.judged and (comparison := self._judge(touch, now_ns)) is not None:
                touch.judged = True
                results.append(comparison)
        results += self._poll_onsets(now_ns)
        self._count_quiet(now_ns)
        self._count_after(now_ns)
        self._oldest_ns = now_ns - self._ns(RING_S)
        self._touches = {
            key: touch
            for key, touch in self._touches.items()
            if touch.contact.end_ns > self._oldest_ns or not touch.judged
        }
        return results

    def _judge(self, touch: _Touch, now_ns: int) -> Comparison | None:
        contact, settings = touch.contact, self.settings
        end_ns = self._judged_until_ns(contact)
        due_ns = end_ns + self._lag_ns
        if touch.prediction is None:
            if now_ns < contact.end_ns + self._ns(settings.prediction_wait_s):
                return None
            judgement = Judgement.unknown(f"no prediction within {settings.prediction_wait_s:g} s of the touch's end")
        elif self._heard.until_ns is not None and self._heard.until_ns >= due_ns:
            if not self._touches_told_until(end_ns, now_ns):
                return None  # another touch may begin in this one's sound
            judgement = self._listen(contact, end_ns, touch.prediction)
        elif now_ns < due_ns + self._ns(settings.heard_wait_s):
            return None
        else:
            judgement = Judgement.unknown(self._silence_reason(due_ns))
        return Comparison(contact.start_ns, judgement, contact, touch.prediction_id, contact.end_ns)

    def _listen(self, contact: Contact, end_ns: int, prediction: Prediction) -> Judgement:
        """Judge a touch by what was heard from before it until `end_ns`, microphone lag removed."""
        start_ns, next_ns = contact.start_ns - self._ns(self.judge.lead_s), self._next_touch(contact)
        if end_ns - start_ns > self._ns(RING_S):
            took_s = (end_ns - start_ns) / NANOSECONDS
            return Judgement.unknown(f"wanted a touch of at most {RING_S:g} s with its sound, got {took_s:.1f} s")
        samples, heard = self._heard.segment(
            start_ns + self._lag_ns, round((end_ns - start_ns) * self._rate_hz / NANOSECONDS)
        )
        until_s = None if next_ns is None else (next_ns - start_ns) / NANOSECONDS - self.settings.search_s
        return self.judge.judge(self._even(samples, start_ns), heard, prediction, until_s)

    def _next_touch(self, contact: Contact) -> int | None:
        """When the next touch begins, if one is known; its sound is not this one's."""
        others = (*(touch.contact for touch in self._touches.values()), *self._going_on)
        return min((other.start_ns for other in others if other.start_ns > contact.start_ns), default=None)

    def _silence_reason(self, due_ns: int) -> str:
        until_ns = self._heard.until_ns
        if until_ns is None:
            return "nothing was heard from the microphone yet"
        missing_s = (due_ns - until_ns) / NANOSECONDS
        return f"the last {missing_s:.1f} s of the touch's sound did not come from the microphone"

    def take_quiet(self) -> list[float]:
        """The strongest beginning, dB, in each second since the last call in which a hand was followed, touched nothing
        and no sample was lost; 0 where nothing began.
        """
        quiet = [*self._quiet]
        self._quiet.clear()
        return quiet

    def take_after(self) -> list[float]:
        """The strongest beginning, dB, after each touch since the last call while it might still ring, where no sample
        was lost and a hand was followed; 0 where nothing began.
        """
        after = [*self._after]
        self._after.clear()
        return after

    def _poll_onsets(self, now_ns: int) -> list[Comparison]:
        results = []
        while self._unexplained:
            onset_ns = self._unexplained[0]
            if not self._touches_known_until(onset_ns + self._ns(self.settings.search_s), now_ns):
                break
            if not self._heard_until(onset_ns + self._ns(BEGINNING_S), now_ns):
                break
            self._unexplained.popleft()
            rung = self._rung_at(onset_ns)
            if any(onset_ns < self._judged_until_ns(contact) for contact in rung):
                continue  # part of a touch, which is judged whole
            rise_db = self._rise_db(onset_ns)
            if not rung:
                self._alone.append((onset_ns, rise_db))
            elif touch := self._touches.get(rung[-1].key):
                touch.after_db = max(touch.after_db, rise_db)
            if onset_ns - self._last_unexpected_ns < self._ns(self.settings.rings_s):
                continue  # part of the same sound
            if self._followed(onset_ns, onset_ns):
                judgement = self.judge.judge_alone(rise_db, after=bool(rung))
            elif rung:
                continue
            else:
                judgement = Judgement.unknown("a sound was heard while no hand was followed")
            if judgement is None:
                continue
            self._last_unexpected_ns = onset_ns
            results.append(Comparison(onset_ns, judgement, since_ns=onset_ns))
        return results

    def _rise_db(self, onset_ns: int) -> float:
        """How strongly a sound begins."""
        start_ns = onset_ns - self._ns(self.judge.lead_s)
        samples, _ = self._heard.segment(
            start_ns + self._lag_ns, round((self.judge.lead_s + BEGINNING_S) * self._rate_hz)
        )
        return self.judge.rise_db(self._even(samples, start_ns))

    def _even(self, samples: NDArray[np.float32], start_ns: int) -> NDArray[np.float32]:
        """Sound in which the robot's noise is as loud all the time as `lead_s` into it."""
        if self._ego_noise is None:
            return samples
        end_ns = start_ns + round(len(samples) * NANOSECONDS / self._rate_hz)
        return self._ego_noise.evened(samples, self._speed.between(start_ns, end_ns), self.judge.lead_s)

    def _count_quiet(self, now_ns: int) -> None:
        """Take the blocks of time in which nothing was touched."""
        length = self._ns(QUIET_BLOCK_S)
        newest = self._heard.until_ns
        if newest is None or not self._hands:
            return
        self._block_ns = max(self._block_ns or newest, now_ns - self._ns(RING_S))
        while True:
            begin, end = self._block_ns, self._block_ns + length
            settled = end + self._ns(self.settings.search_s + BEGINNING_S)  # onsets near the end come later
            if not (self._touches_known_until(settled, now_ns) and self._heard_until(settled, now_ns)):
                return
            self._block_ns = end
            rises = [rise for stamp, rise in self._alone if begin <= stamp < end]
            while self._alone and self._alone[0][0] < end:
                self._alone.popleft()
            _, heard = self._heard.segment(begin + self._lag_ns, round(QUIET_BLOCK_S * self._rate_hz))
            if heard.all() and self._followed(begin, end) and not self._rung_at(begin, end):
                self._quiet.append(max(rises, default=0.0))

    def _count_after(self, now_ns: int) -> None:
        """Take what began after touches, once they do not ring any more."""
        for touch in self._touches.values():
            contact = touch.contact
            begin_ns, end_ns = self._judged_until_ns(contact), contact.end_ns + self._ns(self.settings.rings_s)
            settled_ns = end_ns + self._ns(self.settings.search_s + BEGINNING_S)
            if touch.is_over or not touch.judged:
                continue
            if not (self._touches_known_until(settled_ns, now_ns) and self._heard_until(settled_ns, now_ns)):
                continue
            touch.is_over = True
            if (next_ns := self._next_touch(contact)) is not None:
                end_ns = min(end_ns, next_ns - self._ns(self.settings.search_s))
            if contact.end_ns <= self._begun_ns or begin_ns >= end_ns or not self._followed(begin_ns, end_ns):
                continue
            length = round((end_ns - begin_ns) * self._rate_hz / NANOSECONDS)
            if self._heard.segment(begin_ns + self._lag_ns, length)[1].all():
                self._after.append(touch.after_db)

    def _followed(self, begin_ns: int, end_ns: int) -> bool:
        """Whether a hand was seen in every frame from 0.1 s before a span to 0.1 s after it."""
        near = NANOSECONDS // 10
        followed = [valid for stamp, valid in self._hands if begin_ns - near < stamp < end_ns + near]
        return bool(followed) and all(followed)

    def _heard_until(self, stamp_ns: int, now_ns: int) -> bool:
        """Whether the sound up to a time is there, or it is too late to wait for it."""
        until_ns = self._heard.until_ns
        there = until_ns is not None and until_ns >= stamp_ns + self._lag_ns
        return there or now_ns > stamp_ns + self._lag_ns + self._ns(self.settings.heard_wait_s)

    def _touches_told_until(self, stamp_ns: int, now_ns: int) -> bool:
        """Whether a touch that began before a time would have been told, or it is too late to wait for it."""
        alive = bool(self._hands) and self._hands[-1][0] > stamp_ns - self._ns(ALIVE_S)
        told = alive and now_ns >= stamp_ns + self._ns(self.settings.news_s)
        return told or self._touches_known_until(stamp_ns, now_ns)

    def _touches_known_until(self, stamp_ns: int, now_ns: int) -> bool:
        """Whether all touches up to a time are known, or it is too late to wait for them."""
        known = bool(self._hands) and self._hands[-1][0] >= stamp_ns
        return known or now_ns > stamp_ns + self._ns(self.settings.hands_wait_s)

    def _judged_until_ns(self, contact: Contact) -> int:
        """End of what a touch's verdict is on; a long one is heard whole."""
        return max(contact.start_ns + self._ns(self.settings.segment_s), contact.end_ns)

    def _rung_at(self, begin_ns: int, end_ns: int | None = None) -> list[Contact]:
        """Touches that sound at a time or in a span, oldest first: from just before they begin until they rang out."""
        before, after = self._ns(self.settings.search_s), self._ns(self.settings.rings_s)
        end_ns = begin_ns if end_ns is None else end_ns
        contacts = (*(touch.contact for touch in self._touches.values()), *self._going_on)
        found = [c for c in contacts if c.start_ns - before <= end_ns and begin_ns <= c.end_ns + after]
        return sorted(found, key=lambda contact: contact.start_ns)

    @property
    def _lag_ns(self) -> int:
        return self._ns(self.settings.microphone_lag_s)

    @staticmethod
    def _ns(seconds: float) -> int:
        return round(seconds * NANOSECONDS)
