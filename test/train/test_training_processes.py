"""One command for one process and for several."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from small_runs import SMALL

from hearing_hands_ros.train.state import load_state

ROOT = Path(__file__).parents[2]


def test_two_processes_that_torchrun_starts_train_one_network(tmp_path, dataset):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "hearing_hands_ros.cli.main"]
    command += ["train", "compact", *SMALL, f"data.folder={dataset}", f"run.out={tmp_path}", "run.steps=4"]
    command += ["run.accelerator=cpu", "run.validate_every=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "on 2 x cpu" in run.stderr
    assert run.stderr.count("step 4/4") == 1
    assert load_state(tmp_path)["progress"]["step"] == 4
    assert all(torch.isfinite(value).all() for value in load_state(tmp_path)["network"].values())
