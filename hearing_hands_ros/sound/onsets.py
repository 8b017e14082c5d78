"""When something begins to sound."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

_BLOCK = 8
"""Frames worked on at once, always this many: the result is then the same to the last bit for any chunking."""

_SILENCE_DB = -90.0

_QUIET_S = 0.06
"""A sound has ended when for this long nothing stood out of the noise; only then can another swell up."""


@dataclass(frozen=True)
class OnsetConfig:
    """Settings of `OnsetDetector`.

    Attributes:
        sample_rate_hz: Rate of the wave.
        window: Samples under one frame; also the length of the FFT.
        hop: Samples between frames.
        edges_hz: Edges of the bands in which a rise is looked for, ascending.
        rise_db: Mean rise over the bands above what was just heard that makes an onset.
        swell_db: Mean excess over floor and margin that makes an onset of a sound that came out of the noise slowly.
        margin_db: A band counts only from this far above its noise floor.
        release_db_s: How fast what was just heard is forgotten; slower than a touch rings down, a tail would fire.
        floor_up_db_s: How fast the noise floor rises; slow, so that a touch is not taken for noise.
        floor_down_db_s: How fast the noise floor falls.
        dead_time_s: After an onset there is none for this long.
        warm_up_s: The noise floor is taken from this much of the wave first; no onset is found in it.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    sample_rate_hz: int = 16000
    window: int = 160
    hop: int = 40
    edges_hz: tuple[float, ...] = (100.0, 500.0, 1200.0, 2400.0, 4200.0, 8000.0)
    rise_db: float = 4.0
    swell_db: float = 3.0
    margin_db: float = 6.0
    release_db_s: float = 100.0
    floor_up_db_s: float = 6.0
    floor_down_db_s: float = 30.0
    dead_time_s: float = 0.08
    warm_up_s: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window:
            raise ValueError(f"OnsetConfig: wanted 0 < hop <= window, got hop {self.hop}, window {self.window}")
        edges = self.edges_hz
        if len(edges) < 2 or any(b <= a for a, b in itertools.pairwise(edges)):
            raise ValueError(f"OnsetConfig: edges_hz wanted two or more ascending values, got {edges}")
        if edges[0] < 0 or edges[-1] > self.sample_rate_hz / 2:
            raise ValueError(f"OnsetConfig: edges_hz wanted 0..{self.sample_rate_hz / 2}, got {edges[0]}..{edges[-1]}")
        bins = np.rint(np.asarray(edges) * self.window / self.sample_rate_hz)
        if np.any(np.diff(bins) < 1):
            raise ValueError(f"OnsetConfig: edges_hz wanted a bin or more in each band, got {edges}")
        for name in (
            "rise_db",
            "swell_db",
            "margin_db",
            "release_db_s",
            "floor_up_db_s",
            "floor_down_db_s",
            "warm_up_s",
        ):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"OnsetConfig: {name} wanted a positive number, got {getattr(self, name)}")
        if not self.dead_time_s >= 0:
            raise ValueError(f"OnsetConfig: dead_time_s wanted 0 or more, got {self.dead_time_s}")


