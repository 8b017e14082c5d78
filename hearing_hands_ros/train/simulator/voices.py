"""What each thing sounds like: recordings of its material, or modes of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank, Exemplar
from hearing_hands_ros.train.simulator.modal import MODAL, ModalObject

Wave = NDArray[np.float32]

VAL_SHARE: Final = 1 / 7  # of the groups of the training bank's recordings, of each material and tool
SAME_AGAIN: Final = 0.7  # chance that the next strike at a spot is the same recording
QUIETER_DB: Final = {"fabric": -7.0, "grass": -3.0, "snow": -3.0}
GRAIN_S: Final = 0.05
EVEN_S: Final = 0.12


def recordings_of(split: str, bank: Path, held_out: Path, sample_rate_hz: int) -> ExampleBank:
    """The recordings that a split may use; only the folder that holds them is opened.

    Args:
        split: 'train' and 'val' share the groups of `bank`; 'test' has `held_out`.
        bank: Folder of recordings that models may know.
        held_out: Folder of those that they may not.
        sample_rate_hz: Of the sounds.
    """
    if split == "test":
        return ExampleBank.load(held_out, sample_rate_hz)
    known = ExampleBank.load(bank, sample_rate_hz)
    held = _val_groups(known)
    chosen = tuple(e for e in known.exemplars if (e.group in held) == (split == "val"))
    return replace(known, exemplars=chosen)


def _val_groups(bank: ExampleBank) -> set[str]:
    """Groups for validation, spread over materials and kinds; each kind keeps most of its groups for training."""
    held: set[str] = set()
    for material in bank.materials:
        for kind in ("tap", "slide"):
            groups = sorted({e.group for e in bank.exemplars if e.material == material and e.kind == kind})
            count = max(1, round(VAL_SHARE * len(groups))) if len(groups) > 2 else 0
            held.update(groups[i] for i in np.linspace(0, len(groups) - 1, count + 2)[1:-1].round().astype(int))
    return held


@dataclass(frozen=True)
class Hit:
    """The sound of one strike.

    Attributes:
        wave: (L,) loudest 50 ms at 0 dB.
        onset: Sample at which the surface is met.
        group: Of the recording; empty for what is not recorded.
    """

    wave: Wave
    onset: int
    group: str = ""


class Voice:
    """The sounds of one thing, strike after strike.

    Args:
        material: Of the thing.
        bank: Recordings it may take.
        rng: Of what it is like.

    Raises:
        ValueError: The bank has no taps of the material, and it has no modes.
    """

    def __init__(self, material: str, bank: ExampleBank, rng: np.random.Generator) -> None:
        self.material = material
        self.rate_hz = bank.sample_rate_hz
        self._object = ModalObject(material, bank.sample_rate_hz, rng) if material in MODAL else None
        taps = bank.of(material, "tap")
        if self._object is None and not taps:
            raise ValueError(f"Voice: bank {bank.model} wanted taps of {material}, got none")
        # One kind of thing has one kind of sound: the recordings with one tool, if there are enough of them.
        tools = sorted({e.tool for e in taps})
        counts = [sum(e.tool == tool for e in taps) for tool in tools]
        if tools:
            tool = str(rng.choice(tools, p=np.array(counts) / sum(counts)))
            chosen = [e for e in taps if e.tool == tool]
            taps = tuple(chosen) if len(chosen) >= 3 else taps
        self._taps: Sequence[Exemplar] = taps
        self._slides: Sequence[Exemplar] = bank.of(material, "slide")
        self._decay_s = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6)))) if rng.random() < 0.4 else np.inf
        self._tilt_db = float(rng.uniform(-1.5, 1.0))
        self.level_db = QUIETER_DB.get(material, 0.0) + float(rng.uniform(-2.0, 2.0))
        self._last: Exemplar | None = None

    def new_spot(self) -> None:
        """The next strike is somewhere else."""
        self._last = None

    def strike(self, tilt_db: float, rng: np.random.Generator) -> Hit:
        """A strike; `tilt_db` is its loss an octave, of what strikes and how fast."""
        lead = round(LEAD_S * self.rate_hz)
        if self._object is not None:
            wave, group = np.pad(self._object.strike(rng), (lead, 0)), ""
        else:
            if self._last is None or rng.random() > SAME_AGAIN:
                self._last = self._taps[int(rng.integers(len(self._taps)))]
            wave, group = self._last.wave, self._last.group
        if np.isfinite(self._decay_s):
            wave = wave * np.exp(-np.maximum(np.arange(len(wave)) - lead, 0) / (self._decay_s * self.rate_hz))
        wave = faded(tilted(wave, tilt_db + self._tilt_db, self.rate_hz), round(0.04 * self.rate_hz))
        return Hit(levelled(wave, self.rate_hz), lead, group)

    def slide(self, speeds_mps: NDArray[np.float64], tilt_db: float, rng: np.random.Generator) -> Hit:
        """A slide as long as `speeds_mps` (L,), at the level of 1 m/s times its speed at each moment."""
        length = len(speeds_mps)
        if self._slides:
            exemplar = self._slides[int(rng.integers(len(self._slides)))]
            steady = evened(exemplar.wave, round(EVEN_S * self.rate_hz))  # the strokes are ours, not the saw's
            wave, group = _looped(steady, length, round(GRAIN_S * self.rate_hz), rng), exemplar.group
        else:
            hit = self.strike(0.0, rng)
            wave, group = grains(hit.wave[hit.onset :], length, round(GRAIN_S * self.rate_hz), rng), hit.group
        wave = levelled(tilted(wave, tilt_db, self.rate_hz), self.rate_hz)
        return Hit(faded(wave * speeds_mps, round(0.02 * self.rate_hz)), 0, group)


def tilted(wave: NDArray[np.floating], db_per_octave: float, rate_hz: int, from_hz: float = 500.0) -> Wave:
    """A wave whose spectrum falls (negative) or rises by so much an octave over `from_hz`; at least -36 to 12 dB."""
    size = len(wave) + round(0.01 * rate_hz)  # the filter's ringing must not come round to the beginning
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1.0 / rate_hz), from_hz) / from_hz)
    gain = 10.0 ** (np.clip(db_per_octave * octaves, -36.0, 12.0) / 20.0)
    return np.asarray(np.fft.irfft(np.fft.rfft(wave, size) * gain, size)[: len(wave)], np.float32)


def levelled(wave: NDArray[np.floating], rate_hz: int) -> Wave:
    """A wave whose loudest 50 ms are at 0 dB."""
    width = round(0.05 * rate_hz)
    total = np.concatenate([np.zeros(1), np.cumsum(np.pad(wave.astype(np.float64), (0, width)) ** 2)])
    power = float((total[width:] - total[:-width]).max()) / width
    return np.asarray(wave / np.sqrt(max(power, 1e-12)), np.float32)


def evened(wave: NDArray[np.floating], window: int) -> Wave:
    """A wave that is about as loud all the time, over so many samples; what was nearly silent stays faint."""
    taper = np.hanning(window + 2)[1:-1]
    loudness = np.sqrt(np.convolve(wave.astype(np.float64) ** 2, taper / taper.sum(), mode="same"))
    return np.asarray(wave / np.maximum(loudness, 0.1 * loudness.max()), np.float32)


def faded(wave: NDArray[np.floating], length: int) -> Wave:
    """A wave whose last samples go to zero."""
    result = np.array(wave, np.float32)
    count = min(length, len(result))
    result[len(result) - count :] *= np.linspace(1.0, 0.0, count, dtype=np.float32)
    return result


def grains(wave: NDArray[np.floating], length: int, grain: int, rng: np.random.Generator) -> Wave:
    """A texture of overlapping grains cut from the first part of a wave: its colour, without its rhythm."""
    source = np.asarray(wave[: max(5 * grain, len(wave) // 3)], np.float32)
    if len(source) <= grain:
        source = np.pad(source, (0, grain + 1 - len(source)))
    taper = np.hanning(grain).astype(np.float32)
    step = max(1, grain // 5)
    result = np.zeros(length + 2 * grain, np.float32)
    starts = np.arange(0, length + grain, step)
    cuts = rng.integers(0, len(source) - grain, len(starts))
    gains = rng.exponential(1.0, len(starts)).astype(np.float32)
    for at, cut, gain in zip(starts + rng.integers(0, step, len(starts)), cuts, gains, strict=True):
        piece = source[cut : cut + grain] * taper
        strength = float(np.sqrt((piece**2).sum())) + 1e-6  # loud and faint places of the wave count alike
        end = min(len(result), at + grain)
        result[at:end] += (gain / strength * piece)[: end - at]
    return result[grain : grain + length]


def _looped(wave: Wave, length: int, fade: int, rng: np.random.Generator) -> Wave:
    """A wave from a random place on, repeated with cross-fades."""
    body = wave[: max(4 * fade, len(wave) - fade)]
    ramp = np.sin(np.linspace(0.0, np.pi / 2, fade)).astype(np.float32)
    piece = body.copy()
    piece[:fade] *= ramp
    piece[-fade:] *= ramp[::-1]
    result = np.zeros(length + 2 * len(piece), np.float32)
    for at in range(0, length + len(piece), len(piece) - fade):
        result[at : at + len(piece)] += piece[: len(result) - at]
    first = fade + int(rng.integers(len(piece) - fade))
    return result[first : first + length]
