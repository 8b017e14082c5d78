"""Sounds of things that nobody recorded for us: a struck thing is a sum of decaying modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class ModalMaterial:
    """How things of a material ring.

    Attributes:
        lowest_hz: Range of the lowest mode, over the sizes of things.
        modes: How many modes a thing has.
        spread: Exponent of the modes' frequencies over their number; 1 is a string, about 1.6 a plate or a bowl.
        decay_s: Range of the time in which the lowest mode falls by 60 dB.
        damping: How much faster higher modes decay: time falls with frequency to this power.
        tilt_db: Loudness of the modes an octave.
        click_db: Broad-band noise of the strike itself, against the modes.
        click_hz: Above this the noise of the strike falls.
    """

    lowest_hz: tuple[float, float]
    modes: int
    spread: float
    decay_s: tuple[float, float]
    damping: float
    tilt_db: float
    click_db: float
    click_hz: float


MODAL: Final = {
    "ceramic": ModalMaterial((500.0, 1700.0), 16, 1.35, (0.12, 0.45), 0.5, -2.0, -10.0, 5000.0),
    "glass": ModalMaterial((900.0, 2800.0), 14, 1.55, (0.35, 1.3), 0.35, -2.5, -16.0, 7000.0),
    "fabric": ModalMaterial((70.0, 200.0), 6, 1.2, (0.03, 0.08), 0.6, -7.0, 2.0, 700.0),
}
LONGEST_S: Final = 1.5


class ModalObject:
    """A thing with frequencies and decays of its own.

    Args:
        material: One of `MODAL`.
        rate_hz: Of its sounds.
        rng: Of its size and shape.

    Raises:
        ValueError: Nobody said how that material rings.
    """

    def __init__(self, material: str, rate_hz: int, rng: np.random.Generator) -> None:
        if material not in MODAL:
            raise ValueError(f"ModalObject: material wanted one of {', '.join(MODAL)}, got {material!r}")
        self._material = made = MODAL[material]
        self._rate_hz = rate_hz
        rank = np.arange(1, made.modes + 1)
        lowest = np.exp(rng.uniform(*np.log(made.lowest_hz)))
        hz = lowest * rank**made.spread * np.concatenate([[1.0], rng.uniform(0.9, 1.12, made.modes - 1)])
        heard = hz < 0.47 * rate_hz
        self.frequencies_hz = hz[heard]
        decay = np.exp(rng.uniform(*np.log(made.decay_s)))
        ratio = self.frequencies_hz / lowest
        self.decays_s = decay * ratio**-made.damping * rng.uniform(0.6, 1.3, len(ratio))
        self._level = 10.0 ** (made.tilt_db * np.log2(ratio) / 20.0)

    def strike(self, rng: np.random.Generator) -> Wave:
        """(L,) sound of a strike at a random place of the thing, which begins at once."""
        length = round(min(LONGEST_S, 1.2 * float(self.decays_s.max()) + 0.03) * self._rate_hz)
        time = np.arange(length) / self._rate_hz
        level = self._level * (0.25 + np.abs(rng.normal(0.0, 0.8, len(self._level))))  # where it is struck
        phase = rng.uniform(-0.4, 0.4, len(level))
        decay = np.exp(-6.908 * time[:, None] / self.decays_s)
        ring = (np.sin(2 * np.pi * self.frequencies_hz * time[:, None] + phase) * decay) @ level
        click = self._click(length, rng)
        ring_peak, click_peak = np.abs(ring).max(), np.abs(click).max()
        wave = ring / ring_peak + click / click_peak * 10.0 ** (self._material.click_db / 20.0)
        rise = round(0.0004 * self._rate_hz)
        wave[:rise] *= np.linspace(0.0, 1.0, rise)
        return np.asarray(wave, np.float32)

    def _click(self, length: int, rng: np.random.Generator) -> NDArray[np.float64]:
        time = np.arange(length) / self._rate_hz
        noise = rng.normal(size=length) * np.exp(-time / rng.uniform(0.002, 0.006))
        spectrum = np.fft.rfft(noise)
        hz = np.fft.rfftfreq(length, 1.0 / self._rate_hz)
        return np.asarray(np.fft.irfft(spectrum / (1.0 + (hz / self._material.click_hz) ** 2), length))
