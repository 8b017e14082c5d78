"""Recordings of a robot whose microphone and room no shipped model has met, to fine-tune one on.

    python -m hearing_hands_ros.demo.robot FOLDER

writes FOLDER/learn_1.mcap to learn_10.mcap and held_1.mcap to held_12.mcap, a minute and a half each: taps and slides
of a hand on the demo's bench. Scene, motion, microphone, room and noise are simulated; impacts are recordings: those of
`demo/bank` in what is to be learnt from, those of `demo/held_out` in what is held out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.status import Status
from scipy.signal import fftconvolve

from hearing_hands_ros.demo import heard, motion
from hearing_hands_ros.demo.build import record
from hearing_hands_ros.demo.normal import QUIET_S, SLIDES_S
from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

RECORDINGS: Final = (("learn", "bank", range(201, 211)), ("held", "held_out", range(301, 313)))
"""What the files are called, where their impacts are from, and the seeds of their motions."""

SEED: Final = 5
GAIN_DB: Final = -6.0
PEAKS: Final = ((2700.0, 0.45, 9.0), (900.0, 0.6, -7.0))
"""Of the microphone in its housing: Hz, width in octaves, dB."""

LOWEST_HZ, HIGHEST_HZ = 180.0, 5200.0
REVERBERATION_S: Final = 0.4  # until it has fallen by 60 dB
TAIL_DB: Final = -3.0  # of the reverberation against what comes straight
ECHOES: Final = ((0.0021, 0.5), (0.0037, -0.35), (0.0064, 0.3))
"""Off the bench and the robot: s, strength."""

FAN_HZ: Final = 118.0
NOISE_DBFS: Final = -52.0
LEAD_S: Final = 0.004  # by which a response begins before its peak
LOUDEST: Final = 0.98


def record_robot(demo: Path, bag: Path, sounds: str, seed: int) -> None:
    """Write a recording.

    Args:
        demo: Folder of the demo.
        bag: File to write.
        sounds: Folder in `demo` whose impacts are heard.
        seed: Of motion, sounds and noise.
    """
    events = motion.plan(seed, SLIDES_S, pauses=0)
    rows = heard.recordings(demo / sounds)
    duration_s = motion.duration_s(events) + QUIET_S
    wave = heard.mix(events, heard.cast_normal(events, rows, seed), demo / sounds, rows, duration_s, seed)
    wave = through_robot(wave, heard.RATE_HZ, np.random.default_rng(seed))
    record(bag, events, wave, SplatSurface(SceneBundle.load(demo / "scene")), lambda _: None)


def through_robot(wave: NDArray[np.float32], rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What the robot's microphone hears in its room of a sound that was recorded close and dry.

    Args:
        wave: (L,) samples.
        rate_hz: Of it.
        rng: Of the noise; microphone and room are always the same.

    Returns:
        (L,) samples within full scale.
    """
    lead = round(LEAD_S * rate_hz)
    wet = fftconvolve(wave.astype(np.float64), response(rate_hz))[lead : lead + len(wave)]
    wet += _noise(len(wave), rate_hz, rng) * 10.0 ** (NOISE_DBFS / 20.0)
    return np.asarray(wet * min(1.0, LOUDEST / float(np.abs(wet).max())), np.float32)


def response(rate_hz: int) -> NDArray[np.float64]:
    """Impulse response of room and microphone; what comes straight arrives `LEAD_S` in."""
    size = round(0.1 * rate_hz)
    frequency = np.fft.rfftfreq(size, 1.0 / rate_hz).clip(min=1.0)
    gain_db = GAIN_DB - 10.0 * np.log10(1.0 + (LOWEST_HZ / frequency) ** 4)
    gain_db -= 10.0 * np.log10(1.0 + (frequency / HIGHEST_HZ) ** 6)
    for peak_hz, octaves, peak_db in PEAKS:
        gain_db += peak_db * np.exp(-((np.log2(frequency / peak_hz) / octaves) ** 2))
    microphone = np.roll(np.fft.irfft(10.0 ** (gain_db / 20.0), size), round(LEAD_S * rate_hz))
    return np.asarray(fftconvolve(microphone, _room(rate_hz)))


def _room(rate_hz: int) -> NDArray[np.float64]:
    """What comes straight, first echoes, and reverberation that is duller than both."""
    time_s = np.arange(round(1.2 * REVERBERATION_S * rate_hz)) / rate_hz
    tail = np.random.default_rng(SEED).normal(size=len(time_s)) * 10.0 ** (-3.0 * time_s / REVERBERATION_S)
    frequency = np.fft.rfftfreq(len(tail), 1.0 / rate_hz)
    tail = np.fft.irfft(np.fft.rfft(tail) / np.sqrt(1.0 + (frequency / 2500.0) ** 2), len(tail))
    tail[time_s < LEAD_S] = 0.0
    tail *= 10.0 ** (TAIL_DB / 20.0) / np.sqrt((tail**2).sum())
    tail[0] += 1.0
    for at_s, strength in ECHOES:
        tail[round(at_s * rate_hz)] += strength
    return np.asarray(tail)


def _noise(length: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(L,) hiss that falls with frequency, a fan's hum and its whirr, 1 as root mean square."""
    frequency = np.fft.rfftfreq(length, 1.0 / rate_hz)
    colour = np.maximum(frequency, 60.0) ** -0.5 * (1.0 + 4.0 * np.exp(-(((frequency - 1200.0) / 150.0) ** 2)))
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=length)) * colour, length)
    noise /= noise.std()
    time_s = np.arange(length) / rate_hz
    for harmonic in (1, 2, 3):
        turning = 2.0 * np.pi * FAN_HZ * harmonic * time_s + rng.uniform(0.0, 2.0 * np.pi)
        noise += 0.5 / harmonic * np.sin(turning)
    return np.asarray(noise / noise.std())


def main(arguments: list[str]) -> int:
    """Command line: FOLDER."""
    if len(arguments) != 1:
        print("usage: python -m hearing_hands_ros.demo.robot FOLDER", file=sys.stderr)
        return 2
    folder, demo = Path(arguments[0]), share_directory() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with Status("", console=Console(stderr=True)) as status:
        for name, sounds, seeds in RECORDINGS:
            for number, seed in enumerate(seeds, start=1):
                status.update(f"making {name}_{number} of {len(seeds)}")
                record_robot(demo, folder / f"{name}_{number}.mcap", sounds, seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
