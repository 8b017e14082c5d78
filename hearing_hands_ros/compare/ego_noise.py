"""Noise of the robot itself, learned while nothing touches, and made even before touches are scored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening
from scipy.signal import ShortTimeFFT, get_window

from hearing_hands_ros.compare.fields import (
    checked_mapping,
    checked_numbers,
    checked_text,
    read_document,
    write_document,
)

FORMAT: Final = "hearing_hands_ros/ego_noise/1"
RATE_HZ: Final = 16_000
WINDOW, HOP = 512, 128
BINS: Final = WINDOW // 2 + 1
LEAST_S: Final = 5.0
LEAST_AT_S: Final = 1.0
SPEEDS_MPS: Final = (0.0, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Noise is learned at these; sound at a speed between two of them counts for both."""

LOUD: Final = 4.0
"""A piece with this many times the power that its speed explains is no noise of the robot: somebody slams a door."""

ROUNDS: Final = 4
TOUCH_S: Final = 0.1
"""The begin of a touch, over which the mean gain is 0 dB."""

MOST_GAIN: Final = 30.0
QUIET_S: Final = (0.5 * WINDOW / RATE_HZ, -0.04)
"""Frames that lie in the sound whole and end before the touch: after its first sample, and from the touch."""

MEDIAN: Final = math.log(2.0)
"""Of the power of noise in one frame, as a share of its mean."""

LOST: Final = 32
"""Samples in a row that are exactly zero are no sound."""

NOTHING: Final = 1e-12

Array = NDArray[np.float32]
Power = NDArray[np.float64]

_TRANSFORM: Final = ShortTimeFFT(get_window("hann", WINDOW), HOP, RATE_HZ, phase_shift=None)


