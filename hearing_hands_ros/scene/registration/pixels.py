"""Pixels of compressed images that may be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM")  # of photos; Pillow starts programs to read some others
MOST_PIXELS = 64_000_000


def read_pixels(source: Path | IO[bytes]) -> NDArray[np.uint8]:
    """Decode a JPEG, a PNG, or another of `FORMATS`.

    Args:
        source: A file, or what was in one.

    Returns:
        (H, W, 3) RGB.

    Raises:
        ValueError: It cannot be read, is damaged, has more than `MOST_PIXELS` or more than 8 bits a channel.
    """
    try:
        with Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            require_bytes(picture)
            if width * height <= MOST_PIXELS:
                return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except Exception as error:  # Pillow lets out whatever its decoders meet
        raise ValueError(f"cannot be read: {error}") from error
    raise ValueError(f"cannot be read: wanted at most {MOST_PIXELS} pixels, got {width} x {height}")


def require_bytes(picture: Image.Image) -> None:
    """Refuse what Pillow would make all white: grey of 16 or 32 bits, such as depth.

    Raises:
        ValueError: A pixel is more than a byte a channel.
    """
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"wanted 8 bits a channel, got Pillow's mode {picture.mode!r}")
