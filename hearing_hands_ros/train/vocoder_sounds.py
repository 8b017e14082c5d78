"""Sounds to train a vocoder on: recorded touches, made many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
import yaml
from numpy.typing import NDArray
from scipy.signal import lfilter

from hearing_hands_ros.sound.audio_file import read_audio

Wave = NDArray[np.float32]

SPEEDS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Speeds that each recording is kept at."""


def read_bank(folder: Path, sample_rate_hz: int, watch_every: int = 12) -> tuple[list[Wave], list[Wave]]:
    """Recordings to train on, and some to watch the training with.

    Args:
        folder: Holds `bank.yaml` and the recordings it names.
        sample_rate_hz: Of the result.
        watch_every: One group of so many is for watching.

    Returns:
        (L,) each; no group is on both sides.

    Raises:
        FileNotFoundError: There is no `bank.yaml`, or a recording is missing.
    """
    path = folder / "bank.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"read_bank: wanted bank.yaml, got nothing at {path}")
    lines = yaml.safe_load(path.read_text())["recordings"]
    watched = set(sorted({line["group"] for line in lines})[::watch_every])
    sides: tuple[list[Wave], list[Wave]] = ([], [])
    for line in lines:
        sides[line["group"] in watched].append(read_audio(folder / line["file"], sample_rate_hz))
    return sides


class TouchSounds:
    """Draws segments: recordings at other speeds and levels, some at once, grains in a row, ringing bodies.

    Args:
        recordings: (L,) each.
        sample_rate_hz: Of `recordings` and of what is drawn.
    """

    def __init__(self, recordings: Sequence[Wave], sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._recordings = [[_even(_at_speed(wave, speed)) for speed in SPEEDS] for wave in recordings]

    def draw(self, rng: np.random.Generator, samples: int) -> Wave:
        """One segment.

        Args:
            rng: Every choice is drawn from it.
            samples: L.

        Returns:
            (L,) in [-1, 1].
        """
        kind = rng.choice(["touches", "slide", "body"], p=[0.65, 0.15, 0.2])
        wave = getattr(self, f"_{kind}")(rng, samples)
        if rng.random() < 0.5:
            wave = _tilted(wave, rng.uniform(-0.6, 0.6))
        peak = np.abs(wave).max()
        if peak > 0:
            wave = wave * (10.0 ** (rng.uniform(-36.0, -0.5) / 20.0) / peak)
        if rng.random() < 0.6:
            wave = wave + _room_noise(rng, samples, self.sample_rate_hz)
        return np.clip(wave, -1.0, 1.0).astype(np.float32)

    def _recording(self, rng: np.random.Generator) -> Wave:
        speeds = self._recordings[rng.integers(len(self._recordings))]
        return speeds[rng.integers(len(speeds))]

    def _touches(self, rng: np.random.Generator, samples: int) -> Wave:
        """One to three recordings at random places; one may begin before the segment."""
        wave = np.zeros(samples, np.float32)
        for _ in range(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])):
            recording = self._recording(rng)
            _lay(wave, recording, int(rng.integers(-recording.size // 2, samples * 3 // 4)), _gain(rng, 18.0))
        return wave

    def _slide(self, rng: np.random.Generator, samples: int) -> Wave:
        """Many short grains of one recording, under a slow swell."""
        wave = np.zeros(samples, np.float32)
        recording = self._recording(rng)
        grains = max(2, int(rng.uniform(20.0, 200.0) * samples / self.sample_rate_hz))
        for begin in rng.integers(-512, samples, grains):
            size = min(int(rng.integers(256, 1600)), recording.size)
            at = int(rng.integers(0, recording.size - size + 1))
            _lay(wave, recording[at : at + size] * np.hanning(size).astype(np.float32), int(begin), _gain(rng, 12.0))
        knots = np.exp(rng.normal(0.0, 0.7, 6))
        return wave * np.interp(np.linspace(0.0, 5.0, samples), np.arange(6), knots).astype(np.float32)

    def _body(self, rng: np.random.Generator, samples: int) -> Wave:
        """Struck bodies: damped sinusoids with a short click, one to three strikes."""
        time_s = np.arange(samples) / self.sample_rate_hz
        count = int(rng.integers(3, 24))
        hz = np.exp(rng.uniform(np.log(80.0), np.log(0.48 * self.sample_rate_hz), count))
        damping = np.exp(rng.uniform(np.log(4.0), np.log(150.0))) * (hz / 1000.0) ** rng.uniform(0.0, 1.0)
        level = np.exp(rng.normal(0.0, 1.0, count)) * (hz / 500.0) ** rng.uniform(-1.0, 0.3)
        phase = rng.uniform(0.0, 2.0 * np.pi, count)
        ring = (
            level[:, None]
            * np.exp(-damping[:, None] * time_s)
            * np.sin(2 * np.pi * hz[:, None] * time_s + phase[:, None])
        ).sum(axis=0)
        click = rng.normal(0.0, 1.0, samples) * np.exp(-time_s * rng.uniform(200.0, 3000.0))
        strike = (ring / np.abs(ring).max() + rng.uniform(0.0, 0.7) * click).astype(np.float32)
        wave = np.zeros(samples, np.float32)
        for _ in range(rng.integers(1, 4)):
            _lay(wave, strike, int(rng.integers(-samples // 4, samples * 3 // 4)), _gain(rng, 12.0))
        return wave


def _gain(rng: np.random.Generator, span_db: float) -> float:
    """A factor of 0 to -`span_db`, its sign drawn too."""
    return float(rng.choice([-1.0, 1.0]) * 10.0 ** (-rng.uniform(0.0, span_db) / 20.0))


def _lay(wave: Wave, sound: Wave, begin: int, gain: float) -> None:
    """Add what of `sound` falls inside `wave`, in place."""
    first, last = max(0, begin), min(wave.size, begin + sound.size)
    if first < last:
        wave[first:last] += gain * sound[first - begin : last - begin]


def _at_speed(wave: Wave, speed: float) -> Wave:
    """The wave played `speed` times as fast."""
    return wave if speed == 1.0 else np.asarray(soxr.resample(wave, speed, 1.0), dtype=np.float32)


def _even(wave: Wave) -> Wave:
    """At a peak of 1."""
    return wave / max(float(np.abs(wave).max()), 1e-6)


def _tilted(wave: Wave, tilt: float) -> Wave:
    """Brighter (tilt > 0) or duller, by a first-order filter."""
    numerator, denominator = ([1.0, -tilt], [1.0]) if tilt > 0 else ([1.0], [1.0, tilt])
    return np.asarray(lfilter(numerator, denominator, wave), dtype=np.float32)


def _room_noise(rng: np.random.Generator, samples: int, sample_rate_hz: int) -> Wave:
    """Noise at -80 to -30 dB, its spectrum falling with frequency, at times with a hum."""
    noise = lfilter([1.0], [1.0, -rng.uniform(0.0, 0.97)], rng.normal(0.0, 1.0, samples))
    noise *= 10.0 ** (rng.uniform(-80.0, -30.0) / 20.0) / np.sqrt(np.mean(noise**2))
    if rng.random() < 0.3:
        hum = np.sin(
            2 * np.pi * rng.choice([50.0, 60.0, 100.0, 120.0]) * np.arange(samples) / sample_rate_hz
            + rng.uniform(0.0, 6.0)
        )
        noise += hum * 10.0 ** (rng.uniform(-80.0, -40.0) / 20.0)
    return np.asarray(noise, dtype=np.float32)
