"""Which predictor a model folder is for."""

from __future__ import annotations

from pathlib import Path

from hearing_hands_ros.predictors.example import ExamplePredictor
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.predictors.protocol import Predictor


def load_predictor(folder: str | Path, device: str = "auto") -> Predictor:
    """Load the predictor of a folder: `bank.yaml` makes it an example bank.

    Args:
        folder: The model.
        device: 'auto', 'cpu' or 'cuda'; a bank of examples is mixed on the CPU.

    Raises:
        ValueError: The folder is missing, holds no model that is known, the model is broken or cannot run there.
    """
    path = Path(folder).expanduser()
    if (path / "bank.yaml").is_file():
        if device == "cuda":
            raise ValueError(f"load_predictor('{path}'): an example bank wants device 'auto' or 'cpu', got 'cuda'")
        return ExamplePredictor(ExampleBank.load(path))
    raise ValueError(f"load_predictor('{path}'): wants a folder with bank.yaml, got none")
