"""A small trained vocoder, live on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, check_tensors, load_checkpoint
from hearing_hands_ros.sound.vocoder.grid import checked
from hearing_hands_ros.sound.vocoder.istft_network import IstftConfig, IstftNetwork

KIND = "vocoder"


class IstftHead:
    """An `IstftNetwork` as a `Vocoder`.

    Attributes:
        name: Of the checkpoint.
        licence: Of its weights.
        sequence: Its mel grid.
    """

    def __init__(self, network: IstftNetwork, name: str, licence: str) -> None:
        self.name = name
        self.licence = licence
        self.sequence = network.sequence
        self._network = network.eval()

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> IstftHead:
        """Read a checkpoint.

        Args:
            folder: Of kind 'vocoder'.
            device: PyTorch's name of where it runs.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: A field, the hash or a tensor is not what it should be.
        """
        checkpoint = load_checkpoint(folder, KIND)
        path = checkpoint.folder / CONFIG
        network = IstftNetwork(_network_config(checkpoint.config["network"], path), checkpoint.sequence)
        wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        check_tensors(str(checkpoint.folder / WEIGHTS), wanted, checkpoint.tensors)
        network.load_state_dict(checkpoint.tensors)  # copied, so half-precision files become float32
        name = checkpoint.config.get("name")
        if not isinstance(name, str):
            raise ValueError(f"{path}: name wanted text, got {name!r}")  # noqa: TRY004  (a file's fault)
        return cls(network.to(device), name, checkpoint.config["licence"])

    def synthesize(self, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Vocoder.synthesize`."""
        x = torch.from_numpy(checked(self.name, log_mel, self.sequence)).to(self._network.window.device)
        with torch.inference_mode():
            waves: NDArray[np.float32] = self._network(x).cpu().numpy()
        return waves if np.ndim(log_mel) == 3 else waves[0]


def _network_config(fields: dict[str, Any], path: Path) -> IstftConfig:
    try:
        return IstftConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: network: {error}") from error
