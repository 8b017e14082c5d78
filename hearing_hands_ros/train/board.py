"""Curves, pictures and sounds for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.picture import SpectrogramPicture
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder
from hearing_hands_ros.train.task import Sample

LOUDEST = 0.7


class Board:
    """Writes `events.out.tfevents.*`; after a stop the curves go on where the saved state was.

    Args:
        folder: To write to.
        sequence: Of the samples.
        step: First step that is written; what an earlier run wrote of it and later is hidden.
        say: Told once, if they cannot be written any more; training goes on without.
    """

    def __init__(self, folder: Path, sequence: SequenceConfig, step: int, say: Callable[[str], None]) -> None:
        optional("tensorboard", "train", extra="train")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(folder, purge_step=step, flush_secs=30)  # type: ignore[no-untyped-call]
        self._sequence = sequence
        self._vocoder = load_vocoder("griffin_lim")
        self._shown: set[str] = set()
        self._say, self._over = say, False

    def curves(self, values: Mapping[str, float], step: int) -> None:
        """Add a point to each curve."""
        with self._writing():
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)  # type: ignore[no-untyped-call]

    def samples(self, samples: Sequence[Sample], step: int) -> None:
        """Add pictures and sounds; what is true is heard once."""
        with self._writing():
            for sample in samples:
                picture = SpectrogramPicture(sample.true.shape[1], self._sequence, 0.0)
                drawn = picture.draw(sample.predicted, sample.true, title=sample.name)
                self._writer.add_image(f"samples/{sample.name}", drawn, step, dataformats="HWC")  # type: ignore[no-untyped-call]
                self._sound(f"{sample.name}/predicted", sample.predicted, step)
                if sample.name not in self._shown:
                    self._shown.add(sample.name)
                    self._sound(f"{sample.name}/true", sample.true, step)

    def close(self) -> None:
        """Write what is left."""
        with self._writing():
            self._writer.close()  # type: ignore[no-untyped-call]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._over:
                self._say(f"curves end here, they cannot be written: {error}")
            self._over = True

    def _sound(self, name: str, log_mel: NDArray[np.float32], step: int) -> None:
        wave = self._vocoder.synthesize(log_mel)
        wave = wave * (LOUDEST / max(LOUDEST, float(np.abs(wave).max())))
        rate = self._sequence.sample_rate_hz
        self._writer.add_audio(name, torch.from_numpy(wave)[None], step, sample_rate=rate)  # type: ignore[no-untyped-call]
