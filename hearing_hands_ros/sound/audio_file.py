"""Sound files in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray


def read_audio(path: str | Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """A sound file as one channel at one rate.

    Args:
        path: Anything libsndfile reads: wav, flac, ogg, ...
        sample_rate_hz: Rate of the result; the file is resampled if it has another.

    Returns:
        (L,) samples; several channels are averaged.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not sound, is empty or holds values that are not finite; or the rate is not positive.
    """
    path = Path(path)
    if sample_rate_hz < 1:
        raise ValueError(f"read_audio({path.name!r}): sample_rate_hz wanted at least 1, got {sample_rate_hz}")
    if not path.is_file():
        raise FileNotFoundError(f"read_audio: wanted a sound file, got nothing at {path}")
    try:
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(
            f"read_audio({path.name!r}): wanted a sound file, got one that cannot be read: {error}"
        ) from error
    if data.shape[0] == 0:
        raise ValueError(f"read_audio({path.name!r}): wanted samples, got none")
    bad = int(np.count_nonzero(~np.isfinite(data)))
    if bad:
        raise ValueError(f"read_audio({path.name!r}): wanted finite samples, got {bad} that are not")
    mono = data.mean(axis=1, dtype=np.float32)
    if rate != sample_rate_hz:
        mono = soxr.resample(mono, rate, sample_rate_hz)
    result: NDArray[np.float32] = np.ascontiguousarray(mono, dtype=np.float32)
    return result


def write_wav(path: str | Path, wave: NDArray[np.float32], sample_rate_hz: int) -> None:
    """Write one channel as a 32-bit float wav file, so that nothing is clipped or rounded.

    Args:
        path: Where to; its folder must exist.
        wave: (L,) samples.
        sample_rate_hz: Rate of `wave`.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: `wave` is not one channel or holds values that are not finite.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"write_wav({path.name!r}): wanted a folder, got nothing at {path.parent}")
    x = np.asarray(wave, dtype=np.float32)
    if x.ndim != 1:
        raise ValueError(f"write_wav({path.name!r}): wave wanted shape (L,), got {x.shape}")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise ValueError(f"write_wav({path.name!r}): wanted finite samples, got {bad} that are not")
    soundfile.write(path, x, sample_rate_hz, format="WAV", subtype="FLOAT")
