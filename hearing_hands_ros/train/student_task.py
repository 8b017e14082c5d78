"""Training of a student that needs few steps and no guidance: reflow, and distillation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn

from hearing_hands_ros.model.checkpoint import WEIGHTS
from hearing_hands_ros.model.compact.generator import KIND, Sampling
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.path import Velocity
from hearing_hands_ros.model.flow.solvers import shifted_grid
from hearing_hands_ros.train.compact_config import CompactObjective, CompactTraining
from hearing_hands_ros.train.compact_task import CompactModel, CompactTask, conditions_in
from hearing_hands_ros.train.sampler import Pick, generator_of
from hearing_hands_ros.train.student_config import StudentTraining
from hearing_hands_ros.train.student_loss import distill_loss, reflow_loss
from hearing_hands_ros.train.student_teacher import Teacher
from hearing_hands_ros.train.task import Batch, Batches, Sample


class StudentTask:
    """See `hearing_hands_ros.train.task.Task`.

    What the teacher does follows from the batch alone: a run that goes on makes the same pairs again.

    Args:
        options: Data, teacher, and what is asked.
        how: The student learns.

    Raises:
        FileNotFoundError: There is no dataset or no teacher.
        ValueError: They do not fit; the message names the teacher.
    """

    kind = KIND

    def __init__(self, options: StudentTraining, how: Literal["reflow", "distill"]) -> None:
        self.options, self.how, self.reuse = options, how, options.pairs
        self.teacher = teacher = Teacher(options.teacher)
        self.sequence = teacher.sequence
        objective = CompactObjective(sample_steps=options.objective.steps, shift=options.teacher.shift)
        network = teacher.model.network.config
        try:
            self._compact = CompactTask(CompactTraining(options.data, self.sequence, network, objective))
        except ValueError as error:
            raise ValueError(f"{error}; the teacher is {teacher.folder}") from error
        info = self._compact.dataset.info
        teacher.check_encoder(info.encoder, info.name)
        self._grid = shifted_grid(options.objective.steps, options.teacher.shift)
        self._lessons: dict[int, _Pair] = {}
        self._exams: dict[int, _Exam] = {}

    def data(self, split: str) -> Batches:
        """Items of 'train' or 'val', each batch with a number of its own."""
        return _Numbered(self._compact.data(split))

    def build(self) -> CompactModel:
        """A copy of the teacher that learns; all but what stands for no condition, which a student is never without."""
        model = copy.deepcopy(self.teacher.model).requires_grad_(True)
        model.network.null.requires_grad_(False)
        return model

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take weights from another student of this teacher.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It does not fit, or its sounds are normalised otherwise.
        """
        self._compact.start(network, folder)
        for name in ("mel_mean", "mel_std"):
            if not torch.equal(getattr(network, name), getattr(self.teacher.model, name)):
                raise ValueError(
                    f"{folder / WEIGHTS}: {name} wanted that of the teacher {self.teacher.folder}, got another: they "
                    "were not trained on the same sounds"
                )

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """How far the student is from what the teacher does, sometimes without vision or without hands."""
        pair = self._lesson(batch)
        velocity = _velocity(network, batch, pair)
        if self.how == "reflow":
            return reflow_loss(velocity, pair.noise, pair.sound, generator), {}
        return distill_loss(velocity, pair.noise, pair.sound, self._grid), {}

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """Squared distance, in normalised log-mel, from where the teacher arrives: of the student in its few steps, and
        of the teacher itself in as many.
        """
        del generator  # noise goes with the batch, so that the teacher is asked once
        pair, in_as_many = self._exam(batch)
        velocity = _velocity(network, batch, pair)
        loss = distill_loss(velocity, pair.noise, pair.sound, self._grid)
        return {"loss": loss, "teacher_in_as_many": in_as_many}

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """Items from all over the validation, in as many steps as the student wants."""
        return self._compact.samples(network, count, generator)

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """A folder that `CompactGenerator.load` takes, to be sampled in few steps without guidance.

        It is heard through the teacher's vocoder.
        """
        told = {**training, "teacher": self.teacher.told(), "objective": asdict(self.options.objective)}
        sampling = Sampling(self.options.objective.steps, 1.0, self.options.teacher.shift)
        teacher = self.teacher.checkpoint.config
        self._compact.write(network, folder, told, sampling, teacher["licence"], teacher.get("vocoder", ""))

    def _lesson(self, batch: Batch) -> _Pair:
        """The batch's pair; the last `pairs.batches` are kept."""
        asked, number = self.options.objective, int(batch["number"])
        if number not in self._lessons:
            if len(self._lessons) == self.reuse.batches:
                del self._lessons[next(iter(self._lessons))]
            steps = self.options.teacher.steps
            self._lessons[number] = self._pair(batch, steps, asked.drop_vision, asked.drop_hands)
        return self._lessons[number]

    def _exam(self, batch: Batch) -> _Exam:
        """The batch's pair under all conditions; every one is kept."""
        number = int(batch["number"])
        if number not in self._exams:
            pair = self._pair(batch, self.options.teacher.steps)
            hurried = self._pair(batch, self.options.objective.steps)
            self._exams[number] = _Exam(pair, (hurried.sound - pair.sound).square().mean())
        return self._exams[number]

    def _pair(self, batch: Batch, steps: int, drop_vision: float = 0.0, drop_hands: float = 0.0) -> _Pair:
        """What the teacher makes of the batch's noise, with some conditions left out at random."""
        mel, drawn = batch["mel"], generator_of(int(batch["number"]))
        noise = draw_noise((len(mel), mel.shape[2], mel.shape[1]), drawn, mel.device)
        lot = torch.rand(len(mel), generator=drawn).to(mel.device)
        see, feel = lot >= drop_vision, lot < 1.0 - drop_hands
        return _Pair(noise, self.teacher.sound(conditions_in(batch), noise, steps, see, feel), see, feel)


class _Pair(NamedTuple):
    """Noise and sound (B, F, T), and whose vision and hands the teacher took."""

    noise: Tensor
    sound: Tensor
    see: Tensor
    feel: Tensor


class _Exam(NamedTuple):
    """A pair, and how far from its sound the teacher is in the student's number of steps."""

    pair: _Pair
    in_as_many: Tensor


class _Numbered:
    """Batches that say which ones they are."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, pick: Pick) -> Batch:
        return {**self._batches[pick], "number": torch.tensor(pick.seed)}


def _velocity(network: nn.Module, batch: Batch, pair: _Pair) -> Velocity:
    """The student under the conditions that its teacher had."""
    student = cast(CompactModel, network).network
    context = student.context(conditions_in(batch), pair.see, pair.feel)
    return lambda x, t: student(x, t, context).float()
