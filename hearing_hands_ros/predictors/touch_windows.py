"""What is predicted of the windows of hands that come in: every touch, once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

from hearing_hands_ros.motion.settling import PRESS_S, has_settled, is_slow, speeds_along
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.candidates import cut
from hearing_hands_ros.predictors.leave_out import leave_out
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction

REMEMBERED_TOUCHES = 1000

TAP_S: Final = 0.08
"""A touch that has just begun is taken for a tap of this length."""

GOES_ON_S: Final = {"slide": 0.35, "tap": 0.6}
"""A slide that slows down, and a hand that rests, are taken to go on for so long: a hand that rests until beyond the
next window; a slide less long, for what is left out of its sound is a guess that was computed for nothing."""

READY_S: Final = 0.25
"""So long before the end of a touch its candidate is best known, for its prediction to be made by then."""


@dataclass(frozen=True, eq=False)
class TouchWindow:
    """A touch that is over.

    Attributes:
        candidate: What the predictor is told; its last contact is the touch, as it was known when it began or when it
            was about to end.
        contacts: The same contacts as they were in the end.
        left_out_s: So much sooner than in the candidate the touch was over.
    """

    candidate: HandMotion
    contacts: tuple[Contact, ...]
    left_out_s: float = 0.0

    def told(self, prediction: Prediction) -> Prediction:
        """A prediction of the candidate, for the touches as they were.

        What a slide would have sounded like after its end is left out. A hand that rests makes no sound: there the
        prediction's end is.
        """
        length_ns, touch = round(self.left_out_s * NANOSECONDS), self.contacts[-1]
        if length_ns:
            sound_ns = round(len(prediction.audio) * NANOSECONDS / prediction.sample_rate_hz)
            last_ns = prediction.start_ns + sound_ns - length_ns
            prediction = leave_out(prediction, touch.end_ns if touch.kind == "slide" else last_ns, length_ns)
        return replace(prediction, contacts=self.contacts)


@dataclass(frozen=True, eq=False)
class _Settled:
    """A candidate of a touch that may be over soon, and when it was known."""

    known_ns: int
    candidate: HandMotion

    @property
    def touch(self) -> Contact:
        """The touch as it is taken to go on."""
        return self.candidate.contacts[-1]

    def holds(self, motion: HandMotion, touch: Contact) -> bool:
        """Whether the touch ended in time and as one of its kind, and a hand that was slow stayed so."""
        if touch.kind != self.touch.kind or touch.end_ns > self.touch.end_ns:
            return False
        speeds, since = speeds_along(motion, touch), int((touch.end_ns - self.known_ns) * motion.rate_hz / NANOSECONDS)
        return touch.kind == "tap" or since <= 0 or is_slow(speeds[-since:], speeds)


class TouchWindows:
    """Cuts the window of each touch out of the windows of hands that hold it.

    Nearly all that can be heard of a tap is settled when it begins: where, how fast, by which hand. What can be heard
    of a slide is settled when it slows down, but for the time of its end. So that predictions can be made while touches
    last, their candidates are what was known then, whenever they are asked for: of time only the stamps of the motion
    count. Other slides and long touches, and those that were first seen when they were over, are predicted of all that
    is known at their end.

    Args:
        lead_s: Before the touch begins.
        tail_s: After it has ended.
    """

    def __init__(self, lead_s: float, tail_s: float) -> None:
        self._lead_ns, self._tail_ns = round(lead_s * NANOSECONDS), round(tail_s * NANOSECONDS)
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_TOUCHES)
        self._begun: dict[tuple[int, int], HandMotion] = {}
        self._settled: dict[tuple[int, int], list[_Settled]] = {}
        self._newest_ns = 0

    def begun(self, motion: HandMotion, ended: Sequence[bool]) -> list[HandMotion]:
        """Candidates that may be those of touches that go on.

        One of each touch that has just begun, if it turns out to be a tap, and one of each that may be over soon.

        Args:
            motion: The newest seconds of both hands with the touches in them.
            ended: Which of its contacts are over.
        """
        now_ns = self._follow_time(motion)
        for known in (self._begun, self._settled):
            for key in known.keys() - {touch.key for touch in motion.contacts}:
                del known[key]
        new = []
        for touch in compress(motion.contacts, (not over for over in ended)):
            settled = self._settled.setdefault(touch.key, [])
            if touch.key not in self._begun:
                end_ns = touch.start_ns + round(TAP_S * NANOSECONDS)
                new.append(self._cut(motion, replace(touch, end_ns=end_ns, kind="tap")))
                self._begun[touch.key] = new[-1]
            elif (not settled or settled[-1].known_ns < now_ns) and has_settled(motion, touch, touch.kind == "slide"):
                end_ns = touch.end_ns + round(GOES_ON_S[touch.kind] * NANOSECONDS)
                new.append(self._cut(motion, replace(touch, end_ns=end_ns)))
                settled.append(_Settled(now_ns, new[-1]))
        return new

    def of(self, motion: HandMotion, ended: Sequence[bool]) -> list[TouchWindow]:
        """Windows of the touches that are over and were not so before.

        A touch is the last of its candidate's contacts; those before may still ring into it, later ones are other
        predictions. For the arguments see `begun`.
        """
        self.begun(motion, ended)
        windows = []
        for touch in compress(motion.contacts, ended):
            if touch.key in self._seen:
                continue
            self._seen.append(touch.key)
            candidate, left_out_s = self._candidate(motion, touch)
            known = {contact.key for contact in candidate.contacts}
            others = (other for other in _before(motion, touch) if other.key in known)
            windows.append(TouchWindow(candidate, (*others, touch), left_out_s))
        return windows

    def _candidate(self, motion: HandMotion, touch: Contact) -> tuple[HandMotion, float]:
        """Candidate of a touch that is over, and how much sooner it was than there."""
        begun, settled = self._begun.pop(touch.key, None), self._settled.pop(touch.key, [])
        if begun is not None and touch.kind == "tap" and touch.duration_s <= PRESS_S:
            return begun, 0.0
        fitting = [each for each in settled if each.holds(motion, touch)]
        if not fitting:
            return self._cut(motion, touch), 0.0
        ready = [each for each in fitting if each.known_ns <= self._newest_ns - round(READY_S * NANOSECONDS)]
        chosen = ready[-1] if ready else fitting[0]
        return chosen.candidate, (chosen.touch.end_ns - touch.end_ns) / NANOSECONDS

    def _cut(self, motion: HandMotion, touch: Contact) -> HandMotion:
        alone = replace(motion, contacts=(*_before(motion, touch), touch))
        return cut(alone, max(touch.start_ns - self._lead_ns, 0), touch.end_ns + self._tail_ns)

    def _follow_time(self, motion: HandMotion) -> int:
        """Time of the newest frame."""
        end_ns = motion.start_ns + round((len(motion.valid) - 1) / motion.rate_hz * NANOSECONDS)
        if end_ns < self._newest_ns - NANOSECONDS:
            self._seen.clear()  # time went back: what was seen is to come again
            self._begun.clear()
            self._settled.clear()
        self._newest_ns = end_ns
        return end_ns


def _before(motion: HandMotion, touch: Contact) -> tuple[Contact, ...]:
    """Contacts of a motion that began before one of them."""
    return tuple(compress(motion.contacts, (other.start_ns < touch.start_ns for other in motion.contacts)))
