"""What every sound embedding takes and gives, and how one is asked for by name."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.sound.embedding import mel_statistics


class SoundEmbedding(Protocol):
    """Turns sounds into vectors that say what they are like, whatever their level.

    Attributes:
        name: Says which weights: vectors of two names are not comparable.
        dim: D, length of a vector.
        licence: Of its weights, for people.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def licence(self) -> str: ...  # noqa: D102

    def embed(self, waves: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
        """Embed (B, L) samples at `sample_rate_hz` to (B, D), finite; B may be 0.

        Raises:
            ValueError: `waves` is not (B, L), holds values that are not finite, or L is too short for one frame.
        """


def load_embedding(spec: str) -> SoundEmbedding:
    """Load an embedding.

    Args:
        spec: `mel` (statistics of the log-mel spectrogram, needs nothing) or `aisfx` (a network trained on sound
            effects, from the package of that name).

    Raises:
        ValueError: Unknown name, or weights that are not the known ones.
        ImportError: A library or the weights are missing; the message names the line that installs them.
    """
    if spec == mel_statistics.NAME:
        return mel_statistics.MelStatistics()
    if spec == "aisfx":
        optional("torch", "load_embedding('aisfx')")
        from hearing_hands_ros.sound.embedding import aisfx  # torch is slow to import

        return aisfx.load()
    raise ValueError(f"load_embedding: wanted '{mel_statistics.NAME}' or 'aisfx', got {spec!r}")
