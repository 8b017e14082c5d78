"""What a microphone hears of gestures: the voices of the touched things at the true times of touch, and the room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.train.simulator.effectors import Effector
from hearing_hands_ros.train.simulator.gestures import Gesture
from hearing_hands_ros.train.simulator.voices import Voice

Wave = NDArray[np.float32]

REFERENCE_MPS: Final = 0.5
REFERENCE_DBFS: Final = -26.0  # loudest 50 ms of a touch at that speed
GAIN_LIMIT_DB: Final = 18.0
SPEED_TILT_DB: Final = 0.8  # a touch twice as fast is brighter by this an octave
JITTER_DB: Final = 1.5
LANDING_DB: Final = -4.0  # of the beginning of a slide against a tap of that speed
LOUDEST: Final = 0.98
NOISE_DBFS: Final = (-75.0, -50.0)


def hear(
    hands: Sequence[tuple[Effector, Sequence[Gesture]]],
    voices: Sequence[Voice],
    span_s: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Wave, set[str]]:
    """The sound of gestures in a span of time.

    Args:
        hands: What touches, and what it does.
        voices: Of the patches, by number.
        span_s: First second and the one after the last; sounds from before ring into it.
        rng: Of everything that differs between equal touches, and of the room.

    Returns:
        (L,) samples within full scale, and the groups of the recordings in it.
    """
    rate = voices[0].rate_hz
    signal = np.zeros(round((span_s[1] - span_s[0]) * rate))
    groups: set[str] = set()

    def lay(wave: NDArray[np.floating], onset: int, at_s: float, gain_db: float, group: str) -> None:
        start = round((at_s - span_s[0]) * rate) - onset
        first, last = max(0, start), min(len(signal), start + len(wave))
        if last > first:
            signal[first:last] += 10.0 ** (gain_db / 20.0) * wave[first - start : last - start]
            groups.add(group)

    for effector, gestures in hands:
        for gesture in gestures:
            if not gesture.touches:
                continue
            voice = voices[gesture.patch]
            voice.new_spot()
            slides = gesture.kind in ("slide", "scratch")
            spot_db = voice.level_db + rng.normal(0.0, JITTER_DB)
            for stroke in gesture.strokes:
                hit = voice.strike(_tilt_db(effector, stroke.speed_mps), rng)
                gain = spot_db + _gain_db(stroke.speed_mps) + rng.normal(0.0, 0.5) + (LANDING_DB if slides else 0.0)
                lay(hit.wave, hit.onset, stroke.start_s, gain, hit.group)
            if slides:
                first = gesture.strokes[0]
                time_s = first.start_s + np.arange(round(first.dwell_s * rate)) / rate
                speeds = gesture.speed_mps(time_s)
                hit = voice.slide(speeds, _tilt_db(effector, float(speeds.mean())), rng)
                lay(hit.wave, 0, first.start_s, spot_db + REFERENCE_DBFS - 20.0 * np.log10(REFERENCE_MPS), hit.group)
    signal += room(len(signal), rate, float(rng.uniform(*NOISE_DBFS)), rng)
    return np.asarray(signal * min(1.0, LOUDEST / float(np.abs(signal).max())), np.float32), groups - {""}


def room(length: int, rate_hz: int, level_dbfs: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(L,) noise that falls with frequency, sometimes with mains hum, of a level as root mean square."""
    frequency = np.fft.rfftfreq(length, 1.0 / rate_hz)
    colour = np.maximum(frequency, 50.0) ** -rng.uniform(0.2, 0.9) * (frequency > 25.0)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * colour, length)
    noise /= noise.std()
    if rng.random() < 0.25:
        time = np.arange(length) / rate_hz
        for harmonic, strength in enumerate(rng.uniform(0.0, 0.4, 3), start=1):
            noise += strength * np.sin(2 * np.pi * 50.0 * harmonic * time + rng.uniform(0, 2 * np.pi))
    return np.asarray(noise / noise.std() * 10.0 ** (level_dbfs / 20.0))


def _gain_db(speed_mps: float) -> float:
    """Level of a touch: its energy grows with the square of its speed."""
    gain = 20.0 * np.log10(max(speed_mps, 1e-3) / REFERENCE_MPS)
    return REFERENCE_DBFS + float(np.clip(gain, -GAIN_LIMIT_DB, GAIN_LIMIT_DB))


def _tilt_db(effector: Effector, speed_mps: float) -> float:
    """Brightness an octave: soft and slow touches are dull."""
    return (
        float(np.clip(SPEED_TILT_DB * np.log2(max(speed_mps, 1e-2) / REFERENCE_MPS), -2.0, 1.0)) - effector.softness_db
    )
