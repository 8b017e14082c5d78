from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_encoder import PatchColours

from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.generate import Materials, generate
from hearing_hands_ros.train.simulator.simulate import SimulatorSettings
from hearing_hands_ros.train.simulator.workcell import Workcell, build_workcell

DEMO = Path(__file__).parents[3] / "demo"
SETTINGS = SimulatorSettings(seed=3, train_scenes=1, val_scenes=0, test_scenes=1, items=2, hand_share=0.7)
MATERIALS = Materials(DEMO / "bank", DEMO / "held_out", "not loaded")


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one scene for training and one for test."""
    folder = tmp_path_factory.mktemp("simulated")
    generate(folder, SETTINGS, MATERIALS, encoder=PatchColours())
    return folder


@pytest.fixture(scope="session")
def made(made_folder: Path) -> Dataset:
    return Dataset.open(made_folder)


@pytest.fixture(scope="session")
def bank() -> ExampleBank:
    return ExampleBank.load(DEMO / "bank")


@pytest.fixture(scope="session")
def cell() -> Workcell:
    return build_workcell("made", "train", np.random.default_rng(11))


@pytest.fixture(scope="session")
def cell_surface(cell: Workcell) -> SplatSurface:
    return SplatSurface(cell.bundle)
