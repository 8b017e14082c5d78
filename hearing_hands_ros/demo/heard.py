"""What the demo's microphone heard: held-out recordings laid on the touches, room noise, and planted anomalies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from hearing_hands_ros.demo.motion import Event
from hearing_hands_ros.sound.audio_file import read_audio

Wave = NDArray[np.float32]

RATE_HZ: Final = 22050
MICROPHONE_LAG_S: Final = 0.012  # from the touch to the stamp of its sound: way through the air and the sound card
NOISE_DB: Final = -30.0  # room noise against the median touch, both as root mean square of 50 ms
WRONG: Final = (("wood", "metal"), ("metal", "wood"), ("stone", "gravel"), ("sand", "metal"), ("grass", "wood"))
MISSING: Final = ("gravel", "stone", "wood")
EXTRA: Final = ("metal", "stone", "wood")
QUIETEN: Final = 0.8  # of every recording, so that no sum clips
JITTER_S: Final = 0.002
REFERENCE_SPEED_MPS: Final = 0.35
LONGEST_S: Final = 1.4


@dataclass(frozen=True)
class Sound:
    """One recording in the mix.

    Attributes:
        at_s: When its onset is, in microphone time without the lag, since the bag's start.
        recording: Path in the held-out folder.
        material: Of the recording.
        gain_db: Applied to the recording as it is.
        jitter_s: Part of `at_s` that is chance.
        anomaly: 'none', 'wrong_material' or 'extra_sound'.
        event: Number of the event that it belongs to.
    """

    at_s: float
    recording: str
    material: str
    gain_db: float
    jitter_s: float
    anomaly: str
    event: int


class _Bank:
    """Hands out recordings, each again only when all others of its kind were used."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> None:
        self._waiting: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        self._used: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            self._waiting[row["material"], row["action"]].append(row)
        for rows_of_kind in self._waiting.values():
            rng.shuffle(rows_of_kind)  # type: ignore[arg-type]

    def take(self, material: str, action: str, seconds: float | None = None) -> Mapping[str, Any]:
        """Return a recording of that kind, of about that length if one is asked for."""
        kind = material, action
        if not self._waiting[kind]:
            self._waiting[kind], self._used[kind] = self._used[kind], []
        waiting = self._waiting[kind]
        if not waiting:
            raise ValueError(f"held-out recordings: wanted one of {material}, {action}, got none")
        best = 0 if seconds is None else int(np.argmin([abs(row["seconds"] - seconds) for row in waiting]))
        row = waiting.pop(best)
        self._used[kind].append(row)
        return row


def cast(events: list[Event], held_out: Path, seed: int = 21) -> tuple[list[Sound], dict[int, str]]:
    """Choose a recording for every touch, and plant the anomalies.

    Args:
        events: From `motion.plan`.
        held_out: Folder with `bank.yaml` and recordings that no predictor has seen.
        seed: Of all choices.

    Returns:
        The sounds, and the anomaly of every touch ('none', 'wrong_material', 'missing_sound') by number of its event.

    Raises:
        FileNotFoundError: There is no `bank.yaml`.
    """
    rng = np.random.default_rng(seed)
    rows = recordings(held_out)
    bank = _Bank(rows, rng)
    anomalies, heard_as = _plant(events, rng)
    return _cast(events, bank, rng, anomalies, heard_as), anomalies


def cast_normal(events: list[Event], rows: Sequence[Mapping[str, Any]], seed: int) -> list[Sound]:
    """Choose a recording of its own material for every touch.

    Args:
        events: From `motion.plan`, without pauses.
        rows: Recordings to choose from; see `recordings`.
        seed: Of all choices.
    """
    rng = np.random.default_rng(seed)
    anomalies = {number: "none" for number, event in enumerate(events) if event.kind in ("tap", "slide")}
    return _cast(events, _Bank(rows, rng), rng, anomalies, {})


def recordings(folder: Path) -> list[Mapping[str, Any]]:
    """What `bank.yaml` in a folder says of its recordings.

    Raises:
        FileNotFoundError: There is none.
    """
    manifest = folder / "bank.yaml"
    if not manifest.is_file():
        raise FileNotFoundError(f"heard: wanted the held-out recordings, got nothing at {manifest}")
    rows: list[Mapping[str, Any]] = yaml.safe_load(manifest.read_text())["recordings"]
    return rows


def _cast(
    events: list[Event],
    bank: _Bank,
    rng: np.random.Generator,
    anomalies: Mapping[int, str],
    heard_as: Mapping[int, str],
) -> list[Sound]:
    """A recording for every event that sounds."""
    sounds = []
    for number, event in enumerate(events):
        if event.kind == "near_miss" or anomalies.get(number) == "missing_sound":
            continue
        if event.kind == "pause":
            kind, material, anomaly, speed = "tap", heard_as[number], "extra_sound", REFERENCE_SPEED_MPS
        else:
            kind, anomaly, speed = event.kind, anomalies[number], event.speed_mps
            material = heard_as.get(number, event.material)
        row = bank.take(material, kind, event.dwell_s if kind == "slide" else None)
        jitter = float(np.clip(rng.normal(0.0, JITTER_S), -2 * JITTER_S, 2 * JITTER_S))
        gain_db = 12.0 * np.log10(speed / REFERENCE_SPEED_MPS) + float(rng.uniform(-1.5, 1.5))
        if kind == "slide":
            gain_db = float(rng.uniform(-1.5, 1.5))
        sounds.append(
            Sound(event.start_s + jitter, row["file"], material, round(float(gain_db), 2), jitter, anomaly, number)
        )
    return sounds