class OnsetDetector:
    """Finds onsets in a wave that comes in chunks; any chunking gives the same onsets.

    A band of frame t rises by r_b(t) = max(0, L_b(t) - max(m_b(t), n_b(t) + margin)), where L is its level in dB, m the
    recent peak, which falls by `release_db_s`, and n the noise floor. An onset is where the mean of r over the bands
    exceeds `rise_db`. A step on grass swells too slowly for that, so an onset is also where, after quiet, the mean of
    max(0, L_b(t) - n_b(t) - margin) reaches `swell_db`. The onset is then placed where the envelope (1 ms) crosses the
    geometric mean of what came before and the peak of the rise.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(0, 1e-3, 8000).astype(np.float32)
        >>> noise[4000:4800] += 0.3 * np.random.default_rng(1).normal(0, 1, 800).astype(np.float32)
        >>> [round(t, 3) for t in OnsetDetector().push(noise)]
        [0.25]

    Source: log spectral flux with a peak-holding reference, after SuperFlux (Boeck and Widmer, 2013).
    """

    def __init__(self, config: OnsetConfig | None = None) -> None:
        self.config = config or OnsetConfig()
        c = self.config
        edges = np.rint(np.asarray(c.edges_hz) * c.window / c.sample_rate_hz).astype(int)
        self._slices = [slice(a, b) for a, b in itertools.pairwise(edges)]
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(c.window) + 0.5) / c.window)
        self._taper = (taper * 2.0 / taper.sum()).astype(np.float64)
        self._warm_frames = max(1, math.ceil(c.warm_up_s * c.sample_rate_hz / c.hop))
        self._history = round(0.04 * c.sample_rate_hz)
        hop_s = c.hop / c.sample_rate_hz
        self._fall_db, self._up_db, self._down_db = (
            c.release_db_s * hop_s,
            c.floor_up_db_s * hop_s,
            -c.floor_down_db_s * hop_s,
        )
        self._samples = np.arange(c.window) + c.hop * np.arange(_BLOCK)[:, None]  # of the frames of a block
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is sample 0. For use after a gap in the wave."""
        self._wave: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._first = 0  # index of _wave[0]
        self._frame = 0  # next frame to work on
        self._warm: list[list[float]] = []
        self._floor: list[float] | None = None  # of each band, as is `_peak`
        self._peak = [-math.inf] * len(self._slices)
        self._dead_until = 0  # no onset before this frame
        self._quiet_frames = 0  # frames since anything stood out of the noise

    @property
    def delay_s(self) -> float:
        """Most time between a sample coming in and the onset at it being reported, s."""
        c = self.config
        return (c.window + (_BLOCK + 1) * c.hop) / c.sample_rate_hz

    def push(self, wave: NDArray[np.float32]) -> list[float]:
        """Take the next samples.

        Args:
            wave: (L,) samples that follow the last ones; L may be 0.

        Returns:
            Onsets that are new, seconds since the first sample ever pushed, ascending.

        Raises:
            ValueError: `wave` is not one channel or holds values that are not finite; nothing of it is taken.
        """
        x = np.asarray(wave, dtype=np.float32)
        if x.ndim != 1:
            raise ValueError(f"OnsetDetector: wave wanted shape (L,), got {x.shape}")
        bad = int(np.count_nonzero(~np.isfinite(x)))
        if bad:
            raise ValueError(f"OnsetDetector: wave wanted finite samples, got {bad} that are not")
        c = self.config
        self._wave = np.concatenate([self._wave, x])
        onsets: list[float] = []
        need = c.window + (_BLOCK - 1) * c.hop
        start = self._frame * c.hop - self._first
        while start + need <= self._wave.size:
            levels = self._levels(self._wave[start : start + need])
            for level in levels.tolist():
                if self._step(level):
                    onsets.append(self._refine())
                self._frame += 1
            start += _BLOCK * c.hop
        drop = max(0, start - self._history)
        self._wave, self._first = self._wave[drop:], self._first + drop
        return onsets

    def _levels(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        """(window + (BLOCK-1) * hop,) to (BLOCK, bands), dB."""
        power = np.abs(rfft(wave[self._samples] * self._taper, axis=1)) ** 2
        energy = np.stack([power[:, s].sum(axis=1) for s in self._slices], axis=1)
        return np.maximum(10.0 * np.log10(energy + 1e-12), _SILENCE_DB)

    def _step(self, level: list[float]) -> bool:
        """One frame: update floor and peak, say whether an onset is in it.

        Plain numbers: for so few bands arrays take five times as long.
        """
        c = self.config
        hop_s = c.hop / c.sample_rate_hz
        if self._floor is None:
            self._warm.append(level)
            if len(self._warm) < self._warm_frames:
                return False
            warm = np.array(self._warm)
            self._floor = np.median(warm, axis=0).tolist()
            self._peak = np.max(warm[-round(0.02 / hop_s) :], axis=0).tolist()
            self._warm = []
            return False
        rise = excess = 0.0
        margin, fall, up, down = c.margin_db, self._fall_db, self._up_db, self._down_db
        peaks, floors = self._peak, self._floor
        for band, now in enumerate(level):
            peak, floor = peaks[band], floors[band]
            over = now - floor - margin
            if over > 0.0:
                excess += over
            usual = floor + margin
            over = now - (peak if peak > usual else usual)
            if over > 0.0:
                rise += over
            peaks[band] = now if now > peak - fall else peak - fall
            floors[band] = floor + (up if now > floor else down)
        rise, excess = rise / len(level), excess / len(level)
        was_quiet = self._quiet_frames * hop_s >= _QUIET_S
        if excess < 0.25 * c.swell_db or (was_quiet and excess < c.swell_db):
            self._quiet_frames += 1
        else:
            self._quiet_frames = 0
        swells = was_quiet and excess >= c.swell_db
        if not (rise > c.rise_db or swells) or self._frame < self._dead_until:
            return False
        self._dead_until = self._frame + round(c.dead_time_s / hop_s)
        return True

    def _refine(self) -> float:
        """Seconds since the first sample at which the rise that ends in the present frame began."""
        c = self.config
        end = self._frame * c.hop + c.window - self._first
        begin = max(0, end - self._history)
        x = np.diff(self._wave[begin:end].astype(np.float64), prepend=float(self._wave[begin]))
        n = max(1, c.sample_rate_hz // 1000)
        energy = np.convolve(x * x, np.ones(n) / n)[n - 1 : x.size]
        # energy[i] covers samples i .. i + n - 1
        split = max(1, energy.size - c.window - c.hop)
        before = float(np.median(energy[:split])) + 1e-14
        peak = float(energy[split // 2 :].max()) + 1e-14
        above = energy >= math.sqrt(before * peak)
        at = int(np.argmax(above)) if above.any() else split
        # an earlier click in the history is not this onset: take the last run that reaches into the rise
        quiet = np.flatnonzero(~above[: int(np.argmax(energy[split // 2 :])) + split // 2 + 1])
        gap = round(0.004 * c.sample_rate_hz)
        if quiet.size:
            run = _last_gap(quiet, gap)
            at = run if run is not None else at
        return (self._first + begin + at + n // 2) / c.sample_rate_hz


def _last_gap(quiet: NDArray[np.intp], length: int) -> int | None:
    """Index after the last run of at least `length` neighbouring values in `quiet`; None if there is no such run."""
    ends = np.flatnonzero(np.diff(quiet) > 1)
    starts = np.concatenate([[0], ends + 1])
    stops = np.concatenate([ends, [quiet.size - 1]])
    long = [int(quiet[b]) + 1 for a, b in zip(starts, stops, strict=True) if b - a + 1 >= length]
    return long[-1] if long else None


def find_onsets(wave: NDArray[np.float32], config: OnsetConfig | None = None) -> list[float]:
    """Onsets of a whole wave: what `OnsetDetector` finds in it.

    Args:
        wave: (L,) samples at `config.sample_rate_hz`.
        config: Settings; None for the defaults.

    Returns:
        Seconds since sample 0, ascending.

    Raises:
        ValueError: `wave` is not one channel or holds values that are not finite.
    """
    detector = OnsetDetector(config)
    x = np.asarray(wave, dtype=np.float32)
    onsets = detector.push(x)
    # The last block is filled by the end of the wave backwards, which cannot make a rise that was not there.
    onsets += detector.push(x[::-1][: round(detector.delay_s * detector.config.sample_rate_hz)])
    return [t for t in onsets if t < x.size / detector.config.sample_rate_hz]
