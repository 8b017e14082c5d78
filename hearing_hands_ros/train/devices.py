"""Where it runs: one processor, one GPU, or as many processes as torchrun or Slurm started."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from hearing_hands_ros.train.config import RunConfig


def launch(run: RunConfig) -> Fabric:
    """Start the processes that are not there yet, and join them.

    Raises:
        ValueError: CUDA is wanted and not there, or the numbers do not fit what was started.
    """
    cuda = torch.cuda.is_available()
    if run.accelerator == "cuda" and not cuda:
        raise ValueError("run.accelerator wanted a GPU that torch can use, got none; run.accelerator=cpu")
    use_cuda = cuda and run.accelerator != "cpu"
    nodes, devices = _started()
    devices = run.devices or devices or (torch.cuda.device_count() if use_cuda else 1)
    nodes = run.nodes or nodes
    fabric = Fabric(
        accelerator="cuda" if use_cuda else "cpu",
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bf16" else "32-true",
    )
    fabric.launch()
    if use_cuda:
        torch.set_float32_matmul_precision("high")
    return fabric


def _started() -> tuple[int, int]:
    """Machines, and processes on each (0 if nobody said), of those that were started for us."""
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return int(os.environ["WORLD_SIZE"]) // here, here
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", 1))
        return nodes, int(os.environ["SLURM_NTASKS"]) // nodes
    return 1, 0
