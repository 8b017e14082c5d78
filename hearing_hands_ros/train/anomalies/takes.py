"""Touches of a dataset that can be heard alone, each cut out with what comes before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.protocol import Contact
from hearing_hands_ros.sound.metrics.loudness import LOUDEST_S
from hearing_hands_ros.train.evaluation.touches import heard

HEARD_S = 0.6
"""Of each touch, if it is not longer itself: what a comparator judges of it, and the begin of what it hears after."""

LONGEST_S = 2.0
QUIET_SHARE = 0.1
"""The room is as loud as the quietest tenth of an item."""

LEAST_SNR_DB = 5.0

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Take:
    """A touch as it was recorded.

    Attributes:
        item: Number of its item.
        scene: Of the item.
        contact: The touch.
        samples: (L,) from `LEAD_S` before the touch on.
        power: Mean square of its loudest 50 ms, without the room's.
        room_power: Mean square of the room.
        until_s: Where in `samples` the next touch begins; None if none does.
    """

    item: int
    scene: str
    contact: Contact
    samples: Array
    power: float
    room_power: float
    until_s: float | None

    @property
    def snr_db(self) -> float:
        """Loudest 50 ms over the room's noise, dB."""
        return float(10.0 * np.log10(self.power / max(self.room_power, 1e-12)))


def takes_of(number: int, item: Item) -> list[Take]:
    """Touches of an item that are alone, of known material, and `LEAST_SNR_DB` or more over the room.

    Args:
        number: Of the item.
        item: At 16 kHz.
    """
    room = float(np.quantile(_powers(item.audio), QUIET_SHARE))
    result = []
    for touch in heard(item, RATE_HZ):
        first = round((touch.start_s - LEAD_S) * RATE_HZ)
        span_s = min(max(HEARD_S, touch.contact.duration_s), LONGEST_S)
        samples = item.audio[max(first, 0) : round((touch.start_s + span_s) * RATE_HZ)]
        if first < 0 or not touch.alone or not touch.contact.material:
            continue
        until_s = touch.until_s - touch.start_s + LEAD_S
        inside = until_s < samples.size / RATE_HZ
        own = samples[: round(until_s * RATE_HZ)] if inside else samples
        power = float(_powers(own[round((LEAD_S - LOUDEST_S) * RATE_HZ) :]).max()) - room
        take = Take(number, item.scene, touch.contact, samples, max(power, 1e-12), room, until_s if inside else None)
        if take.snr_db >= LEAST_SNR_DB:
            result.append(take)
    return result


def _powers(wave: Array) -> NDArray[np.float64]:
    """Mean square of every stretch of 50 ms."""
    width = round(LOUDEST_S * RATE_HZ)
    total = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    return (total[width:] - total[:-width]) / width
