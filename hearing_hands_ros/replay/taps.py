"""The taps of a recording with the sound around them, for the lag of its microphone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.heard import HeardSound
from hearing_hands_ros.compare.lag import AROUND_S, EXPECTED_S
from hearing_hands_ros.compare.scoring.touch import RATE_HZ
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.checked import predict_checked
from hearing_hands_ros.predictors.protocol import Contact, Prediction, Predictor
from hearing_hands_ros.predictors.touch_windows import TouchWindows
from hearing_hands_ros.replay.recording import Moment

RING_S = 20.0
"""So much sound is kept; the longest touch and what is around it are shorter."""

OVERDUE_S = 5.0
"""Sound that is later than this does not come any more."""


@dataclass(frozen=True, eq=False)
class TapSound:
    """A tap and the sound around it.

    Attributes:
        contact: The tap.
        heard: Samples at 16 kHz from `AROUND_S` before its begin to `AROUND_S` after it; None if some were lost.
        expected: Predicted samples from `EXPECTED_S` before its begin to `EXPECTED_S` after it; None without a model.
    """

    contact: Contact
    heard: NDArray[np.float32] | None
    expected: NDArray[np.float32] | None


def tap_sounds(
    recorded: Iterable[Moment], predictor: Predictor | None, lead_s: float, tail_s: float
) -> Iterator[TapSound]:
    """Yield the taps of a recording whose sound is in it; those at its very begin and end are left out.

    Args:
        recorded: The recording.
        predictor: Says what sound is expected; None for none.
        lead_s: Predicted before a tap; no less than `EXPECTED_S`.
        tail_s: Predicted after it.
    """
    windows = TouchWindows(max(lead_s, 2.0 * EXPECTED_S), tail_s)
    ring = HeardSound(RATE_HZ, RING_S)
    waiting: deque[tuple[Contact, NDArray[np.float32] | None]] = deque()
    around_ns = round(AROUND_S * NANOSECONDS)
    heard_from_ns: int | None = None
    for moment in recorded:
        for block in moment.sound:
            assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
            heard_from_ns = block.stamp_ns if heard_from_ns is None else heard_from_ns
            ring.push(block.stamp_ns, block.data.reshape(-1, block.channels), block.sample_rate_hz, block.lost)
        for seen in moment.hands:
            for window in windows.of(seen.motion, seen.ended):
                contact = window.contacts[-1]
                if contact.kind == "tap" and heard_from_ns is not None and contact.start_ns > heard_from_ns + around_ns:
                    expected = (
                        None if predictor is None else _expected(predict_checked(predictor, [window.candidate])[0])
                    )
                    waiting.append((contact, expected))
        while waiting:
            due_ns = waiting[0][0].start_ns + around_ns + NANOSECONDS // RATE_HZ
            if (ring.until_ns or 0) < due_ns and moment.now_ns < due_ns + round(OVERDUE_S * NANOSECONDS):
                break
            contact, expected = waiting.popleft()
            samples, received = ring.segment(contact.start_ns - around_ns, 2 * round(AROUND_S * RATE_HZ))
            yield TapSound(contact, samples if received.all() else None, expected)


def _expected(prediction: Prediction) -> NDArray[np.float32]:
    """The predicted sound around the begin of the newest contact."""
    since_s = (prediction.contacts[-1].start_ns - prediction.start_ns) / NANOSECONDS - EXPECTED_S
    first, length = round(since_s * RATE_HZ), 2 * round(EXPECTED_S * RATE_HZ)
    samples = np.zeros(length, np.float32)
    low, high = max(first, 0), min(first + length, len(prediction.audio))
    samples[low - first : high - first] = prediction.audio[low:high]
    return samples
