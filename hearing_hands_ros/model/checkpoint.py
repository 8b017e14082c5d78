"""A trained network on disk: a folder with `config.yaml` and `model.safetensors`. Nothing is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.whole_file import write_text

FORMAT = "hearing_hands_ros/checkpoint/1"
CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "network": Mapping,
    "sequence": Mapping,
    "training": (str, Mapping),
    "licence": str,
}
"""What every config holds, beside `format`, `kind` and `sha256` that are put there; more is allowed."""

HOW_TO_CONVERT = "`hearing-hands model convert` makes safetensors of the published files"
PICKLES = (b"PK\x03\x04", b"\x80")
HASH_BLOCK = 1 << 22


@dataclass(frozen=True)
class Checkpoint:
    """What was read.

    Attributes:
        folder: It was read from.
        config: All of config.yaml.
        tensors: Name to tensor, on the CPU, all finite.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def sequence(self) -> SequenceConfig:
        """Rates and lengths that the network was trained for."""
        return SequenceConfig(**self.config["sequence"])

    def fill(self, network: nn.Module, prefix: str = "") -> None:
        """Put the tensors whose names start with `prefix` into a network, which may be on the meta device.

        Raises:
            ValueError: A tensor is missing, of another shape, or one too many; the message names the first.
        """
        tensors = {name[len(prefix) :]: tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}
        wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        check_tensors(str(self.folder / WEIGHTS), wanted, tensors, prefix)
        network.load_state_dict(tensors, assign=True)


def save_checkpoint(
    folder: str | Path,
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> None:
    """Write a checkpoint that `load_checkpoint` takes.

    Args:
        folder: Is made if missing; a checkpoint in it is replaced.
        kind: compact, published, vocoder...
        config: `network` (what builds it), `sequence` (fields of `SequenceConfig`), `training` (what taught it),
            `licence`, and what else is to be kept: numbers, strings, lists and mappings.
        tensors: Name to tensor.

    Raises:
        ValueError: A field is missing or of the wrong type, or a tensor is not finite.
    """
    folder = Path(folder)
    who = f"save_checkpoint({str(folder)!r})"
    document = {"format": FORMAT, "kind": kind, **config}
    _check_fields(who, document)
    check_finite(who, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors = optional("safetensors.torch", who)
    draft = folder / f"{WEIGHTS}.part"
    draft.unlink(missing_ok=True)
    draft.touch()
    mode = draft.stat().st_mode  # what a new file gets here; safetensors makes one that nobody else may read
    # Others may have the old file mapped: it is replaced, never written over.
    safetensors.save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, draft)
    draft.chmod(mode)
    document["sha256"] = {WEIGHTS: sha256_of(draft)}
    try:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        draft.unlink()
        raise ValueError(f"{who}: config wanted numbers, strings, lists and mappings, got {error}") from error
    draft.replace(folder / WEIGHTS)
    write_text(folder / CONFIG, text)


def load_checkpoint(folder: str | Path, kind: str) -> Checkpoint:
    """Read and check a checkpoint.

    Args:
        folder: That `save_checkpoint` wrote.
        kind: Wanted.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A field, the hash or a tensor is not what it should be; the message names the file and the field.
    """
    folder = Path(folder).expanduser()
    config = read_config(folder)
    path = folder / WEIGHTS
    if config["kind"] != kind:
        raise ValueError(f"{folder / CONFIG}: kind wanted {kind!r}, got {config['kind']!r}")
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: wanted {WEIGHTS}, got {_instead(folder)}")
    digest, wanted = sha256_of(path), config["sha256"][WEIGHTS]
    if digest != wanted:
        raise ValueError(f"{path}: sha256 wanted {wanted}, got {digest}: the file is damaged or was exchanged")
    tensors = _read_safetensors(path)
    check_finite(str(path), tensors)
    return Checkpoint(folder, config, tensors)


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read and check config.yaml of a checkpoint of any kind, without its weights.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is not YAML, or a field is missing or wrong.
    """
    path = Path(folder).expanduser() / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: wanted {CONFIG} of a checkpoint, got nothing at {path}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: wanted YAML, got something else: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: wanted a mapping, got {type(config).__name__}")  # noqa: TRY004  (a file's fault)
    _check_fields(str(path), config)
    hashes = config.get("sha256")
    if not isinstance(hashes, dict) or not isinstance(hashes.get(WEIGHTS), str):
        raise ValueError(f"{path}: sha256 wanted a mapping with {WEIGHTS}, got {hashes!r}")  # noqa: TRY004  (a file's fault)
    return config


def check_tensors(who: str, wanted: Mapping[str, Sequence[int]], got: Mapping[str, Tensor], prefix: str = "") -> None:
    """Compare names and shapes.

    Args:
        who: For the message: the file.
        wanted: Name to shape.
        got: Name to tensor.
        prefix: Of the names in the file, for the message.

    Raises:
        ValueError: They differ; the message names the first that does, in the order of `wanted`, then of `got`.
    """
    for name, shape in wanted.items():
        if name not in got:
            raise ValueError(f"{who}: tensor {prefix + name!r} wanted shape {tuple(shape)}, got none of that name")
        if tuple(got[name].shape) != tuple(shape):
            raise ValueError(
                f"{who}: tensor {prefix + name!r} wanted shape {tuple(shape)}, got {tuple(got[name].shape)}"
            )
    for name, tensor in got.items():
        if name not in wanted:
            raise ValueError(f"{who}: tensor {prefix + name!r} of shape {tuple(tensor.shape)} is not wanted")


def check_finite(who: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse NaN and infinity.

    Raises:
        ValueError: A tensor holds some; the message names the first.
    """
    for name, tensor in tensors.items():
        # A sum is not finite if one of its terms is not, and needs no second tensor; it may overflow, so look again.
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            bad = int(torch.count_nonzero(~torch.isfinite(tensor)))
            if bad:
                raise ValueError(
                    f"{who}: tensor {name!r} wanted finite values, got {bad} of {tensor.numel()} that are not"
                )


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_fields(who: str, config: Mapping[str, Any]) -> None:
    if config.get("format") != FORMAT:
        raise ValueError(f"{who}: format wanted {FORMAT!r}, got {config.get('format')!r}")
    if not isinstance(config.get("kind"), str):
        raise ValueError(f"{who}: kind wanted a name, got {config.get('kind')!r}")  # noqa: TRY004  (a file's fault)
    for name, type_ in FIELDS.items():
        if not isinstance(config.get(name), type_) or not config[name]:
            kinds = type_ if isinstance(type_, tuple) else (type_,)
            wanted = " or ".join(kind.__name__.lower() for kind in kinds)
            raise ValueError(f"{who}: {name} wanted a {wanted} that is not empty, got {config.get(name)!r}")
    extra = set(config["sequence"]) - {field.name for field in fields(SequenceConfig)}
    if extra:
        raise ValueError(f"{who}: sequence wanted fields of SequenceConfig, got {sorted(map(str, extra))} too")
    try:
        SequenceConfig(**config["sequence"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: sequence: {error}") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    safetensors = optional("safetensors.torch", str(path))
    try:
        return dict(safetensors.load_file(path))
    except Exception as error:
        with path.open("rb") as stream:
            pickle = stream.read(4).startswith(PICKLES)
        got = f"a pickle, which is never loaded; {HOW_TO_CONVERT}" if pickle else f"one that cannot be read: {error}"
        raise ValueError(f"{path}: wanted a file of safetensors, got {got}") from error


def _instead(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin"))
    return f"{names[0]}, a pickle, which is never loaded; {HOW_TO_CONVERT}" if names else "nothing of that name"
