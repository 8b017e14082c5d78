"""More sound than there is time for."""

from __future__ import annotations

MOST_SPEED = 4.0  # seconds of sound a second: a sender that catches up stays under it
MOST_SAVED_S = 5.0


class FloodGate:
    """Lets sound through at `MOST_SPEED` times real time, and up to `MOST_SAVED_S` of it at once.

    Time is what passed on the node's clock or on a steady one, whichever went farther: a recording may be played at ten
    times its speed under simulated time, and a microphone goes on while simulated time stands.
    """

    def __init__(self) -> None:
        self._saved_s = MOST_SAVED_S
        self._last: tuple[int, float] | None = None

    def admits(self, sound_s: float, now_ns: int, steady_s: float) -> bool:
        """Whether `sound_s` more of sound may come in now."""
        if self._last is not None:
            passed_s = max((now_ns - self._last[0]) * 1e-9, steady_s - self._last[1], 0.0)
            self._saved_s = min(MOST_SAVED_S, self._saved_s + MOST_SPEED * passed_s)
        self._last = now_ns, steady_s
        if sound_s > self._saved_s:
            return False
        self._saved_s -= sound_s
        return True