def _plant(events: list[Event], rng: np.random.Generator) -> tuple[dict[int, str], dict[int, str]]:
    """Anomaly by number of the touch, and the material that is heard instead, or at a pause."""
    touches = [i for i, event in enumerate(events) if event.kind in ("tap", "slide")]
    anomalies = dict.fromkeys(touches, "none")
    heard_as: dict[int, str] = {}
    # Only single taps, not the first three: whoever watches first sees things go well.
    free = [
        i
        for i in touches[3:]
        if events[i].kind == "tap" and not events[i].double and not (i + 1 < len(events) and events[i + 1].double)
    ]

    def choose(material: str) -> int:
        fit = [i for i in free if events[i].material == material]
        fit = [i for i in fit if not {i - 1, i + 1} & set(marked)] or fit  # spread out, if that can be
        if not fit:
            raise ValueError(f"heard: wanted a single tap on {material} for an anomaly, got none in the plan")
        number = int(rng.choice(fit))
        free.remove(number)
        marked.append(number)
        return number

    marked: list[int] = []
    for material in MISSING:
        anomalies[choose(material)] = "missing_sound"
    for touched, heard in WRONG:
        number = choose(touched)
        anomalies[number], heard_as[number] = "wrong_material", heard
    pauses = [i for i, event in enumerate(events) if event.kind == "pause"]
    heard_as.update(zip(pauses, EXTRA, strict=True))
    return anomalies, heard_as


def mix(
    events: list[Event],
    sounds: list[Sound],
    folder: Path,
    known: Sequence[Mapping[str, Any]],
    duration_s: float,
    seed: int = 22,
) -> Wave:
    """The microphone's signal.

    Args:
        events: From `motion.plan`.
        sounds: From `cast`.
        folder: Of the recordings.
        known: What is known of them; see `recordings`.
        duration_s: Length of the result.
        seed: Of the room noise.

    Returns:
        (L,) samples at `RATE_HZ`, whole steps of 1/32768.
    """
    rows = {row["file"]: row for row in known}
    length = round(duration_s * RATE_HZ)
    signal = np.zeros(length)
    levels = []
    for sound in sounds:
        wave = read_audio(folder / sound.recording, RATE_HZ).astype(np.float64)
        onset = round(float(rows[sound.recording]["onset_s"]) * RATE_HZ)
        lead = min(onset, round(0.005 * RATE_HZ))
        wave = wave[onset - lead :][: lead + round(LONGEST_S * RATE_HZ)]
        event = events[sound.event]
        if event.kind == "slide":  # stops with the hand
            wave = wave[: lead + round((event.dwell_s + 0.06) * RATE_HZ)]
        fade = min(len(wave), round(0.06 * RATE_HZ))
        wave[-fade:] *= np.linspace(1.0, 0.0, fade) ** 2
        wave[:lead] *= np.linspace(0.0, 1.0, lead)
        wave *= QUIETEN * 10.0 ** (sound.gain_db / 20.0)
        levels.append(_loudest(wave))
        start = round((sound.at_s + MICROPHONE_LAG_S) * RATE_HZ) - lead
        stop = min(start + len(wave), length)
        signal[start:stop] += wave[: stop - start]
    noise = _room(length, np.random.default_rng(seed))
    signal += noise * float(np.median(levels)) * 10.0 ** (NOISE_DB / 20.0)
    peak = float(np.abs(signal).max())
    if peak > 0.98:
        raise ValueError(f"heard: wanted a mix within 0.98, got a peak of {peak:.3f}; lower QUIETEN")
    return np.asarray(np.round(signal * 32768.0) / 32768.0, np.float32)


def _loudest(wave: NDArray[np.float64]) -> float:
    """Root mean square of the loudest 50 ms."""
    width = round(0.05 * RATE_HZ)
    return float(np.sqrt(np.convolve(wave**2, np.ones(width) / width).max()))


def _room(length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of a quiet room, root mean square 1: falls with frequency, a little hum, slowly swelling."""
    spectrum = np.fft.rfft(rng.normal(size=length))
    frequency = np.fft.rfftfreq(length, 1.0 / RATE_HZ)
    spectrum *= 1.0 / np.sqrt(np.maximum(frequency, 40.0)) * (frequency > 30.0)
    noise = np.fft.irfft(spectrum, length)
    time = np.arange(length) / RATE_HZ
    noise /= noise.std()
    noise *= 1.0 + 0.15 * np.sin(2 * np.pi * time / 9.0)
    noise += 0.25 * np.sin(2 * np.pi * 100.0 * time) + 0.1 * np.sin(2 * np.pi * 200.0 * time + 0.7)
    return np.asarray(noise / noise.std())
