"""The loop: draw, step, look, save. Everything random follows from the seed and the step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader

from hearing_hands_ros.train.board import Board
from hearing_hands_ros.train.config import TrainConfig, changes
from hearing_hands_ros.train.display import Display
from hearing_hands_ros.train.ema import Ema
from hearing_hands_ros.train.optimizer import learning_rate, make_optimizer
from hearing_hands_ros.train.sampler import Order, generator_of, seed_of
from hearing_hands_ros.train.state import FILE, Progress, load_state, mend_folder, replace_folder, restore, save_state
from hearing_hands_ros.train.stop import StopRequest
from hearing_hands_ros.train.stopwatch import Stopwatch
from hearing_hands_ros.train.task import Batch, Batches, Task
from hearing_hands_ros.train.validation import heard, measured

MOST_SKIPPED = 20  # steps in a row
LAST, BEST = "last", "best"


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


class Trainer:
    """Trains a task's network until its last step, or until it is asked to stop.

    What is in `run.out`: `state.pt`, with which it goes on; `last/` and `best/`, checkpoints with the mean weights; and
    curves, pictures and sounds for TensorBoard.

    Args:
        task: What is trained.
        config: How.
        fabric: Launched.

    Attributes:
        out: Folder of the run.
        network: The weights of the last step.
        ema: Their running mean.
        progress: How far it is.

    Raises:
        ValueError: What is in `run.out` or `run.start_from` does not fit.
    """

    def __init__(self, task: Task, config: TrainConfig, fabric: Fabric) -> None:
        self.task, self.config, self.run, self.fabric = task, config, config.run, fabric
        self.out = Path(config.run.out).expanduser()
        saved = load_state(self.out) if self.run.resume != "anew" else None
        if saved is not None and self.run.resume == "same":
            _check_unchanged(self.out / FILE, changes(saved["config"], config))
        torch.manual_seed(seed_of(self.run.seed))
        self.network = task.build()
        if self.run.start_from and saved is None:
            task.start(self.network, Path(self.run.start_from).expanduser())
            self.network.float()
        self.ema = Ema(self.network, self.run.ema_decay)
        self.ema.network.to(fabric.device)
        self._optimizer = make_optimizer(self.network, config.optimizer)
        self._objective, self._stepper = fabric.setup(_Objective(task, self.network), self._optimizer)
        self.progress = Progress()
        if saved is not None:
            self.progress = restore(saved, self.network, self.ema, self._optimizer)
        self._skipped_in_a_row = 0

    def described(self) -> str:
        """What is about to be trained, where, and from which step on."""
        count = sum(p.numel() for p in self.network.parameters())
        where = f"{self.fabric.world_size} x {self.fabric.device.type}"
        begin = f"going on at step {self.progress.step}" if self.progress.step else "from the beginning"
        return f"{self.config.task}: {count / 1e6:.2f} M parameters on {where}, {begin}; writing to {self.out}"

    def fit(self, stop: StopRequest, display: Display) -> None:
        """Run the steps that are left.

        Raises:
            TrainingError: The loss stays without a number, or there is too little memory.
            OSError: The last save failed.
        """
        first, fabric = self.progress.step, self.fabric
        train, val = self.task.data("train"), self.task.data("val")
        steps = (first, self.run.steps)
        place = (fabric.global_rank, fabric.world_size)
        order = Order(len(train), self.run.batch, steps, self.run.seed, *place, self.task.reuse)
        workers = self.run.workers
        loader: Iterator[Batch] = iter(DataLoader(train, batch_size=None, sampler=order, num_workers=workers))  # type: ignore[arg-type]
        board = None
        if fabric.is_global_zero:
            self.out.mkdir(parents=True, exist_ok=True)
            mend_folder(self.out / LAST)
            mend_folder(self.out / BEST)
            board = Board(self.out, self.task.sequence, first, display.say)
        watch, saved_at = Stopwatch(), time.monotonic()
        for step in range(*steps):
            with self._memory_is_enough():
                batch = fabric.to_device(next(loader))
                watch.lap("data")
                stopped = self._step(step, batch, stop, watch)
            display.step(step + 1)
            if (step + 1) % self.run.log_every == 0:
                self._log(watch, board, display)
            if (step + 1) % self.run.validate_every == 0 or step + 1 == self.run.steps:
                self._validate(val, board, display)
            if time.monotonic() - saved_at >= self.run.save_every_s:
                self._write(display, self._save)
                saved_at = time.monotonic()
            watch.lap("validation and saving")
            if stopped:
                break
        if board is not None:
            board.close()
            self._save()
        fabric.barrier()

    def _step(self, step: int, batch: Batch, stop: StopRequest, watch: Stopwatch) -> bool:
        """One step; returns whether any process was asked to stop."""
        key = (self.run.seed, step, self.fabric.global_rank)
        torch.manual_seed(seed_of(*key))  # what networks draw by themselves
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self.run.steps, self.config.optimizer)
        loss, figures = self._objective(batch, generator_of(*key, device=self.fabric.device))
        watch.lap("forward")
        self.fabric.backward(loss)
        watch.lap("backward")
        limit = self.config.optimizer.clip_norm or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), limit))
        # Gradients are already those of all processes; loss and the wish to stop are made so.
        shared = torch.stack([loss.detach().float(), torch.full_like(loss, stop.signal > 0, dtype=torch.float32)])
        value, asked = (float(x) for x in self.fabric.all_reduce(shared, reduce_op="mean"))
        if math.isfinite(value) and math.isfinite(norm):
            self._stepper.step()
            self.ema.update(self.network)
            self._skipped_in_a_row = 0
            watch.note({"loss": value, "gradient": norm, **{name: float(x) for name, x in figures.items()}})
        else:
            self._skip(step, value, norm)
        self._stepper.zero_grad(set_to_none=True)
        self.progress.step = step + 1
        watch.lap("update")
        watch.step()
        return asked > 0

    def _skip(self, step: int, loss: float, norm: float) -> None:
        self.progress.skipped += 1
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row == MOST_SKIPPED:
            raise TrainingError(
                f"training: wanted a finite loss, got none for {MOST_SKIPPED} steps in a row: that of step {step} is "
                f"{loss:g}, its gradient's length {norm:g}. What was saved before is kept; try a smaller "
                "optimizer.learning_rate, or run.precision=32"
            )

    @contextmanager
    def _memory_is_enough(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:  # torch's own error is a RuntimeError too
            wants_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
            if not wants_memory and "can't allocate memory" not in str(error):
                raise
            mine = self.run.batch // self.fabric.world_size
            raise TrainingError(
                f"training: wanted memory for a batch of {self.run.batch} ({mine} in each process), got too little on "
                f"{self.fabric.device}; try run.batch={max(1, self.run.batch // 2)}"
            ) from error

    def _log(self, watch: Stopwatch, board: Board | None, display: Display) -> None:
        means, times = watch.take()
        display.figures(self.progress.step, {**means, "skipped": self.progress.skipped}, sum(times.values()))
        if board is not None:
            curves = {f"train/{name}": value for name, value in means.items()}
            curves |= {f"seconds_per_step/{name}": value for name, value in times.items()}
            curves |= {
                "train/learning_rate": self._optimizer.param_groups[0]["lr"],
                "train/skipped": self.progress.skipped,
            }
            board.curves(curves, self.progress.step)

    def _validate(self, val: Batches, board: Board | None, display: Display) -> None:
        """Look at the mean weights, keep them if they are the best, and let them be heard; one process does."""
        if board is not None and len(val):
            values = measured(self.task, self.ema.network, val, self.run, self.fabric)
            shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            display.say(f"step {self.progress.step}  validation  {shown}")
            board.curves({f"validation/{name}": value for name, value in values.items()}, self.progress.step)
            if values["loss"] < self.progress.best:
                self.progress.best = values["loss"]
                self._write(display, lambda: self._export(BEST))
            board.samples(heard(self.task, self.ema.network, self.run, self.fabric), self.progress.step)
        self.fabric.barrier()

    def _save(self) -> None:
        """Write what the run goes on with, and a checkpoint."""
        if self.fabric.is_global_zero:
            document = self.config.document()
            save_state(self.out, document, self.progress, self.network, self.ema, self._optimizer)
            self._export(LAST)

    def _export(self, name: str) -> None:
        training = {
            "task": self.config.task,
            "steps": self.progress.step,
            "batch": self.run.batch,
            "seed": self.run.seed,
            "learning_rate": self.config.optimizer.learning_rate,
            "start_from": self.run.start_from,
            "best_validation_loss": self.progress.best if math.isfinite(self.progress.best) else None,
        }
        replace_folder(self.out / name, lambda folder: self.task.export(self.ema.network, folder, training))

    def _write(self, display: Display, write: Callable[[], None]) -> None:
        """Write; if there is no room, go on without."""
        try:
            write()
        except OSError as error:
            display.say(f"step {self.progress.step}: not saved, what was saved before is kept: {error}")


class _Objective(nn.Module):
    """The task's loss as one forward pass, as data-parallel training and mixed precision want it."""

    def __init__(self, task: Task, network: nn.Module) -> None:
        super().__init__()
        self.task, self.network = task, network

    def forward(self, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self.task.loss(self.network, batch, generator)


def _check_unchanged(path: Path, changed: Mapping[str, tuple[Any, Any]]) -> None:
    if changed:
        listed = "; ".join(f"{key} was {was!r}, is now {now!r}" for key, (was, now) in changed.items())
        raise ValueError(
            f"{path}: wanted the configuration that it was made with, got another: {listed}. Give another run.out, or "
            "run.resume=changed to go on nevertheless, or run.resume=anew to begin again"
        )
