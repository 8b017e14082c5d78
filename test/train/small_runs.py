"""Training of a small network in this process."""

import io
import signal
from dataclasses import dataclass

import torch
from burst_dataset import DIM

from hearing_hands_ros.train.devices import launch
from hearing_hands_ros.train.display import Display
from hearing_hands_ros.train.stop import StopRequest
from hearing_hands_ros.train.task import make_task
from hearing_hands_ros.train.trainer import Trainer

SMALL = (
    f"network.feature_dim={DIM}", "network.dim=16", "network.depth=2", "network.heads=2", "run.batch=4", "run.steps=20",
    "run.log_every=1", "run.samples=0", "optimizer.warmup_steps=5", "data.longest_s=1.5",
)  # fmt: skip


@dataclass
class Done:
    trainer: Trainer
    said: str
    exit_code: int


def fit(config, task_of=make_task):
    """Train; `task_of` may put something between the task and its trainer."""
    torch.set_num_threads(1)
    trainer = Trainer(task_of(config), config, launch(config.run))
    text = io.StringIO()
    with StopRequest() as stop:
        trainer.fit(stop, Display(config.run.steps, trainer.progress.step, stream=text))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    return Done(trainer, text.getvalue(), stop.exit_code)
