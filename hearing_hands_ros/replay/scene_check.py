"""Whether the scene is the one that was touched, by what hands and sounds do in it."""

from __future__ import annotations

from collections import deque

import numpy as np

from hearing_hands_ros.motion.contact import Touch
from hearing_hands_ros.motion.tracker import TrackedWindow
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns
from hearing_hands_ros.replay.loud_begins import LoudBegins
from hearing_hands_ros.sound.capture.block import Block

DEEP_M = 0.008
"""No hand is so deep in what it touches, unless that lies elsewhere."""

EARLY_S, LATE_S = 0.15, 0.35
"""What begins to sound from so long before a touch until so long after it may be the touch."""

WAIT_S = 5.0
"""So long after a sound, the touch that made it is known; so long after a touch, nothing waits for it."""

SEEN_S = 0.1
"""A sound counts if a hand was seen so near to it in time."""

ENOUGH = 10
"""Of fewer touches or sounds nothing is said."""

MOST_DEEP, MOST_ALONE = 0.25, 0.3
"""A larger share of touches that are deep, or of sounds without a touch, is doubted."""


class SceneCheck:
    """Is fed while a recording passes; its memory does not grow.

    In the scene that was touched hands stop at its surface and things sound where hands touch. In another one, or one
    that lies elsewhere, hands go into it or touch nothing.

    Attributes:
        touches: That are over.
        deep: Of these, that went deeper than `DEEP_M`.
        sounds: Begins of sounds while a hand was seen.
        alone: Of these, those at which nothing was touched.
    """

    def __init__(self) -> None:
        self.touches = self.deep = self.sounds = self.alone = 0
        self._begins = LoudBegins()
        self._heard: deque[int] = deque()
        self._touched: dict[int, Touch] = {}
        self._counted = 0  # the highest id of those that were counted; ids count up
        self._seen_ns: deque[int] = deque()  # frames in which a hand was seen

    def hear(self, block: Block) -> None:
        """Take a block of sound."""
        self._heard.extend(self._begins.hear(block))

    def see(self, window: TrackedWindow) -> None:
        """Take a window of hands and touches; what was in the one before may come again."""
        hands, newest_ns = window.hands, self._seen_ns[-1] if self._seen_ns else -1
        for row in np.flatnonzero(hands.valid.any(axis=1)).tolist():
            stamp_ns = frame_stamp_ns(hands.first_frame + row, hands.rate_hz)
            if stamp_ns > newest_ns:
                self._seen_ns.append(stamp_ns)
        for touch in window.touches:
            if touch.id > self._counted or touch.id in self._touched:
                self._touched[touch.id] = touch

    def advance(self, now_ns: int) -> None:
        """Count what is known for good at a time."""
        known_ns = now_ns - round(WAIT_S * NANOSECONDS)
        while self._heard and self._heard[0] < known_ns:
            self._count_sound(self._heard.popleft())
        while self._seen_ns and self._seen_ns[0] < known_ns - round(WAIT_S * NANOSECONDS):
            self._seen_ns.popleft()
        for key, touch in list(self._touched.items()):
            if touch.end_ns < known_ns - round(WAIT_S * NANOSECONDS):
                del self._touched[key]
                self._counted = max(self._counted, key)
                self.touches += 1
                self.deep += touch.depth_m < -DEEP_M

    def finish(self, now_ns: int) -> None:
        """Count what still waits: nothing more comes."""
        self._heard.extend(self._begins.finish())
        self.advance(now_ns + round(3.0 * WAIT_S * NANOSECONDS))

    def _count_sound(self, stamp_ns: int) -> None:
        near_ns = round(SEEN_S * NANOSECONDS)
        if any(abs(seen_ns - stamp_ns) <= near_ns for seen_ns in self._seen_ns):
            self.sounds += 1
            self.alone += not any(_is_at(stamp_ns, touch) for touch in self._touched.values())

    @property
    def doubt(self) -> str:
        """Why this is hardly the scene, with the figures, for people; empty if nothing speaks against it."""
        texts = []
        if self.touches >= ENOUGH and self.deep > MOST_DEEP * self.touches:
            texts.append(f"{self.deep} of {self.touches} touches go more than {1e3 * DEEP_M:.0f} mm into the surface")
        if self.sounds >= ENOUGH and self.alone > MOST_ALONE * self.sounds:
            texts.append(f"of {self.sounds} sounds {self.alone} begin while no hand touches it")
        if not texts:
            return ""
        return f"is this the scene that was touched, and does it lie where it lay? {' and '.join(texts)}"


def _is_at(stamp_ns: int, touch: Touch) -> bool:
    begin_ns = touch.start_ns - round(EARLY_S * NANOSECONDS)
    return begin_ns <= stamp_ns <= touch.end_ns + round(LATE_S * NANOSECONDS)
