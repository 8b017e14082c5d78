"""Bytes of PCM sound to samples in [-1, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def integers(data: NDArray[np.generic], bits: int, *, signed: bool = True) -> Samples:
    """Return integer samples of `bits` bits as float32 in [-1, 1); unsigned ones have their zero in the middle."""
    full_scale = float(1 << (bits - 1))
    scale = np.float32(1.0 / full_scale)
    if bits > 24:  # more digits than float32 has: the offset must come off first
        wave = data.astype(np.float64)
        return ((wave if signed else wave - full_scale) / full_scale).astype(np.float32)
    samples: Samples = data.astype(np.float32)
    if not signed:
        samples -= np.float32(full_scale)
    samples *= scale
    return samples


def packed_24(data: NDArray[np.uint8], *, signed: bool) -> Samples:
    """Return 24-bit little-endian samples of three bytes each."""
    wide = np.zeros((data.size // 3, 4), np.uint8)
    wide[:, 1:] = data.reshape(-1, 3)
    # In the upper three bytes the sign bit is where int32 has it.
    return (
        integers(wide.reshape(-1).view("<i4") >> 8, 24)
        if signed
        else integers(wide.view("<u4")[:, 0] >> 8, 24, signed=False)
    )


def _plain(dtype: str, bits: int, *, signed: bool = True) -> Callable[[NDArray[np.uint8]], Samples]:
    return lambda data: integers(data.view(dtype), bits, signed=signed)


# Name: (bytes a sample, decoder). The padded ones lie in the lower three of four bytes.
FORMATS: dict[str, tuple[int, Callable[[NDArray[np.uint8]], Samples]]] = {
    "signed_8": (1, _plain("i1", 8)),
    "signed_16": (2, _plain("<i2", 16)),
    "signed_24": (3, lambda data: packed_24(data, signed=True)),
    "signed_padded_24": (4, lambda data: integers((data.view("<i4") << 8) >> 8, 24)),
    "signed_32": (4, _plain("<i4", 32)),
    "unsigned_8": (1, _plain("u1", 8, signed=False)),
    "unsigned_16": (2, _plain("<u2", 16, signed=False)),
    "unsigned_24": (3, lambda data: packed_24(data, signed=False)),
    "unsigned_padded_24": (4, lambda data: integers(data.view("<u4") & 0xFFFFFF, 24, signed=False)),
    "unsigned_32": (4, _plain("<u4", 32, signed=False)),
    "float": (4, lambda data: data.view("<f4")),
    "double": (8, lambda data: data.view("<f8").astype(np.float32)),
}


def decode(data: NDArray[np.uint8], name: str) -> Samples:
    """Return bytes of a named format as samples.

    Args:
        data: (bytes,) interleaved little-endian samples.
        name: One of `FORMATS`.

    Returns:
        (samples,) float32; a view for "float".

    Raises:
        ValueError: The format is none of ours, or the bytes are not whole samples.
    """
    if name not in FORMATS:
        raise ValueError(f"wanted a sample format of {', '.join(FORMATS)}, got {name!r}")
    width, decoder = FORMATS[name]
    if data.size % width:
        raise ValueError(f"wanted bytes in multiples of {width} ({name}), got {data.size}")
    return decoder(data)
