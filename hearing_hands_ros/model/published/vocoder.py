"""The published vocoder on its own, for log-mel spectrograms from anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hearing_hands_ros.model.checkpoint import CONFIG, load_checkpoint
from hearing_hands_ros.model.published.acceleration import accelerate
from hearing_hands_ros.model.published.bigvgan import BigVGAN
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.generator import KIND
from hearing_hands_ros.sequence import SequenceConfig


class PublishedVocoder:
    """BigVGAN as a `sound.vocoder.protocol.Vocoder`.

    Attributes:
        name: bigvgan.
        licence: Of its weights.
        sequence: Its mel grid.
    """

    name = "bigvgan"

    def __init__(self, network: BigVGAN, licence: str, sequence: SequenceConfig | None = None) -> None:
        self.licence = licence
        self.sequence = sequence or SequenceConfig()
        self._network = network.eval().requires_grad_(False).float()
        accelerate(self._network)

    @classmethod
    def load(cls, folder: str | Path) -> PublishedVocoder:
        """Take it out of a checkpoint of the published model.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: The config, the hash or a tensor is not what it should be.
        """
        checkpoint = load_checkpoint(folder, KIND)
        try:
            config = PublishedConfig.from_mapping(checkpoint.config["network"])
            config.check_sequence(checkpoint.sequence)
            with torch.device("meta"):
                network = BigVGAN(config.vocoder)
        except ValueError as error:
            raise ValueError(f"{checkpoint.folder / CONFIG}: {error}") from error
        checkpoint.fill(network, "vocoder.")
        return cls(network, checkpoint.config["licence"], checkpoint.sequence)

    def synthesize(self, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make waves; see the protocol.

        Raises:
            ValueError: The shape is not (B, 80, T) or (80, T), or a value is not finite.
        """
        values = np.asarray(log_mel, np.float32)
        if not np.isfinite(values).all():
            raise ValueError("PublishedVocoder: log_mel wanted finite values, got some that are not")
        with torch.inference_mode():
            waves: NDArray[np.float32] = self._network(
                torch.from_numpy(values[None] if values.ndim == 2 else values)
            ).numpy()
        return waves[0] if values.ndim == 2 else waves
