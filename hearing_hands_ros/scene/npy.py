"""Arrays from files that nobody vouches for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_open_memmap: Any = np.lib.format.open_memmap  # not typed in every NumPy


def map_npy(path: Path) -> NDArray[Any]:
    """Map a .npy file: nothing is allocated for a header that lies about the size.

    Raises:
        ValueError: It cannot be read, whatever NumPy raises for that.
    """
    try:
        with np.errstate(over="ignore"):
            return np.asarray(_open_memmap(path, mode="r"))
    except Exception as error:  # numpy evaluates the header and lets whatever is wrong with it escape
        raise ValueError(f"wanted a .npy file, got one that cannot be read: {error}") from error
