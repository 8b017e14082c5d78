"""What is predicted of the windows of hands that come in: every touch, once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.candidates import cut
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction

REMEMBERED_TOUCHES = 1000

TAP_S: Final = 0.08
"""A touch that has just begun is taken for a tap of this length."""

PRESS_S: Final = 0.3
"""One that lasted longer was none, and is predicted anew of all that is known."""


@dataclass(frozen=True, eq=False)
class TouchWindow:
    """A touch that is over.

    Attributes:
        candidate: What the predictor is told; its last contact is the touch, a tap as it was known when it began.
        contacts: The same contacts as they were in the end.
    """

    candidate: HandMotion
    contacts: tuple[Contact, ...]

    def told(self, prediction: Prediction) -> Prediction:
        """A prediction of the candidate, for the touches as they were."""
        return replace(prediction, contacts=self.contacts)


class TouchWindows:
    """Cuts the window of each touch out of the windows of hands that hold it.

    Nearly all that can be heard of a tap is settled when it begins: where, how fast, by which hand. So that its
    prediction can be made while it lasts, its candidate is what was known then, whenever it is asked for. Slides, long
    touches, and those that were first seen when they were over are predicted of all that is known at their end.

    Args:
        lead_s: Before the touch begins.
        tail_s: After it has ended.
    """

    def __init__(self, lead_s: float, tail_s: float) -> None:
        self._lead_ns, self._tail_ns = round(lead_s * NANOSECONDS), round(tail_s * NANOSECONDS)
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_TOUCHES)
        self._begun: dict[tuple[int, int], HandMotion] = {}
        self._newest_ns = 0

    def begun(self, motion: HandMotion, ended: Sequence[bool]) -> list[HandMotion]:
        """Candidates that will be those of touches that have just begun, if these turn out to be taps.

        Args:
            motion: The newest seconds of both hands with the touches in them.
            ended: Which of its contacts are over.
        """
        self._follow_time(motion)
        going_on = {touch.key for touch, over in zip(motion.contacts, ended, strict=True) if not over}
        over = {touch.key for touch, over in zip(motion.contacts, ended, strict=True) if over}
        self._begun = {key: candidate for key, candidate in self._begun.items() if key in going_on | over}
        new = []
        for touch in motion.contacts:
            key = touch.key
            if key in going_on and key not in self._begun:
                end_ns = touch.start_ns + round(TAP_S * NANOSECONDS)
                tap = replace(touch, end_ns=end_ns, kind="tap")
                self._begun[key] = self._cut(motion, _before(motion, touch), tap)
                new.append(self._begun[key])
        return new

    def of(self, motion: HandMotion, ended: Sequence[bool]) -> list[TouchWindow]:
        """Windows of the touches that are over and were not so before.

        A touch is the last of its candidate's contacts; those before may still ring into it, later ones are other
        predictions. For the arguments see `begun`.
        """
        self.begun(motion, ended)
        windows = []
        for touch, over in zip(motion.contacts, ended, strict=True):
            key = touch.key
            if not over or key in self._seen:
                continue
            self._seen.append(key)
            before = _before(motion, touch)
            candidate = self._begun.pop(key, None)
            if candidate is None or touch.kind != "tap" or touch.duration_s > PRESS_S:
                candidate = self._cut(motion, before, touch)
            known = {contact.key for contact in candidate.contacts}
            windows.append(TouchWindow(candidate, (*(other for other in before if other.key in known), touch)))
        return windows

    def _cut(self, motion: HandMotion, before: Sequence[Contact], touch: Contact) -> HandMotion:
        alone = replace(motion, contacts=(*before, touch))
        return cut(alone, max(touch.start_ns - self._lead_ns, 0), touch.end_ns + self._tail_ns)

    def _follow_time(self, motion: HandMotion) -> None:
        end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
        if end_ns < self._newest_ns - NANOSECONDS:
            self._seen.clear()  # time went back: what was seen is to come again
            self._begun.clear()
        self._newest_ns = end_ns


def _before(motion: HandMotion, touch: Contact) -> tuple[Contact, ...]:
    """Contacts of a motion that began before one of them."""
    return tuple(compress(motion.contacts, (other.start_ns < touch.start_ns for other in motion.contacts)))
