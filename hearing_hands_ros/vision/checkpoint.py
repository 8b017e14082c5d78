"""An encoder of our own: a folder with `config.yaml` and `model.safetensors`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.vision.encoder import Precision
from hearing_hands_ros.vision.network import NetworkEncoder, Preprocessing, load_strictly, numbers

KEYS = (
    "format",
    "kind",
    "name",
    "architecture",
    "dim",
    "image_size",
    "mean",
    "std",
    "training_data",
    "licence",
    "sha256",
)
FORMAT, KIND = 1, "image_encoder"


def load(folder: str | Path, precision: Precision = "auto", device: str = "auto") -> NetworkEncoder:
    """Load a checkpoint.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A field, the hash or a tensor is not what it should be; the message names the file and the field.
    """
    folder = Path(folder).expanduser()
    config = _read_config(folder / "config.yaml")
    path = folder / "model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: wanted model.safetensors, got nothing at {path}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != config["sha256"]:
        raise ValueError(f"{path}: sha256 wanted {config['sha256']}, got {digest}")
    network = _network(config["architecture"], config["dim"], folder)
    safetensors = optional("safetensors.torch", str(folder))
    try:
        weights = safetensors.load_file(path)
    except Exception as error:
        raise ValueError(f"{path}: wanted a file of safetensors, got one that cannot be read: {error}") from error
    load_strictly(str(path), network, weights)
    try:
        preprocessing = Preprocessing(config["image_size"], numbers(config["mean"]), numbers(config["std"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.yaml'}: image_size, mean, std: {error}") from error
    name = f"{config['name']}:{digest[:12]}"
    return NetworkEncoder(name, network, preprocessing, config["licence"], precision, device)


def save(folder: str | Path, encoder: NetworkEncoder, name: str, architecture: str, training_data: str) -> None:
    """Write a checkpoint that `load` takes.

    Args:
        folder: Is made if missing.
        encoder: What to keep; its network is timm's `architecture` with `encoder.dim` outputs.
        name: Of the checkpoint.
        architecture: timm's name.
        training_data: For people.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors = optional("safetensors.torch", str(folder))
    tensors = {key: tensor.contiguous().cpu() for key, tensor in encoder.network.state_dict().items()}
    safetensors.save_file(tensors, folder / "model.safetensors")
    config = {
        "format": FORMAT,
        "kind": KIND,
        "name": name,
        "architecture": architecture,
        "dim": encoder.dim,
        "image_size": encoder.image_size,
        "mean": list(encoder.preprocessing.mean),
        "std": list(encoder.preprocessing.std),
        "training_data": training_data,
        "licence": encoder.licence,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _network(architecture: str, dim: int, folder: Path) -> nn.Module:
    """A network of timm; `dim` outputs through a linear layer, or its own features if it has as many."""
    timm = optional("timm", str(folder))
    if architecture not in timm.list_models():
        raise ValueError(
            f"{folder / 'config.yaml'}: architecture wanted a model of timm.list_models(), got {architecture!r}"
        )
    network = timm.create_model(architecture, pretrained=False, num_classes=0)
    if network.num_features != dim:
        network.reset_classifier(dim)
    return network  # type: ignore[no-any-return]


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: wanted config.yaml, got nothing at {path}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted YAML, got something else: {error}") from error
    if not isinstance(config, dict) or set(config) != set(KEYS):
        got = sorted(config) if isinstance(config, dict) else type(config).__name__
        raise ValueError(f"{path}: wanted the keys {sorted(KEYS)}, got {got}")
    if (config["format"], config["kind"]) != (FORMAT, KIND):
        raise ValueError(
            f"{path}: format and kind wanted {FORMAT}, '{KIND}', got {config['format']}, {config['kind']!r}"
        )
    if not (isinstance(config["dim"], int) and config["dim"] > 0):
        raise ValueError(f"{path}: dim wanted a positive whole number, got {config['dim']!r}")
    return config
