"""Everything that the next step depends on, on disk. A save that fails leaves the one before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.optim import Optimizer

from hearing_hands_ros.train.ema import Ema

FORMAT = "hearing_hands_ros/training/1"
FILE = "state.pt"


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: Steps done.
        best: Least validation loss so far.
        skipped: Steps whose loss was not finite.
    """

    step: int = 0
    best: float = float("inf")
    skipped: int = 0


def save_state(
    folder: Path, config: Mapping[str, Any], progress: Progress, network: nn.Module, ema: Ema, optimizer: Optimizer
) -> None:
    """Write `state.pt`: aside, then in place of the one before.

    Raises:
        OSError: There is no room, or it cannot be written; the one before is untouched.
    """
    content = {
        "format": FORMAT,
        "config": dict(config),
        "progress": vars(progress),
        "network": network.state_dict(),
        "ema": ema.network.state_dict(),
        "ema_updates": ema.updates,
        "optimizer": optimizer.state_dict(),
    }

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())

    _aside(folder / FILE, write)


def load_state(folder: Path) -> dict[str, Any] | None:
    """What `save_state` wrote, on the CPU; None if there is nothing.

    Raises:
        ValueError: It cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        fits = content["format"] == FORMAT
    except Exception as error:
        raise ValueError(f"{path}: wanted the state of a run, got a file that cannot be read: {error}") from error
    if not fits:
        raise ValueError(f"{path}: format wanted {FORMAT!r}, got {content['format']!r}")
    return dict(content)


def restore(content: Mapping[str, Any], network: nn.Module, ema: Ema, optimizer: Optimizer) -> Progress:
    """Put a saved state back.

    Raises:
        ValueError: It is of another network.
    """
    try:
        network.load_state_dict(content["network"])
        ema.network.load_state_dict(content["ema"])
        optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"training: state wanted that of this network, got another: {error}") from error
    ema.updates = int(content["ema_updates"])
    return Progress(**content["progress"])


def mend_folder(folder: Path) -> None:
    """Put back what a run that was killed between two names had set aside."""
    before = _before(folder)
    if before.is_dir() and not folder.exists():
        before.rename(folder)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder aside, then put it in place of the one before.

    Raises:
        OSError: There is no room, or it cannot be written; the one before is untouched.
    """
    _aside(folder, write)


def _aside(path: Path, write: Callable[[Path], None]) -> None:
    draft = path.with_name(f"{path.name}.part")
    _remove(draft)
    try:
        write(draft)
    except OSError:
        _remove(draft)
        raise
    except (RuntimeError, SafetensorError) as error:  # writers that hide the reason
        _remove(draft)
        raise OSError(f"{path}: cannot be written: {error}") from error
    if path.is_dir():
        before = _before(path)
        _remove(before)
        path.rename(before)
        draft.rename(path)
        _remove(before)
    else:
        draft.replace(path)


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
