"""What can be wrong with the sound of a touch.

Every anomaly takes a touch as it was recorded and gives a sound of the same length. Levels and times are drawn from the
ranges at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.compare.scoring.touch import LEAD_S, RATE_HZ
from hearing_hands_ros.train.anomalies.takes import Take

NORMAL: Final = "normal"
WRONG: Final = "wrong material"
MISSING: Final = "missing"
EXTRA: Final = "extra"
WEAKER: Final = "weaker"
LATER: Final = "later"
RATTLE: Final = "motor rattle"
ANOMALIES: Final = (WRONG, MISSING, EXTRA, WEAKER, LATER, RATTLE)

WEAKER_DB: Final = -12.0
LATER_S: Final = (0.08, 0.15)
EXTRA_S: Final = (0.15, 0.4)  # after the begin of the touch, and 0.1 s or more after its end
EXTRA_EARLY_S: Final = (-0.25, -0.1)  # before what lasts longer
EXTRA_DB: Final = (-6.0, 0.0)  # against the touch
RATTLE_S: Final = (-0.1, 0.1)  # its begin, against the touch
RATTLE_LASTS_S: Final = (0.3, 0.6)
RATTLE_DB: Final = (-6.0, 0.0)
MOTOR_HZ: Final = (50.0, 200.0)
BEAT_HZ: Final = (8.0, 30.0)
NEAREST: Final = 5  # recordings of a material among which one is drawn
BEFORE_S: Final = 0.02  # of an extra tap: what is heard of it before its touch was tracked

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sound:
    """What a microphone would hear, less the noise that is added later.

    Attributes:
        samples: (L,), the touch expected `LEAD_S` in.
        room_power: Mean square of the noise that the recordings bring along.
    """

    samples: Array
    room_power: float


def normal(take: Take) -> Sound:
    """The touch."""
    return Sound(take.samples.astype(np.float64), take.room_power)


def other_material(take: Take, takes: Sequence[Take], rng: np.random.Generator, snr_db: float) -> Sound:
    """The sound of another material, as loud as the touch: the recording of a touch of the same kind.

    The material is drawn first, then one of its recordings that are nearest in speed and length, and that are `snr_db`
    or more over their own room.

    Raises:
        ValueError: There is none.
    """
    clear = [t for t in takes if t.contact.kind == take.contact.kind and t.snr_db >= snr_db]
    materials = sorted({t.contact.material for t in clear} - {take.contact.material})
    if not materials:
        raise ValueError(f"other_material: wanted a {take.contact.kind} not on {take.contact.material}, got none")
    material = materials[int(rng.integers(len(materials)))]
    near = sorted((t for t in clear if t.contact.material == material), key=lambda t: _unlike(t, take))[:NEAREST]
    chosen = near[int(rng.integers(len(near)))]
    gain = take.power / chosen.power
    return Sound(_fitted(chosen.samples, take.samples.size) * np.sqrt(gain), chosen.room_power * gain)


def missing(take: Take) -> Sound:
    """Nothing."""
    return Sound(np.zeros(take.samples.size), 0.0)


def extra_tap(take: Take, takes: Sequence[Take], rng: np.random.Generator) -> Sound:
    """The touch, and a tap that nobody did, at a time when nothing touches: after it, or before if it lasts.

    Raises:
        ValueError: There is no tap in another scene.
    """
    taps = [t for t in takes if t.contact.kind == "tap" and t.scene != take.scene]
    if not taps:
        raise ValueError("extra_tap: wanted a tap in another scene, got none")
    tap = taps[int(rng.integers(len(taps)))]
    gain = np.sqrt(take.power / tap.power) * 10.0 ** (rng.uniform(*EXTRA_DB) / 20.0)
    first_s, last_s = max(EXTRA_S[0], take.contact.duration_s + 0.1), EXTRA_S[1]
    if first_s >= last_s:
        first_s, last_s = EXTRA_EARLY_S
    onset = round((LEAD_S - BEFORE_S) * RATE_HZ)
    at = onset + round(rng.uniform(first_s, last_s) * RATE_HZ)
    return Sound(take.samples + gain * shifted(tap.samples[onset:], at, take.samples.size), take.room_power)


def weaker(take: Take) -> Sound:
    """The touch, with less force."""
    gain = 10.0 ** (WEAKER_DB / 20.0)
    return Sound(take.samples * gain, take.room_power * gain**2)


def later(take: Take, rng: np.random.Generator) -> Sound:
    """The touch, after its time."""
    return delayed(normal(take), round(rng.uniform(*LATER_S) * RATE_HZ))


def with_rattle(take: Take, rng: np.random.Generator) -> Sound:
    """The touch, while a motor rattles."""
    sound = rattle(round(rng.uniform(*RATTLE_LASTS_S) * RATE_HZ), rng)
    gain = np.sqrt(take.power) * 10.0 ** (rng.uniform(*RATTLE_DB) / 20.0)
    at = round((LEAD_S + rng.uniform(*RATTLE_S)) * RATE_HZ)
    return Sound(take.samples + gain * shifted(sound, at, take.samples.size), take.room_power)


def rattle(length: int, rng: np.random.Generator) -> Array:
    """(L,) a rattling motor, 1 as root mean square: harmonics of its turning, hiss, both beating."""
    time_s = np.arange(length) / RATE_HZ
    turning_hz = rng.uniform(*MOTOR_HZ)
    harmonics = np.arange(1, int(4000.0 / turning_hz))
    strength = harmonics ** -rng.uniform(0.3, 1.2) * rng.exponential(1.0, harmonics.size)
    phase = rng.uniform(0, 2 * np.pi, harmonics.size)
    tone = np.cos(2 * np.pi * turning_hz * harmonics[:, None] * time_s + phase[:, None]).T @ strength
    hiss = rng.normal(size=length) * float(tone.std()) * rng.uniform(0.2, 1.0)
    beat = 0.5 + 0.5 * np.tanh(3.0 * np.sin(2 * np.pi * rng.uniform(*BEAT_HZ) * time_s + rng.uniform(0, 2 * np.pi)))
    sound = (tone + hiss) * (0.2 + 0.8 * beat) * np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.02)
    return np.asarray(sound / np.sqrt(np.mean(sound**2)))


def delayed(sound: Sound, by: int) -> Sound:
    """A sound that begins `by` samples later (earlier if negative); its edge is mirrored, so that the room goes on."""
    size = sound.samples.size
    mirrored = np.pad(sound.samples, abs(by), mode="reflect")
    return Sound(mirrored[abs(by) - by :][:size], sound.room_power)


def shifted(wave: NDArray[np.floating], by: int, length: int) -> Array:
    """(length,) a wave that begins `by` samples later (earlier if negative); silence where it is not."""
    result = np.zeros(length)
    first, last = max(0, by), min(length, by + wave.size)
    if last > first:
        result[first:last] = wave[first - by : last - by]
    return result


def _fitted(wave: NDArray[np.floating], length: int) -> Array:
    return shifted(wave, 0, length)


def _unlike(a: Take, b: Take) -> float:
    """How far two touches are apart in speed and length, both logarithmic."""
    slide = a.contact.kind == "slide"
    speeds = [c.slide_speed_mps if slide else c.approach_speed_mps for c in (a.contact, b.contact)]
    lengths = [c.duration_s for c in (a.contact, b.contact)] if slide else [1.0, 1.0]
    pairs = [np.log(max(x, 1e-2) / max(y, 1e-2)) for x, y in (speeds, lengths)]
    return float(np.hypot(*pairs))
