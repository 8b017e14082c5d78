"""A torch network behind the `ImageEncoder` protocol: sizes, normalisation, batches, precision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hearing_hands_ros.vision.encoder import Features, Images, Precision

BATCH = 16  # pictures at a time
TRIAL = 4  # pictures of the timing that chooses a precision
TRIALS = 3


@dataclass(frozen=True)
class Preprocessing:
    """What a network wants to see.

    Attributes:
        image_size: Width and height, pixels.
        mean: (3,) of red, green, blue in 0..1.
        std: (3,) likewise.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not (self.image_size > 0 and len(self.mean) == len(self.std) == 3 and min(self.std) > 0.0):
            raise ValueError(f"Preprocessing: wanted a positive size and std, three means, got {self}")


class NetworkEncoder:
    """Encodes with a network that maps (B, 3, S, S) to (B, D).

    Args:
        name: See `ImageEncoder`.
        network: In evaluation mode afterwards.
        preprocessing: Size and normalisation.
        licence: Of the weights.
        precision: `auto` times both and takes the faster one.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ValueError: No CUDA where it is asked for.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        preprocessing: Preprocessing,
        licence: str,
        precision: Precision = "auto",
        device: str = "auto",
    ) -> None:
        if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ValueError(f"{name}: wanted a device that is here, 'cpu', 'cuda' or 'auto', got {device!r}")
        self.name, self.licence, self.preprocessing = name, licence, preprocessing
        chosen = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(chosen)
        self.network = network.eval().to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        mean, std = (
            torch.tensor(v, device=self.device)[:, None, None] for v in (preprocessing.mean, preprocessing.std)
        )
        self._scale, self._offset = 1.0 / (255.0 * std), mean / std
        self.dtype = self._fastest() if precision == "auto" else getattr(torch, precision)
        self.dim = int(self._forward(self._blank(1)).shape[1])

    @property
    def image_size(self) -> int:
        """Width and height, pixels."""
        return self.preprocessing.image_size

    def encode(self, images: Images) -> Features:
        """Encode (B, H, W, 3) uint8 to (B, D) float32.

        Raises:
            ValueError: Another shape or type.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ValueError(f"{self.name}: wanted (B, H, W, 3) uint8, got {images.dtype} of {images.shape}")
        if not len(images):
            return np.zeros((0, self.dim), np.float32)
        parts = [
            self._forward(torch.from_numpy(np.array(images[first : first + BATCH])).to(self.device))
            for first in range(0, len(images), BATCH)
        ]
        return np.asarray(torch.cat(parts).cpu().numpy(), np.float32)

    def _forward(self, images: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """(B, H, W, 3) uint8 to (B, D) float32."""
        dtype = dtype or self.dtype
        with torch.inference_mode(), torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            x = images.permute(0, 3, 1, 2).float()
            size = self.preprocessing.image_size
            if x.shape[2:] != (size, size):
                x = nn.functional.interpolate(x, (size, size), mode="bicubic", antialias=True).clamp(0.0, 255.0)
            x = (x * self._scale - self._offset).contiguous(memory_format=torch.channels_last)
            return self.network(x).float()

    def _fastest(self) -> torch.dtype:
        blank = self._blank(TRIAL)
        seconds: dict[torch.dtype, float] = {}
        for dtype in (torch.float32, torch.bfloat16):
            self._forward(blank, dtype)  # the first pass allocates
            times = []
            for _ in range(TRIALS):
                begun = time.perf_counter()
                self._forward(blank, dtype).cpu()
                times.append(time.perf_counter() - begun)
            seconds[dtype] = min(times)
        return min(seconds, key=lambda dtype: seconds[dtype])

    def _blank(self, count: int) -> Tensor:
        size = self.preprocessing.image_size
        return torch.zeros((count, size, size, 3), dtype=torch.uint8, device=self.device)


def load_strictly(who: str, network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load weights; every name and shape must fit.

    Raises:
        ValueError: The first tensor that does not fit, by name.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in (*wanted, *got):
        if wanted.get(name) != got.get(name):
            raise ValueError(f"{who}: tensor '{name}' wanted {wanted.get(name)}, got {got.get(name)}")
    network.load_state_dict(weights)


def numbers(values: Sequence[float]) -> tuple[float, float, float]:
    """Three numbers as a tuple."""
    first, second, third = (float(value) for value in values)
    return first, second, third
