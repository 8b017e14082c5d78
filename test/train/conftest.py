"""A small dataset, and training on it."""

import pytest
from burst_dataset import make_dataset
from small_runs import SMALL, fit

from hearing_hands_ros.train.config import load_config
from hearing_hands_ros.train.task import make_task


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "made", items=3)


@pytest.fixture
def train(dataset):
    def run(out, *words, task_of=make_task):
        return fit(load_config("compact", [*SMALL, f"data.folder={dataset}", f"run.out={out}", *words]), task_of)

    return run