@dataclass(frozen=True, eq=False)
class EgoNoise:
    """Mean power of the noise where the hands move at some speed: fans always run, motors when something moves.

    Between two speeds it is interpolated; beyond them it is that of the nearest.

    Attributes:
        speeds_mps: (S,) ascending, at least one.
        seconds: (S,) of sound that each was learned from.
        powers: (S, `BINS`) not negative.
        source: What it was learned from, for people.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    speeds_mps: Power
    seconds: Power
    powers: Power
    source: str = ""

    def __post_init__(self) -> None:
        count = self.speeds_mps.size
        if self.speeds_mps.ndim != 1 or count < 1 or self.speeds_mps[0] < 0.0 or (np.diff(self.speeds_mps) <= 0).any():
            raise ValueError(f"EgoNoise: speeds_mps wanted ascending speeds from 0 on, got {self.speeds_mps.tolist()}")
        if self.seconds.shape != (count,):
            raise ValueError(f"EgoNoise: seconds wanted {count}, one a speed, got {self.seconds.shape}")
        if self.powers.shape != (count, BINS):
            raise ValueError(f"EgoNoise: powers wanted shape {(count, BINS)}, got {self.powers.shape}")
        if not (np.isfinite(self.powers).all() and (self.powers >= 0.0).all()):
            raise ValueError("EgoNoise: powers wanted finite and not negative, got some that are not")

    @classmethod
    def learn(cls, pieces: Iterable[tuple[Array, float]], source: str = "") -> EgoNoise:
        """Learn from sound without contact.

        Args:
            pieces: Samples (L,) at 16 kHz, best a fraction of a second each, and the speed during them. Speeds of which
                there is less than `LEAST_AT_S` are left out, and so are pieces that are too loud for their speed.
            source: For people.

        Raises:
            ValueError: They are shorter than `LEAST_S` together, or samples or a speed are not finite.
        """
        powers, speeds, lengths = [], [], []
        for samples, speed in pieces:
            if not (math.isfinite(speed) and speed >= 0.0):
                raise ValueError(f"EgoNoise: wanted a finite speed, at least 0, with each piece, got {speed}")
            powers.append(_mean_power(samples))
            speeds.append(speed)
            lengths.append(samples.size / RATE_HZ)
        total_s = sum(lengths)
        if total_s < LEAST_S:
            raise ValueError(f"EgoNoise: wanted {LEAST_S:g} s without contact or more, got {total_s:.1f} s")
        power, at, length_s = np.stack(powers), np.array(speeds), np.array(lengths)
        keep = np.ones(len(power), np.bool_)
        for _ in range(ROUNDS):
            noise = cls._mean(power[keep], at[keep], length_s[keep], source)
            quiet = power.sum(axis=1) <= LOUD * noise.power(at).sum(axis=1)
            if (quiet == keep).all():
                break
            keep = quiet
        return noise

    @classmethod
    def _mean(cls, power: Power, speed: Power, length_s: Power, source: str) -> EgoNoise:
        """Mean power at each of the speeds that there is enough of."""
        at = np.array(SPEEDS_MPS)
        while True:
            share = np.stack([np.interp(speed, at, row) for row in np.eye(at.size)]) * length_s
            seconds = share.sum(axis=1)
            if at.size == 1 or seconds.min() >= LEAST_AT_S:
                return cls(at, seconds, share @ power / seconds[:, None], source)
            at = np.delete(at, seconds.argmin())

    @property
    def digest(self) -> str:
        """Tells this noise from others: a calibration that was made with another one does not hold."""
        return hashlib.sha256(self.speeds_mps.tobytes() + self.powers.tobytes()).hexdigest()[:16]

    def power(self, speed_mps: NDArray[np.floating]) -> Power:
        """(T,) speeds to (T, `BINS`) mean power."""
        share = np.stack([np.interp(speed_mps, self.speeds_mps, row) for row in np.eye(self.speeds_mps.size)])
        return np.asarray(share.T @ self.powers)

    def __str__(self) -> str:
        """From how much it was learned, for people."""
        heard = (f"{s:.1f} s at {v:g} m/s" for v, s in zip(self.speeds_mps, self.seconds, strict=True))
        return f"learned from {', '.join(heard)}" + (f" of {self.source}" if self.source else "")

    def evened(self, samples: Array, speed_mps: NDArray[np.floating], at_s: float) -> Array:
        """Make the noise as loud all the time as it is at a touch: scores take the room before a touch for that in it.

        Each moment and frequency is multiplied by sqrt((q + r) / (p + r)): p is the noise's power, q its geometric mean
        over the first `TOUCH_S` of the touch, r what is heard before the touch beyond p: a room that is louder now.
        Nothing is taken out but that the noise changes: what a Wiener filter leaves is odder than noise is.

        Args:
            samples: (L,) at 16 kHz, microphone lag removed.
            speed_mps: (T,) of the hands at moments spread evenly over the sound, both ends included; NaN where it is
                not known: then as at the nearest moment, and if nothing is known, the sound stays as it is.
            at_s: Where in `samples` the touch begins.

        Returns:
            (L,), the same for a robot that moves evenly.

        Raises:
            ValueError: `samples` is not one finite channel of `WINDOW` or more, or the touch is not in it.
        """
        x = _checked(samples)
        if not 0.0 <= at_s < x.size / RATE_HZ:
            raise ValueError(f"EgoNoise: at_s wanted a time in {x.size / RATE_HZ:g} s of sound, got {at_s:g} s")
        known, moments = np.isfinite(speed_mps), np.linspace(0.0, x.size / RATE_HZ, speed_mps.size)
        if not known.any():
            return np.asarray(samples, np.float32)
        spectrum, time_s = _TRANSFORM.stft(x).T, _TRANSFORM.t(x.size)
        noise = self.power(np.interp(time_s, moments[known], speed_mps[known])) + NOTHING
        before = (time_s >= QUIET_S[0]) & (time_s <= at_s + QUIET_S[1])
        if before.any():
            over = np.median(np.abs(spectrum[before]) ** 2 / noise[before], axis=0) / MEDIAN
            room = np.maximum(over - 1.0, 0.0) * np.median(noise[before], axis=0)
            noise = noise + room
        level = np.log(noise)
        of_touch = level[(time_s >= at_s) & (time_s < at_s + TOUCH_S)].mean(axis=0)
        gain = np.clip(np.exp(0.5 * (of_touch - level)), 1.0 / MOST_GAIN, MOST_GAIN)
        even = _TRANSFORM.istft((gain * spectrum).T, k1=x.size)
        silent = binary_opening(x == 0.0, np.ones(LOST))  # lost samples and a dead microphone stay what they are
        return np.where(silent, 0.0, even).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write as YAML, whole or not at all; the folder must exist.

        Raises:
            OSError: It cannot be written; what was there is still there.
        """
        document = {
            "format": FORMAT,
            "source": self.source,
            "rate_hz": RATE_HZ,
            "window": WINDOW,
            "speeds_mps": self.speeds_mps.tolist(),
            "seconds": [round(value, 3) for value in self.seconds.tolist()],
            "powers": [[float(f"{value:.4g}") for value in row] for row in self.powers.tolist()],
        }
        write_document(Path(path), document)

    @classmethod
    def load(cls, path: str | Path) -> EgoNoise:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no noise of a robot, or for another rate or window; the message names the field.
        """
        path = Path(path)
        who = f"EgoNoise({path.name!r})"
        document = read_document(who, path, FORMAT)
        names = ("format", "source", "rate_hz", "window", "speeds_mps", "seconds", "powers")
        fields = checked_mapping(who, document, names)
        for name, wanted in (("rate_hz", RATE_HZ), ("window", WINDOW)):
            if fields[name] != wanted:
                raise ValueError(f"{who}: {name} wanted {wanted}, got {fields[name]!r}")
        rows = fields["powers"]
        if not isinstance(rows, list):
            raise ValueError(f"{who}: powers wanted a list of lists, got {rows!r}")  # noqa: TRY004
        try:
            return cls(
                np.array(checked_numbers(f"{who}: speeds_mps", fields["speeds_mps"])),
                np.array(checked_numbers(f"{who}: seconds", fields["seconds"])),
                np.array([checked_numbers(f"{who}: powers[{i}]", row, BINS) for i, row in enumerate(rows)]),
                checked_text(f"{who}: source", fields["source"]),
            )
        except ValueError as error:
            raise ValueError(str(error).replace("EgoNoise:", f"{who}:", 1)) from error


def _mean_power(samples: Array) -> Power:
    """(L,) to (`BINS`,), over the frames that lie within the samples."""
    x = _checked(samples)
    first, last = _TRANSFORM.lower_border_end[1], _TRANSFORM.upper_border_begin(x.size)[1]
    inside = slice(first - _TRANSFORM.p_min, last - _TRANSFORM.p_min)
    return np.asarray((np.abs(_TRANSFORM.stft(x)[:, inside]) ** 2).mean(axis=1))


def _checked(samples: Array) -> Power:
    x = np.asarray(samples, np.float64)
    if x.ndim != 1 or x.size < WINDOW or not np.isfinite(x).all():
        raise ValueError(f"EgoNoise: samples wanted {WINDOW} finite values or more in one channel, got {x.shape}")
    return x
