"""Pixels of compressed images that may be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def read_pixels(source: Path | IO[bytes]) -> NDArray[np.uint8]:
    """Decode a JPEG, a PNG, or what else Pillow knows.

    Args:
        source: A file, or what was in one.

    Returns:
        (H, W, 3) RGB.

    Raises:
        ValueError: It cannot be read, is damaged, or is too large to be a photo.
    """
    try:
        with Image.open(source) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow lets out
        raise ValueError(f"cannot be read: {error}") from error
