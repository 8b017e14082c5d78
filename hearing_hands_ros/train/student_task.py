"""Training of a student that needs few steps and no guidance: reflow, and distillation."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn

from hearing_hands_ros.model.checkpoint import WEIGHTS
from hearing_hands_ros.model.compact.config import CompactConfig
from hearing_hands_ros.model.compact.generator import KIND, Sampling
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.path import Velocity
from hearing_hands_ros.model.flow.solvers import integrate, uniform_grid
from hearing_hands_ros.train.compact_config import CompactObjective, CompactTraining
from hearing_hands_ros.train.compact_task import CompactModel, CompactTask, conditions_in
from hearing_hands_ros.train.sampler import Pick, generator_of
from hearing_hands_ros.train.student_config import DistillTraining, StudentTraining
from hearing_hands_ros.train.student_loss import distill_loss, reflow_loss
from hearing_hands_ros.train.student_teacher import Teacher
from hearing_hands_ros.train.task import Batch, Batches, Sample


class StudentTask:
    """See `hearing_hands_ros.train.task.Task`.

    What the teacher does follows from the batch alone, so a run that goes on makes the same pairs again.

    Args:
        options: Data, teacher, and what is asked.

    Raises:
        FileNotFoundError: There is no dataset or no teacher.
        ValueError: They do not fit; the message names the teacher.
    """

    kind = KIND

    def __init__(self, options: StudentTraining) -> None:
        self.options, self.reuse = options, options.pairs
        self.teacher = teacher = Teacher(options.teacher)
        self.sequence = teacher.sequence
        network: CompactConfig = teacher.model.network.config
        objective = CompactObjective(sample_steps=options.objective.steps)
        try:
            self._compact = CompactTask(CompactTraining(options.data, self.sequence, network, objective))
        except ValueError as error:
            raise ValueError(f"{error}; the teacher is {teacher.folder}") from error
        info = self._compact.dataset.info
        teacher.check_encoder(info.encoder, info.name)
        self._parts = options.objective.steps if isinstance(options, DistillTraining) else 1
        self._lessons, self._exams = _Kept(options.pairs.batches), _Kept(math.inf)

    def data(self, split: str) -> Batches:
        """Items of 'train' or 'val', each batch with the number that its noise is drawn with."""
        return _Numbered(self._compact.data(split))

    def build(self) -> CompactModel:
        """A copy of the teacher that learns; all but what stands for no condition, which a student is never without."""
        model = copy.deepcopy(self.teacher.model).requires_grad_(True)
        model.network.null.requires_grad_(False)
        return model

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take weights from another student of this teacher, or of its teacher."""
        self._compact.start(network, folder)
        for name in ("mel_mean", "mel_std"):
            if not torch.equal(getattr(network, name), getattr(self.teacher.model, name).cpu()):
                raise ValueError(
                    f"{folder / WEIGHTS}: {name} wanted that of the teacher {self.teacher.folder}, got another: they "
                    "were not trained for the same sounds"
                )

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """How far the student is from what the teacher does, sometimes without vision or without hands."""
        way = self._lessons.get(batch, lambda: self._lesson(batch))
        velocity = _velocity(network, batch, way)
        if isinstance(self.options, DistillTraining):
            return distill_loss(velocity, way.states), {}
        return reflow_loss(velocity, way.states, generator), {}

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Squared distance, in normalised log-mel, from where the teacher arrives: of the student after its few steps,
        and of the teacher after as many.
        """
        del generator  # noise goes with the batch, so that the teacher is asked once
        way = self._exams.get(batch, lambda: self._exam(batch))
        steps = self.options.objective.steps
        noise, hurried, wanted = way.states
        reached = integrate(_velocity(network, batch, way), noise, uniform_grid(steps))
        return {"loss": (reached - wanted).square().mean(), "teacher_in_as_many": (hurried - wanted).square().mean()}

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """Items from all over the validation, in as many steps as the student wants."""
        return self._compact.samples(network, count, generator)

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """A folder that `CompactGenerator.load` takes, to be sampled in few steps without guidance."""
        told = {**training, "teacher": self.teacher.told(), "objective": asdict(self.options.objective)}
        sampling = Sampling(steps=self.options.objective.steps, guidance=1.0)
        self._compact.write(network, folder, told, sampling, self.teacher.checkpoint.config["licence"])

    def _lesson(self, batch: Batch) -> _Way:
        """What the teacher does under conditions that are left out at random."""
        asked, drawn = self.options.objective, _generator(batch)
        noise = self._noise(batch, drawn)
        lot = torch.rand(len(noise), generator=drawn).to(noise.device)
        see, feel = lot >= asked.drop_vision, lot < 1.0 - asked.drop_hands
        return _Way(self.teacher.way(conditions_in(batch), noise, self._parts, see=see, feel=feel), see, feel)

    def _exam(self, batch: Batch) -> _Way:
        """Noise, where the teacher arrives in the student's number of steps, and where it arrives in its own."""
        noise, conditions = self._noise(batch, _generator(batch)), conditions_in(batch)
        hurried = self.teacher.way(conditions, noise, 1, self.options.objective.steps)
        return _Way([*hurried, self.teacher.way(conditions, noise, 1)[-1]])

    def _noise(self, batch: Batch, drawn: Generator) -> Tensor:
        mel = batch["mel"]
        return draw_noise((len(mel), mel.shape[2], mel.shape[1]), drawn, mel.device)


class _Way(NamedTuple):
    """States of the teacher, and whose vision and hands it took; None for all."""

    states: list[Tensor]
    see: Tensor | None = None
    feel: Tensor | None = None


class _Kept:
    """What was made of the last batches."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._made: dict[int, _Way] = {}

    def get(self, batch: Batch, make: Any) -> _Way:
        number = int(batch["number"])
        if number not in self._made:
            if len(self._made) >= self._most:
                del self._made[next(iter(self._made))]
            self._made[number] = make()
        return self._made[number]


class _Numbered:
    """Batches that say which ones they are."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, pick: Pick) -> Batch:
        return {**self._batches[pick], "number": torch.tensor(pick.seed)}


def _generator(batch: Batch) -> Generator:
    return generator_of(int(batch["number"]))


def _velocity(network: nn.Module, batch: Batch, way: _Way) -> Velocity:
    """The student under the conditions of the teacher's way."""
    student = cast(CompactModel, network).network
    context = student.context(conditions_in(batch), way.see, way.feel)
    return lambda x, t: student(x, t, context).float()
