"""What is predicted of the windows of hands that come in: every touch that has ended, once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.candidates import cut
from hearing_hands_ros.predictors.protocol import HandMotion

REMEMBERED_TOUCHES = 1000


class TouchWindows:
    """Cuts the window of each touch out of the windows of hands that hold it, the first time that it has ended.

    Args:
        lead_s: Before the touch begins.
        tail_s: After it has ended.
    """

    def __init__(self, lead_s: float, tail_s: float) -> None:
        self._lead_ns, self._tail_ns = round(lead_s * NANOSECONDS), round(tail_s * NANOSECONDS)
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_TOUCHES)
        self._newest_ns = 0

    def of(self, motion: HandMotion, ended: Sequence[bool]) -> list[HandMotion]:
        """Windows of the touches that are new.

        Args:
            motion: The newest seconds of both hands with the touches in them.
            ended: Which of its contacts are over.

        Returns:
            A candidate a touch, which is the last of its contacts; those before may still ring into it, later ones
            are other predictions.
        """
        end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
        if end_ns < self._newest_ns - NANOSECONDS:
            self._seen.clear()  # time went back: what was seen is to come again
        self._newest_ns = end_ns
        windows = []
        for touch, over in zip(motion.contacts, ended, strict=True):
            key = touch.contact_id, touch.start_ns
            if not over or key in self._seen:
                continue
            self._seen.append(key)
            before = [other.start_ns < touch.start_ns for other in motion.contacts]
            alone = replace(motion, contacts=(*compress(motion.contacts, before), touch))
            windows.append(cut(alone, max(touch.start_ns - self._lead_ns, 0), touch.end_ns + self._tail_ns))
        return windows
