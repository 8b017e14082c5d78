"""Which predictor a model folder is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Predictor

if TYPE_CHECKING:
    from hearing_hands_ros.vision.view_features import Mode


def load_predictor(
    folder: str | Path,
    device: str = "auto",
    scene: str | Path = "",
    views: Mode = "bare",
    progress: Callable[[int, int], object] | None = None,
) -> Predictor:
    """Load the predictor of a folder: `bank.yaml` makes it an example bank, `config.yaml` a generator's checkpoint.

    Args:
        folder: The model.
        device: 'auto', 'cpu' or 'cuda'; a bank of examples is mixed on the CPU.
        scene: Folder of the scene bundle, which a generator must see.
        views: How it sees what is touched, as in `ViewFeatures`.
        progress: Of baking the scene's features, told (cells done, cells in all).

    Raises:
        FileNotFoundError: A file of the model or the scene is missing.
        ImportError: A library is missing; the message names the line that installs it.
        ValueError: The folder is missing, holds no model that is known, the model is broken or cannot run there.
    """
    path = Path(folder).expanduser()
    who = f"load_predictor('{path}')"
    if (path / "bank.yaml").is_file():
        if device == "cuda":
            raise ValueError(f"{who}: an example bank wants device 'auto' or 'cpu', got 'cuda'")
        return ExamplePredictor(ExampleBank.load(path))
    if not (path / "config.yaml").is_file():
        raise ValueError(f"{who}: wants a folder with bank.yaml or config.yaml, got none")
    from hearing_hands_ros.model.checkpoint import read_config  # torch is slow to import

    kind = read_config(path)["kind"]
    if kind not in ("compact", "published"):
        raise ValueError(f"{who}: a generator's checkpoint wants kind 'compact' or 'published', got {kind!r}")
    if not str(scene):
        raise ValueError(f"{who}: a generator wants a scene to look at, got none")
    if kind == "compact":
        from hearing_hands_ros.predictors.generator import load_generator

        return load_generator(path, device, scene, views, progress)
    from hearing_hands_ros.predictors.published import load_published

    return load_published(path, device, scene, views, progress)
