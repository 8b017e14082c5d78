"""The published PyTorch files, checked name by name, as one checkpoint folder."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hearing_hands_ros.model.checkpoint import check_finite, check_tensors, save_checkpoint
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.bigvgan import BigVGAN, fold_weight_norm
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.generator import KIND
from hearing_hands_ros.model.published.velocity import VelocityNetwork
from hearing_hands_ros.plain import plain
from hearing_hands_ros.sequence import SequenceConfig

PREFIXES = {
    "velocity.": "model.diffusion_model.",
    "autoencoder.": "first_stage_model.",
    "conditioner.": "cond_stage_model.",
}
"""What each part is called in our folder, and in the published file."""

CHECKPOINT_KEY, VOCODER_KEY = "state_dict", "generator"
TRAINING = (
    "The published Hearing Hands data set: people touching 24 scenes of 3D Gaussian splats (arXiv 2506.09989). "
    "Converted from the published files."
)
LICENCE = "That of the published checkpoints: ask where you got them. BigVGAN: MIT"


def wanted_shapes(config: PublishedConfig) -> dict[str, dict[str, tuple[int, ...]]]:
    """Names and shapes in the published files: those of the three prefixes, and of 'generator'."""
    with torch.device("meta"):
        networks: dict[str, nn.Module] = {
            "model.diffusion_model.": VelocityNetwork(config.velocity),
            "first_stage_model.": Autoencoder(config.autoencoder),
            "cond_stage_model.": Conditioner(config.conditioner),
        }
        vocoder = BigVGAN(config.vocoder)
    shapes = {prefix: {n: tuple(t.shape) for n, t in part.state_dict().items()} for prefix, part in networks.items()}
    shapes[VOCODER_KEY] = {}
    for name, tensor in vocoder.state_dict().items():
        shape = tuple(tensor.shape)
        if name.endswith(".weight"):  # normalised: a length for each first index, and a direction
            shapes[VOCODER_KEY][f"{name}_g"] = (shape[0], 1, 1)
            shapes[VOCODER_KEY][f"{name}_v"] = shape
        else:
            shapes[VOCODER_KEY][name] = shape
    return shapes


def read_published(
    checkpoint: str | Path, vocoder: str | Path, config: PublishedConfig | None = None
) -> dict[str, Tensor]:
    """Read and check the published files.

    Args:
        checkpoint: Velocity network, autoencoder and conditioner in one file.
        vocoder: BigVGAN's generator.
        config: Sizes; the published ones if not given.

    Returns:
        Name, with the prefixes of our folder, to tensor; the vocoder's weights as they act.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no PyTorch file of tensors alone, or a tensor is missing, of another shape, not finite, or one
            too many; the message names the first.
    """
    wanted = wanted_shapes(config or PublishedConfig())
    checkpoint, vocoder = Path(checkpoint).expanduser(), Path(vocoder).expanduser()
    stored = _tensors(checkpoint, CHECKPOINT_KEY)
    tensors: dict[str, Tensor] = {}
    for ours, theirs in PREFIXES.items():
        part = {name[len(theirs) :]: tensor for name, tensor in stored.items() if name.startswith(theirs)}
        check_tensors(str(checkpoint), wanted[theirs], part, theirs)
        tensors |= {ours + name: tensor for name, tensor in part.items()}
    check_finite(str(checkpoint), tensors)
    generator = _tensors(vocoder, VOCODER_KEY)
    check_tensors(str(vocoder), wanted[VOCODER_KEY], generator)
    check_finite(str(vocoder), generator)
    return tensors | {f"vocoder.{name}": tensor for name, tensor in fold_weight_norm(generator).items()}


def convert(
    checkpoint: str | Path,
    vocoder: str | Path,
    folder: str | Path,
    config: PublishedConfig | None = None,
    sequence: SequenceConfig | None = None,
    licence: str = LICENCE,
    encoders: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint folder from the published files; see `read_published`.

    `encoders` is kept for `predictors.published_encoders`.
    """
    config, sequence = config or PublishedConfig(), sequence or SequenceConfig()
    config.check_sequence(sequence)
    tensors = read_published(checkpoint, vocoder, config)
    document: dict[str, Any] = {
        "network": plain(asdict(config)),
        "sequence": asdict(sequence),
        "training": TRAINING,
        "licence": licence,
    }
    if encoders:
        document["encoders"] = dict(encoders)
    save_checkpoint(folder, KIND, document, tensors)


def _tensors(path: Path, key: str) -> dict[str, Tensor]:
    """The mapping of tensors under `key` in a PyTorch file; nothing in the file is run."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: wanted a PyTorch file, got nothing there")
    try:
        content = _load(path)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: wanted a PyTorch file of tensors alone, got one that asks for code to be run, which was refused: "
            f"{_first_line(error)}"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: wanted a PyTorch file, got one that cannot be read: {_first_line(error)}") from error
    if not isinstance(content, Mapping) or not isinstance(content.get(key), Mapping):
        got = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(f"{path}: wanted a mapping with {key!r}, got {got}")  # noqa: TRY004  (a file's fault)
    return {str(name): value for name, value in content[key].items() if isinstance(value, Tensor)}


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
    return torch.load(path, map_location="cpu", weights_only=True)  # files before PyTorch 1.6 cannot be mapped


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
