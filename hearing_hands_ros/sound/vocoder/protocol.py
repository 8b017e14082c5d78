"""What a vocoder is, and how one is found."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.vocoder.griffin_lim import GriffinLim


class Vocoder(Protocol):
    """Makes sound of log-mel spectrograms on the grid of `sound.mel.log_mel`.

    Attributes:
        name: Of the vocoder.
        licence: Of its weights, or of its code where it has none.
    """

    name: str
    licence: str

    def synthesize(self, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make waves; the same ones every time.

        Args:
            log_mel: (B, F, T) or (F, T), log10 as `sound.mel.log_mel` gives it; what is outside of what sound in
                [-1, 1] can have is clipped.

        Returns:
            (B, T * hop) or (T * hop,), finite.

        Raises:
            ValueError: The shape is another, or a value is NaN.
        """
        ...


def load_vocoder(spec: str | Path, device: str = "cpu") -> Vocoder:
    """Find a vocoder.

    Args:
        spec: 'griffin_lim', or the folder of a checkpoint: of kind 'vocoder', or 'published', which holds BigVGAN.
        device: PyTorch's name of where a network runs; Griffin-Lim and BigVGAN are on the CPU.

    Raises:
        FileNotFoundError: There is no such folder, or a file in it is missing.
        ValueError: The checkpoint is not what it should be.
        ImportError: PyTorch is wanted and not installed.
    """
    if str(spec) == "griffin_lim":
        return GriffinLim(SequenceConfig())
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"load_vocoder: wanted 'griffin_lim' or a checkpoint's folder, got {str(spec)!r}")
    optional("torch", "load_vocoder")
    from hearing_hands_ros.model.checkpoint import CONFIG, read_config

    kind = read_config(folder)["kind"]
    if kind == "vocoder":
        from hearing_hands_ros.sound.vocoder.istft_head import IstftHead

        return IstftHead.load(folder, device)
    if kind == "published":
        from hearing_hands_ros.model.published.vocoder import PublishedVocoder

        return PublishedVocoder.load(folder)
    raise ValueError(f"load_vocoder: {folder / CONFIG}: kind wanted 'vocoder' or 'published', got {kind!r}")
