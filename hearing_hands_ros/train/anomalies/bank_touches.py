"""Normal touches out of a bank: each recording as heard in a quiet room, and as the others predict it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ, HeardTouch
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors import example_bank
from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank, Exemplar
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sound.onsets import find_onsets

NEAR_S = 0.05


def in_room(
    exemplar: Exemplar, lead_s: float, snr_db: float, generator: np.random.Generator, gain_db: float = 0.0
) -> NDArray[np.float32]:
    """An exemplar as a microphone in a quiet room would hear it.

    Args:
        exemplar: Its loudest 50 ms are at 0 dB.
        lead_s: Room noise before the onset.
        snr_db: Loudest 50 ms over the room's noise (low-passed noise, as rooms have).
        generator: For the noise.
        gain_db: Of the microphone.

    Returns:
        (L,) samples; the onset is at `lead_s`, and the exemplar is followed by 0.5 s of noise.
    """
    lead = round((lead_s - example_bank.LEAD_S) * RATE_HZ)
    noise = lfilter([0.3], [1.0, -0.7], generator.normal(0.0, 1.0, lead + exemplar.wave.size + RATE_HZ // 2))
    noise *= 10.0 ** (-snr_db / 20.0) / noise.std()
    noise[lead : lead + exemplar.wave.size] += exemplar.wave
    heard: NDArray[np.float32] = (noise * 10.0 ** ((gain_db - 20.0) / 20.0)).astype(np.float32)
    return heard


def one_touch(material: str, kind: str, start_ns: int, speed_mps: float = 0.5) -> HandMotion:
    """One second of a right hand at rest that touches `material` 0.3 s in."""
    at = start_ns + 3 * NANOSECONDS // 10
    contact = Contact(
        start_ns=at,
        end_ns=at + NANOSECONDS // (2 if kind == "slide" else 50),
        hand=1,
        material=material,
        position_m=(0.0, 0.0, 0.0),
        normal=(0.0, 0.0, 1.0),
        approach_speed_mps=speed_mps,
        slide_speed_mps=speed_mps if kind == "slide" else 0.0,
        kind="slide" if kind == "slide" else "tap",
    )
    frames = 30
    keypoints = np.zeros((frames, len(HANDS), KEYPOINTS, 3), dtype=np.float32)
    return HandMotion(start_ns, 30.0, keypoints, np.ones((frames, len(HANDS)), dtype=np.bool_), (contact,))


def touches_of_bank(
    bank: ExampleBank, snr_db: float = 30.0, gain_db: float = 6.0, seed: int = 0, speed_mps: float = 0.5
) -> list[HeardTouch]:
    """Every recording of a bank, predicted by the bank without its group.

    Args:
        bank: The recordings.
        snr_db: Loudest 50 ms over the room's noise.
        gain_db: The microphone's gain is drawn from plus and minus this.
        seed: For gains, noise and the times of the touches.
        speed_mps: Of all touches.

    Returns:
        One touch an exemplar, in random order; groups that are all a bank has of a material and kind are left out.
    """
    found = []
    for number, group in enumerate(sorted({e.group for e in bank.exemplars})):
        rest = bank.without(group)
        predictor = ExamplePredictor(rest)
        for i, exemplar in enumerate(bank.exemplars):
            if exemplar.group != group or not rest.of(exemplar.material, exemplar.kind):
                continue
            generator = np.random.default_rng([seed, number, i])
            heard = in_room(exemplar, LEAD_S, snr_db, generator, generator.uniform(-gain_db, gain_db))
            motion = one_touch(exemplar.material, exemplar.kind, int(generator.integers(0, 10**15)), speed_mps)
            contact = motion.contacts[0]
            near = [at for at in find_onsets(heard) if abs(at - LEAD_S) <= NEAR_S]
            onset_s = min(near, key=lambda at: abs(at - LEAD_S), default=None)
            touch = HeardTouch(heard, predictor.predict([motion])[0], contact, onset_s)
            found.append(touch.judged())
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[i] for i in order]
