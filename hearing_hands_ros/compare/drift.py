"""Drift of microphone and room since the calibration: tracked and reported, never taken for normal."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft, rfftfreq

from hearing_hands_ros.compare.fields import checked_mapping, checked_numbers

EDGES_HZ: Final = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
"""Octaves in which noise is measured."""

LEAST_TOUCHES: Final = 10
"""Fewer say nothing about drift, and make no reference."""

_WINDOW_S: Final = 0.064
_SILENCE_DB: Final = -120.0


@dataclass(frozen=True)
class TouchLevels:
    """What one touch says about microphone and room; NaN where it says nothing.

    Attributes:
        gain_db: Heard less predicted level of its sound, dB.
        lag_s: Heard less expected onset, s.
        noise_db: Noise before it by octave (`EDGES_HZ`), dB of full scale; see `noise_floor_db`.

    Raises:
        ValueError: `noise_db` has not one value an octave.
    """

    gain_db: float = math.nan
    lag_s: float = math.nan
    noise_db: tuple[float, ...] = (math.nan,) * (len(EDGES_HZ) - 1)

    def __post_init__(self) -> None:
        if len(self.noise_db) != len(EDGES_HZ) - 1:
            raise ValueError(f"TouchLevels: noise_db wanted {len(EDGES_HZ) - 1} octaves, got {len(self.noise_db)}")

    def row(self) -> tuple[float, ...]:
        """All values in the order of `QUANTITIES`."""
        return (self.gain_db, self.lag_s, *self.noise_db)


@dataclass(frozen=True)
class Quantity:
    """One of the values that are tracked.

    Attributes:
        name: For people, with its unit in brackets.
        limit: Field of `DriftLimits` that holds for it.
        unit: As shown.
        scale: From SI to `unit`.
    """

    name: str
    limit: str
    unit: str
    scale: float = 1.0


QUANTITIES: Final = (
    Quantity("microphone gain", "gain_db", "dB"),
    Quantity("microphone lag", "lag_s", "ms", 1e3),
    *(Quantity(f"noise at {low:g} to {high:g} Hz", "noise_db", "dB") for low, high in pairwise(EDGES_HZ)),
)


@dataclass(frozen=True)
class DriftLimits:
    """How far the running values may be from their references, up or down, before it is reported.

    Attributes:
        gain_db: Of the microphone.
        lag_s: Of the microphone.
        noise_db: In any octave.

    Raises:
        ValueError: A limit is not finite and over 0.
    """

    gain_db: float = 3.0
    lag_s: float = 0.005
    noise_db: float = 6.0

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"DriftLimits: {part.name} wanted a finite number over 0, got {value}")


@dataclass(frozen=True)
class DriftReference:
    """How microphone and room were when the normal touches were heard.

    Attributes:
        centre: Median of each of `QUANTITIES`; NaN if too few touches had it.
        spread: Their standard deviations from touch to touch, from the median absolute deviation; NaN likewise.

    Raises:
        ValueError: There is not one number for each quantity, or a spread is negative.
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, values in (("centre", self.centre), ("spread", self.spread)):
            if len(values) != len(QUANTITIES) or any(map(math.isinf, values)):
                raise ValueError(f"DriftReference: {name} wanted {len(QUANTITIES)} numbers, got {list(values)}")
        if any(value < 0.0 for value in self.spread):
            raise ValueError(f"DriftReference: spread wanted at least 0, got {min(self.spread)}")

    @classmethod
    def of(cls, touches: Sequence[TouchLevels]) -> DriftReference:
        """From the levels of normal touches."""
        columns = zip(*(touch.row() for touch in touches), strict=True) if touches else ((),) * len(QUANTITIES)
        centre, spread = [], []
        for column in columns:
            values = np.array([value for value in column if math.isfinite(value)])
            known = len(values) >= LEAST_TOUCHES
            middle = float(np.median(values)) if known else math.nan
            centre.append(middle)
            spread.append(1.4826 * float(np.median(np.abs(values - middle))) if known else math.nan)
        return cls(tuple(centre), tuple(spread))

    def document(self) -> dict[str, Any]:
        """As it is written into a file: what is not known is left out."""
        return {
            quantity.name: [centre, spread]
            for quantity, centre, spread in zip(QUANTITIES, self.centre, self.spread, strict=True)
            if not math.isnan(centre)
        }

    @classmethod
    def read(cls, who: str, document: object) -> DriftReference:
        """From what `document` gave.

        Args:
            who: Names the file and the field in errors.
            document: What stood in the file.

        Raises:
            ValueError: It is something else; the message names the field.
        """
        found = {
            name: checked_numbers(f"{who}.{name}", pair, 2) for name, pair in checked_mapping(who, document).items()
        }
        unknown = sorted(set(found) - {quantity.name for quantity in QUANTITIES})
        if unknown:
            raise ValueError(f"{who}: wanted some of {[q.name for q in QUANTITIES]}, got {unknown}")
        pairs = [found.get(quantity.name, (math.nan, math.nan)) for quantity in QUANTITIES]
        return cls(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


class DriftWatch:
    """Follows gain, lag and noise by running medians.

    Medians stand up to half of the touches being odd, so every touch that was heard may be fed in, whatever its
    verdict: fed with NORMAL ones alone, a microphone too far gone for any would never be reported.

    Args:
        reference: At the calibration.
        limits: Distances that are reported. Where touches scatter so much that a running median may be as far off by
            chance, four times its standard error holds instead.
        touches: The newest that the medians are over.

    Raises:
        ValueError: `touches` is less than `LEAST_TOUCHES`.
    """

    def __init__(self, reference: DriftReference, limits: DriftLimits | None = None, touches: int = 25) -> None:
        if touches < LEAST_TOUCHES:
            raise ValueError(f"DriftWatch: touches wanted at least {LEAST_TOUCHES}, got {touches}")
        limits = limits or DriftLimits()
        self._reference = reference
        self._newest = [deque[float](maxlen=touches) for _ in QUANTITIES]
        # Of a normal variable's median over n: sqrt(pi / 2) standard deviations / sqrt(n).
        doubt = 4.0 * math.sqrt(math.pi / 2.0 / touches)
        self._limits = [
            max(getattr(limits, quantity.limit), 0.0 if math.isnan(spread) else doubt * spread)
            for quantity, spread in zip(QUANTITIES, reference.spread, strict=True)
        ]

    def update(self, levels: TouchLevels) -> None:
        """Take the levels of a touch; what is not finite is left out."""
        for newest, value in zip(self._newest, levels.row(), strict=True):
            if math.isfinite(value):
                newest.append(value)

    def reset(self) -> None:
        """Forget all touches: another microphone, or time jumped."""
        for newest in self._newest:
            newest.clear()

    @property
    def values(self) -> dict[str, float]:
        """Running value less reference by name with unit, e.g. 'microphone gain (dB)'; NaN while not known."""
        return {
            f"{quantity.name} ({quantity.unit})": (running - centre) * quantity.scale
            for quantity, running, centre, _ in self._states()
        }

    def report(self) -> list[str]:
        """One text for each value that is beyond its limit; empty if all is as it was."""
        return [
            f"{quantity.name}: wanted {centre * quantity.scale:.1f} {quantity.unit} "
            f"+- {limit * quantity.scale:.1f} as at the calibration, got {running * quantity.scale:.1f} "
            f"({(running - centre) * quantity.scale:+.1f})"
            for quantity, running, centre, limit in self._states()
            if abs(running - centre) > limit
        ]

    def _states(self) -> Iterator[tuple[Quantity, float, float, float]]:
        """Each quantity with its running value, its reference and its limit."""
        for quantity, newest, centre, limit in zip(
            QUANTITIES, self._newest, self._reference.centre, self._limits, strict=True
        ):
            running = float(np.median(newest)) if len(newest) >= LEAST_TOUCHES else math.nan
            yield quantity, running, centre, limit


def noise_floor_db(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[float, ...]:
    """Level of steady noise by octave.

    Args:
        samples: (L,) without a touch in it, in [-1, 1].
        sample_rate_hz: At least twice the last of `EDGES_HZ`.

    Returns:
        Median over windows of 64 ms of the power in each octave, dB of a full-scale square wave, -120 at least; all NaN
        if there is less than one window, or a sample is not finite.

    Raises:
        ValueError: `samples` is not one channel, or the rate is too low.
    """
    if samples.ndim != 1:
        raise ValueError(f"noise_floor_db: samples wanted shape (L,), got {samples.shape}")
    if sample_rate_hz < 2.0 * EDGES_HZ[-1]:
        raise ValueError(f"noise_floor_db: sample_rate_hz wanted {2 * EDGES_HZ[-1]:g} at least, got {sample_rate_hz}")
    size = round(_WINDOW_S * sample_rate_hz)
    if samples.size < size or not np.isfinite(samples).all():
        return (math.nan,) * (len(EDGES_HZ) - 1)
    hann = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), size)[:: size // 2]
    power = 2.0 * np.abs(rfft(frames * hann, axis=1)) ** 2 / (size * np.sum(hann**2))
    hz = rfftfreq(size, 1.0 / sample_rate_hz)
    octaves = [power[:, (hz >= low) & (hz < high)].sum(axis=1) for low, high in pairwise(EDGES_HZ)]
    levels = 10.0 * np.log10(np.maximum(np.median(octaves, axis=1), 10.0 ** (_SILENCE_DB / 10.0)))
    return tuple(map(float, levels))
