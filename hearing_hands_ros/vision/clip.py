"""CLIP and its kin through open_clip: any model name, weights from a local file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import Tensor, nn

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.vision.encoder import Precision
from hearing_hands_ros.vision.network import NetworkEncoder, Preprocessing, numbers

PREFIX = "open_clip:"


class _ImageTower(nn.Module):
    """The half of a CLIP that sees; features of length 1."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.visual = model.visual

    def forward(self, images: Tensor) -> Tensor:
        seen: Tensor = self.visual(images)  # type: ignore[operator]
        return nn.functional.normalize(seen, dim=-1)


def load(spec: str, precision: Precision = "auto", device: str = "auto") -> NetworkEncoder:
    """Load `open_clip:MODEL:FILE`; size and normalisation are the model's own.

    Raises:
        ValueError: Unknown model, or weights that do not fit it.
        FileNotFoundError: No such file.
    """
    model_name, _, file = spec.removeprefix(PREFIX).partition(":")
    open_clip = optional("open_clip", spec)
    if model_name not in open_clip.list_models():
        raise ValueError(f"{PREFIX}: wanted a model of open_clip.list_models(), got {model_name!r}")
    path = Path(file).expanduser()
    if not file or not path.is_file():
        raise FileNotFoundError(f"{PREFIX}{model_name}: wanted a file of weights ('{PREFIX}MODEL:FILE'), got {file!r}")
    try:
        # open_clip loads .safetensors, or a pickle with weights_only=True.
        model = open_clip.create_model(model_name, pretrained=str(path), weights_only=True)
    except (RuntimeError, KeyError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{PREFIX}{model_name}: wanted its weights in {path}, got others: {reason}") from error
    wanted = open_clip.get_model_preprocess_cfg(model)
    size = wanted["size"] if isinstance(wanted["size"], int) else wanted["size"][0]
    preprocessing = Preprocessing(size, numbers(wanted["mean"]), numbers(wanted["std"]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"{PREFIX}{model_name}:{digest[:12]}"
    return NetworkEncoder(name, _ImageTower(model), preprocessing, "that of the file", precision, device)
