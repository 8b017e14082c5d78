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
from hearing_hands_ros.sound.vocoder.grid import checked


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
        """Make waves; see the protocol."""
        x = torch.from_numpy(checked(self.name, log_mel, self.sequence))
        with torch.inference_mode():
            waves: NDArray[np.float32] = self._network(x).numpy()
        return waves if np.ndim(log_mel) == 3 else waves[0]
