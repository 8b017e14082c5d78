"""The sound of one touch as a small picture of level over time and frequency."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import mel_filters

ZONES_S = (-0.01, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Edges of the time zones Z, seconds after the onset: fine where a touch changes fast."""

BANDS = 32
WINDOW = 256
HOP = 64
RATE_HZ = 16000
RANGE_DB = 40.0
"""Levels this far under the loudest cell are not compared."""

NOISE_MARGIN_DB = 3.0
"""A cell counts only from this far above the room's noise."""

LEAST_ZONES = 3
"""Zones that must have been heard; less says nothing about a material."""

LEAST_SNR_DB = 10.0
"""A touch whose loudest cell is less than this over the noise of its band is not compared."""

_LEAD_S = 0.1
_GUARD_S = 0.012
_LOW_HZ = 80.0
_BANK_FILTERS = SequenceConfig(sample_rate_hz=RATE_HZ, hop=HOP, window=WINDOW, bins=BANDS, low_hz=_LOW_HZ)


@dataclass(frozen=True, eq=False)
class Timbre:
    """Levels of one touch, 0 dB in the loudest cell.

    Attributes:
        level_db: (Z, BANDS) mean power of each zone and band less the room's noise.
        floor_db: (BANDS,) level under which the room hides the touch, on the same scale.
        heard: (Z,) bool, False where a zone was cut off or belongs to the next touch.
        snr_db: Loudest cell over the noise of its band.
    """

    level_db: NDArray[np.float32]
    floor_db: NDArray[np.float32]
    heard: NDArray[np.bool_]
    snr_db: float


def timbre(wave: NDArray[np.float32], onset_s: float, until_s: float | None = None) -> Timbre:
    """Levels after an onset, with the room's noise taken from the 0.1 s before it.

    Args:
        wave: (L,) samples at 16 kHz.
        onset_s: Where in `wave` the touch begins to sound.
        until_s: Where in `wave` something else begins; None for the end of `wave`.

    Returns:
        The levels; zones that do not end before `until_s` and the end of `wave` are marked not heard.

    Raises:
        ValueError: The onset is outside of the wave, less than 50 ms or too little over the noise is heard after it, or
            the wave is not one finite channel.
    """
    x = np.asarray(wave, dtype=np.float32)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"timbre: wave wanted finite samples of shape (L,), got {x.shape} or values not finite")
    onset = round(onset_s * RATE_HZ)
    if not 0 <= onset < x.size:
        raise ValueError(f"timbre: onset_s wanted 0 to {x.size / RATE_HZ:.3f} s, got {onset_s}")
    end = x.size if until_s is None else min(x.size, round(until_s * RATE_HZ))
    lead = min(onset, round(_LEAD_S * RATE_HZ))
    length = lead + round(ZONES_S[-1] * RATE_HZ) + WINDOW
    segment = x[onset - lead : min(end, onset - lead + length)]
    segment = np.pad(segment, (0, length - segment.size))
    frames = np.lib.stride_tricks.sliding_window_view(segment, WINDOW)[::HOP]
    filters = mel_filters(_BANK_FILTERS)
    filters = filters / filters.sum(axis=1, keepdims=True)
    power = np.abs(rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2 @ filters.T
    middle_s = (np.arange(power.shape[0]) * HOP + WINDOW / 2 - lead) / RATE_HZ
    before = power[middle_s < -_GUARD_S]
    noise = before.mean(axis=0) if before.shape[0] > 4 else np.zeros(BANDS)
    zones = np.stack([power[(middle_s >= a) & (middle_s < b)].mean(axis=0) for a, b in itertools.pairwise(ZONES_S)])
    heard = np.array([onset + b * RATE_HZ <= end for b in ZONES_S[1:]])
    if not heard[:LEAST_ZONES].all():
        raise ValueError(
            f"timbre: wanted {ZONES_S[LEAST_ZONES] * 1e3:.0f} ms or more of the touch, "
            f"got {(end - onset) / RATE_HZ * 1e3:.0f} ms"
        )
    cells = np.where(heard[:, None], zones - noise, 0.0)
    peak = float(cells.max())
    if not peak > 0:
        raise ValueError("timbre: wanted sound after the onset, got nothing above the noise before it")
    at = int(np.unravel_index(int(cells.argmax()), cells.shape)[1])
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(np.maximum(cells / peak, 1e-10))
        floor = 10.0 * np.log10(np.maximum(noise / peak, 1e-10)) + NOISE_MARGIN_DB
    snr = 10.0 * np.log10(peak / max(float(noise[at]), peak * 1e-10))
    if snr < LEAST_SNR_DB:
        raise ValueError(
            f"timbre: wanted a touch {LEAST_SNR_DB:.0f} dB or more over the room's noise, got {snr:.1f} dB"
        )
    return Timbre(level.astype(np.float32), floor.astype(np.float32), heard, float(snr))
