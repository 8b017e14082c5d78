"""How long the comparator waits for what."""

from __future__ import annotations

from dataclasses import dataclass

from hearing_hands_ros.compare.scoring.touch import SEGMENT_S


@dataclass(frozen=True)
class ComparatorSettings:
    """Times of the comparator, s.

    Attributes:
        microphone_lag_s: Heard minus true time of a sound; removed before anything is compared.
        search_s: An onset this far from its touch still belongs to it.
        segment_s: Sound after a touch's begin that is waited for before it is judged.
        rings_s: For this long after a touch's end, another onset may be part of its sound.
        prediction_wait_s: How long after its end a touch waits for a prediction.
        heard_wait_s: How long after it should be there the sound of a touch is waited for.
        news_s: The tracker tells at once that a touch has begun; after this, no news is that none has.
        hands_wait_s: How long an unexplained onset waits for word of where the hands were.
    """

    microphone_lag_s: float = 0.0
    search_s: float = 0.05
    segment_s: float = SEGMENT_S
    rings_s: float = 0.6
    prediction_wait_s: float = 1.5
    heard_wait_s: float = 1.0
    news_s: float = 0.08
    hands_wait_s: float = 1.5
