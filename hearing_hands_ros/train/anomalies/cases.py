"""Normal and anomalous touches in noise, as a comparator would get them.

The noise is that of a room: its spectrum falls, and it hums now and then. SNR is the mean square of the loudest 50 ms
of the touch as it was recorded, over the mean square of all noise: that of its recording and what is added. An anomaly
is heard in the noise of the touch that it stands for: a weaker one, or none, is in the same room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, HeardTouch
from hearing_hands_ros.predictors.protocol import Prediction
from hearing_hands_ros.sound.onsets import find_onsets
from hearing_hands_ros.train.anomalies import kinds
from hearing_hands_ros.train.anomalies.takes import Take
from hearing_hands_ros.train.simulator.sounds import room

SNRS_DB: Final = (20.0, 10.0, 5.0)
GAIN_JITTER_DB: Final = 1.0  # of the microphone, from touch to touch
LAG_JITTER_S: Final = 0.005
SEARCH_S: Final = 0.05
LEAST_ROOM_SHARE: Final = 0.1  # of the noise that is added: a recording never has all of it


@dataclass(frozen=True, eq=False)
class Case:
    """One touch to be scored.

    Attributes:
        scene: Where it was.
        anomaly: `kinds.NORMAL` or one of `kinds.ANOMALIES`.
        snr_db: In which noise.
        touch: What a comparator gets.
    """

    scene: str
    anomaly: str
    snr_db: float
    touch: HeardTouch


def cases(
    takes: Sequence[Take],
    predictions: Sequence[Prediction],
    snr_db: float,
    seed: int = 0,
    anomalies: Sequence[str] = kinds.ANOMALIES,
) -> Iterator[Case]:
    """Each touch as it is, and with every anomaly.

    Args:
        takes: Touches of a split; those that are less than `snr_db` over their own room are left out.
        predictions: Of the items, by number.
        snr_db: Of all cases.
        seed: Another one draws other noise, other materials, other times.
        anomalies: Which.

    Yields:
        For each touch the normal case, then one for each anomaly.
    """
    for number, take in enumerate(takes):
        noise_power = take.power * 10.0 ** (-snr_db / 10.0)
        if take.room_power > (1.0 - LEAST_ROOM_SHARE) * noise_power:
            continue
        for anomaly in (kinds.NORMAL, *anomalies):
            order = (kinds.NORMAL, *kinds.ANOMALIES).index(anomaly)
            rng = np.random.default_rng([seed, round(snr_db), number, order])
            sound = _sound(anomaly, take, takes, rng, snr_db)
            sound = kinds.delayed(sound, round(rng.normal(0.0, LAG_JITTER_S) * RATE_HZ))
            samples = in_noise(sound, noise_power, rng) * 10.0 ** (rng.normal(0.0, GAIN_JITTER_DB) / 20.0)
            yield Case(
                take.scene, anomaly, snr_db, heard_touch(samples.astype(np.float32), predictions[take.item], take)
            )


def heard_touch(samples: NDArray[np.float32], prediction: Prediction, take: Take) -> HeardTouch:
    """What a comparator makes of samples: it looks for an onset near the touch."""
    near = [t for t in find_onsets(samples) if abs(t - LEAD_S) <= SEARCH_S]
    onset_s = min(near, key=lambda t: abs(t - LEAD_S), default=None)
    return HeardTouch(samples, prediction, take.contact, onset_s, take.until_s)


def _sound(anomaly: str, take: Take, takes: Sequence[Take], rng: np.random.Generator, snr_db: float) -> kinds.Sound:
    if anomaly == kinds.WRONG:
        return kinds.other_material(take, takes, rng, snr_db)
    if anomaly == kinds.MISSING:
        return kinds.missing(take)
    if anomaly == kinds.EXTRA:
        return kinds.extra_tap(take, takes, rng)
    if anomaly == kinds.WEAKER:
        return kinds.weaker(take)
    if anomaly == kinds.LATER:
        return kinds.later(take, rng)
    if anomaly == kinds.RATTLE:
        return kinds.with_rattle(take, rng)
    return kinds.normal(take)


def in_noise(sound: kinds.Sound, noise_power: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Fill up the room's noise to `noise_power`."""
    added = max(noise_power - sound.room_power, 1e-3 * noise_power)
    return sound.samples + room(sound.samples.size, RATE_HZ, float(10.0 * np.log10(added)), rng)
