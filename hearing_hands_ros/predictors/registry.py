"""Which predictor a model folder is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Predictor

if TYPE_CHECKING:
    from hearing_hands_ros.predictors.streaming import Streamer
    from hearing_hands_ros.vision.view_features import Mode

Progress = Callable[[int, int], object]
Loader = Callable[[Path, str, str | Path, "Mode", Progress | None], Predictor]


def _load_compact(folder: Path, device: str, scene: str | Path, views: Mode, progress: Progress | None) -> Predictor:
    from hearing_hands_ros.predictors.generator import load_generator  # torch is slow to import

    return load_generator(folder, device, scene, views, progress)


def _load_published(folder: Path, device: str, scene: str | Path, views: Mode, progress: Progress | None) -> Predictor:
    from hearing_hands_ros.predictors.published import load_published

    return load_published(folder, device, scene, views, progress)


GENERATORS: dict[str, Loader] = {"compact": _load_compact, "published": _load_published}
"""Who loads a checkpoint of a kind; whoever has a generator of another kind adds it here."""


def load_predictor(
    folder: str | Path,
    device: str = "auto",
    scene: str | Path = "",
    views: Mode = "bare",
    progress: Progress | None = None,
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
    if kind not in GENERATORS:
        known = " or ".join(map(repr, GENERATORS))
        raise ValueError(f"{who}: a generator's checkpoint wants kind {known}, got {kind!r}")
    if not str(scene):
        raise ValueError(f"{who}: a generator wants a scene to look at, got none")
    return GENERATORS[kind](path, device, scene, views, progress)


def load_streamer(predictor: Predictor) -> Streamer:
    """What predicts without end with the generator that a predictor has already loaded.

    Raises:
        ValueError: The predictor has nothing that streams.
    """
    make: Callable[[], Streamer] | None = getattr(predictor, "streamer", None)
    if make is None:
        raise ValueError(f"load_streamer: wants a compact generator, got {predictor.name!r} ({predictor.model})")
    return make()
