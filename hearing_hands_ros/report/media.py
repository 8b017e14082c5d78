"""Sounds and spectrograms as they stand in a page: data that a browser reads without asking anybody."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from typing import Final

import numpy as np
import soundfile
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from hearing_hands_ros.compare.evidence import level_difference
from hearing_hands_ros.compare.scoring.picture import BANDS, POOLED, TouchPicture
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.touch_picture import DIFFERENCE_DB, SHOWN_DB

MAGMA: Final = "magma"
REDDER_IS_LOUDER: Final = "RdBu_r"
QUIET: Final = 0.1
"""Share of the cells that are no louder than the room."""

STANDS_OUT_DB: Final = 48.0
"""A sound is so much louder than the room; noise alone shall not look like one."""

LEAST_S: Final = 0.1
"""What is shorter has no spectrogram to speak of."""

Wave = NDArray[np.float32]
Levels = NDArray[np.float64]


def mel_png(wave: Wave, sequence: SequenceConfig, brightest: float | None = None, shown_db: float = SHOWN_DB) -> bytes:
    """A log-mel spectrogram as a picture, a pixel a cell.

    Args:
        wave: (L,) samples.
        sequence: Rate and lengths.
        brightest: Level of the brightest colour, log10 magnitude; None takes the loudest there is, if it stands out.
        shown_db: Levels this far under it are black.
    """
    mel = log_mel(wave, sequence)
    top = brightest
    if top is None:
        top = max(float(mel.max()), float(np.quantile(mel, QUIET)) + STANDS_OUT_DB / 20.0)
    return _png(np.clip(20.0 * (mel - top) / shown_db + 1.0, 0.0, 1.0), MAGMA)


def difference_png(heard: Wave, predicted: Wave, before_s: float, sequence: SequenceConfig) -> bytes:
    """How much louder each cell was heard than predicted after one gain for all: red is louder, blue quieter.

    Args:
        heard: (L,) samples.
        predicted: (L,) likewise.
        before_s: Sound before the touch, which says how loud the room is.
        sequence: Rate and lengths.
    """
    powers = [_pooled(100.0 ** log_mel(wave, sequence).astype(np.float64)) for wave in (heard, predicted)]
    time_s = np.asarray((np.arange(len(powers[0])) + 0.5) * sequence.hop_s - before_s, np.float64)
    room = powers[0][time_s < -0.5 * sequence.window / sequence.sample_rate_hz]
    noise: Levels = np.median(room, axis=0) if len(room) else np.zeros(BANDS)
    levels = level_difference(TouchPicture(powers[0], powers[1], np.zeros_like(powers[0]), noise, time_s))
    return _png(np.clip(levels.T / DIFFERENCE_DB, -1.0, 1.0) / 2.0 + 0.5, REDDER_IS_LOUDER)


def flac(wave: Wave, rate_hz: int) -> bytes:
    """A sound file of 16 bits."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(wave, -1.0, 1.0), rate_hz, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def jpeg(picture: NDArray[np.uint8], quality: int = 85) -> bytes:
    """(H, W, 3) RGB as a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def data_url(data: bytes, kind: str) -> str:
    """A file as its own address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _png(share: NDArray[np.floating], colours: str) -> bytes:
    """(F, T) in 0..1, low frequencies at the bottom, as a picture with a palette."""
    picture = Image.fromarray(np.round(255.0 * share[::-1]).astype(np.uint8))
    picture.putpalette(_palette(colours))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@lru_cache(maxsize=2)
def _palette(colours: str) -> bytes:
    return np.round(255.0 * colormaps[colours](np.linspace(0.0, 1.0, 256))[:, :3]).astype(np.uint8).tobytes()


def _pooled(power: Levels) -> Levels:
    """(F, T) to (T, B), means."""
    return np.asarray(power.T.reshape(power.shape[1], BANDS, POOLED).mean(axis=2))
