"""What is measured of each item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.item import Item
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.metrics.centroid import centroid_error_octaves
from hearing_hands_ros.sound.metrics.envelope import envelope_distance
from hearing_hands_ros.sound.metrics.loudness import level_error_db
from hearing_hands_ros.sound.metrics.onset import OnsetCounts, TrueOnsets, match_onsets
from hearing_hands_ros.sound.metrics.spectral import stft_distance
from hearing_hands_ros.sound.onsets import OnsetConfig, find_onsets
from hearing_hands_ros.train.evaluation.tally import Tally
from hearing_hands_ros.train.evaluation.touches import EDGE_S, heard, segment


@dataclass(frozen=True)
class Measure:
    """A column of the table.

    Attributes:
        key: Its name in the JSON file.
        title: Its name for people.
        higher: Whether more is better.
        percent: Whether it is a share.
    """

    key: str
    title: str
    higher: bool
    percent: bool = False


MEASURES = (
    Measure("stft", "STFT distance", higher=False),
    Measure("envelope", "envelope distance", higher=False),
    Measure("onset_f1", "onset F1", higher=True),
    Measure("onset_f1_all", "onset F1, hidden touches too", higher=True),
    Measure("level_db", "level error, dB", higher=False),
    Measure("centroid_octaves", "centroid error, octaves", higher=False),
    Measure("material", "material", higher=True, percent=True),
    Measure("kind", "tap or slide", higher=True, percent=True),
    Measure("action", "action", higher=True, percent=True),
    Measure("frechet", "Fréchet distance", higher=False),
)


def onsets(wave: NDArray[np.float32], sample_rate_hz: int) -> list[float]:
    """Onsets where touches are judged, s."""
    last_s = wave.size / sample_rate_hz - EDGE_S
    found = find_onsets(wave, OnsetConfig(sample_rate_hz=sample_rate_hz))
    return [onset for onset in found if EDGE_S <= onset <= last_s]


def signal_measures(
    item: Item, true_onsets: Sequence[float], wave: NDArray[np.float32], sequence: SequenceConfig
) -> dict[str, Tally]:
    """Measures that need no embedding.

    Distances are taken of items in which something is touched: of a room in which nothing happens every sound is
    infinitely far. Onsets are counted in all.

    Args:
        item: With the true sound and the touches.
        true_onsets: What `onsets` finds in the true sound.
        wave: (L,) predicted sound, of the length of the true one.
        sequence: Rates and bands of both.

    Returns:
        Tallies by the keys of `MEASURES`.
    """
    rate = sequence.sample_rate_hz
    touches = heard(item, rate)
    starts = [touch.start_s for touch in touches]
    predicted = onsets(wave, rate)
    result = {
        "onset_f1": _f1(match_onsets(TrueOnsets.of(starts, true_onsets), predicted)),
        "onset_f1_all": _f1(match_onsets(starts, predicted)),
    }
    errors: list[tuple[str, float]] = []
    if touches:
        errors.append(("stft", stft_distance(item.audio, wave, sequence)))
        errors.append(("envelope", envelope_distance(item.audio, wave, rate)))
    for touch in touches:
        truth, guess = segment(item.audio, touch, rate), segment(wave, touch, rate)
        if truth is not None and guess is not None:
            errors.append(("level_db", level_error_db(truth, guess, rate)))
            errors.append(("centroid_octaves", centroid_error_octaves(truth, guess, rate)))
    for key, error in errors:
        if not math.isnan(error):
            result[key] = result.get(key, Tally()) + Tally(error, 1.0)
    return result


def _f1(counts: OnsetCounts) -> Tally:
    return Tally(2.0 * counts.hits, 2.0 * counts.hits + counts.missed + counts.extra)
