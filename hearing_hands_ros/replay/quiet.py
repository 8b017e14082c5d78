"""Where in a recording a hand is followed and nothing is touched: there the noise of the robot itself is heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.ego_noise import RATE_HZ
from hearing_hands_ros.compare.hand_speed import HandSpeed
from hearing_hands_ros.compare.heard import HeardSound
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.recording import Moment

RING_S = 20.0
"""So much sound is kept."""

PIECE_S = 0.25
BEFORE_S, AFTER_S = 0.3, 1.0
"""So long before a touch, and so long after it, the sound may be the touch's."""

OVERDUE_S = 5.0
"""Sound and hands that are later than this do not come any more."""

_NS = round(PIECE_S * NANOSECONDS)


def quiet_pieces(recorded: Iterable[Moment], lag_s: float) -> Iterator[tuple[NDArray[np.float32], float]]:
    """Yield pieces of `PIECE_S` in which nothing sounds but the robot and its room.

    Args:
        recorded: The recording.
        lag_s: How late the microphone hears.

    Yields:
        (L,) samples at 16 kHz, and the speed of the hands during them, m/s.
    """
    ring, speed = HeardSound(RATE_HZ, RING_S), HandSpeed()
    touches: dict[tuple[int, int], tuple[int, int]] = {}  # begin and end, the latter as far as it is known
    before_ns, after_ns = round(BEFORE_S * NANOSECONDS), round(AFTER_S * NANOSECONDS)
    lag_ns, begin_ns, seen_ns = round(lag_s * NANOSECONDS), 0, 0
    for moment in recorded:
        for block in moment.sound:
            assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
            ring.push(block.stamp_ns, block.data.reshape(-1, block.channels), block.sample_rate_hz, block.lost)
        for seen in moment.hands:
            speed.see(seen.motion)
            seen_ns = seen.motion.start_ns + round(seen.motion.duration_s * NANOSECONDS)
            touches |= {(c.contact_id, c.start_ns): (c.start_ns, c.end_ns) for c in seen.motion.contacts}
        begin_ns = max(begin_ns, moment.now_ns - round(RING_S / 2 * NANOSECONDS))
        while _is_known(begin_ns, seen_ns - before_ns, (ring.until_ns or 0) - lag_ns, moment.now_ns):
            end_ns = begin_ns + _NS
            touches = {key: span for key, span in touches.items() if span[1] + after_ns > begin_ns}
            if not any(first - before_ns < end_ns for first, _ in touches.values()):
                samples, heard = ring.segment(begin_ns + lag_ns, round(PIECE_S * RATE_HZ))
                speeds = speed.between(begin_ns, end_ns)
                if heard.all() and np.isfinite(speeds).all():
                    yield samples, float(np.sqrt(np.mean(speeds**2)))
            begin_ns = end_ns


def _is_known(begin_ns: int, seen_ns: int, heard_ns: int, now_ns: int) -> bool:
    """Whether all of a piece's sound and hands are there, or too late."""
    end_ns = begin_ns + _NS
    return end_ns <= min(seen_ns, heard_ns) or end_ns < now_ns - round(OVERDUE_S * NANOSECONDS)
