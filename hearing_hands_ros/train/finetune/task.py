"""Fine-tuning of a compact network on what it draws, in the few steps that it is sampled with.

A student's few steps are no flow any more: flow matching would undo them. Its draws are compared with what was heard
instead, by a score that wants them distributed alike, so that no teacher is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Generator, Tensor, nn

from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, load_checkpoint
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.solvers import integrate, shifted_grid
from hearing_hands_ros.train.compact_config import CompactObjective, CompactTraining
from hearing_hands_ros.train.compact_data import CompactBatches
from hearing_hands_ros.train.compact_task import CompactModel, CompactTask, conditions_in, touching
from hearing_hands_ros.train.finetune.bands import fit_bands
from hearing_hands_ros.train.finetune.config import FinetuneTraining
from hearing_hands_ros.train.finetune.energy import energy_score
from hearing_hands_ros.train.reuse import ONCE
from hearing_hands_ros.train.task import Batch, Batches, Sample

DRAWS: Final = 2
ENDS: Final = ("remind", "join", "time", "modulation", "last", "leave")


class FinetuneTask:
    """See `hearing_hands_ros.train.task.Task`.

    Args:
        options: Data, what is fine-tuned, and what is asked.

    Raises:
        FileNotFoundError: There is no dataset, or no checkpoint.
        ValueError: They do not fit.
    """

    kind = KIND
    reuse = ONCE

    def __init__(self, options: FinetuneTraining) -> None:
        self.options = options
        self.folder = start_folder(options.start.folder)
        self.checkpoint = load_checkpoint(self.folder, KIND)
        known = CompactGenerator.of(self.checkpoint, "cpu")  # checks the rest of it
        self.sequence, self.sampling = known.sequence, known.sampling
        objective = CompactObjective(sample_steps=self.sampling.steps, shift=self.sampling.shift, material=0.0)
        self._compact = CompactTask(CompactTraining(options.data, self.sequence, known.network.config, objective))
        info = self._compact.dataset.info
        if known.encoder != info.encoder:
            raise ValueError(
                f"{self.folder / CONFIG}: encoder wanted {info.encoder!r}, as Dataset({info.name!r}) has it, got "
                f"{known.encoder!r}"
            )
        if self.sampling.guidance != 1.0:
            raise ValueError(
                f"{self.folder / CONFIG}: sampling.guidance wanted 1, of a network that is sampled as it is, got "
                f"{self.sampling.guidance:g}: distil it first"
            )
        self._grid = shifted_grid(self.sampling.steps, self.sampling.shift)

    def data(self, split: str) -> Batches:
        """Items of 'train' or 'val'."""
        return self._compact.data(split)

    def build(self) -> CompactModel:
        """The network that is fine-tuned, its bands those of the robot's microphone; what may not change is fixed."""
        tensors = self.checkpoint.tensors
        model = CompactModel(
            self._compact.options.network, tensors["mel_mean"].float().clone(), tensors["mel_std"].float().clone()
        )
        model.fill(self.checkpoint)
        model = deepcopy(model).float()  # the checkpoint's own tensors must stay as they are
        whole = CompactBatches(self._compact.dataset, "train", self.options.data, crop=False)
        fit_bands(model, whole, self._grid)
        parts = self.options.objective.parts
        for name, parameter in model.network.named_parameters():
            parameter.requires_grad_(parts == "all" or name.split(".")[0] in ENDS)
        return model

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take weights from another network that was fine-tuned on this dataset."""
        self._compact.start(network, folder)

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """How unlike its draws are to what was heard."""
        model = cast(CompactModel, network)
        conditions, sound = conditions_in(batch), model.normalised(batch["mel"])
        context = model.network.context(conditions).repeat(DRAWS, 1, 1)
        noise = draw_noise((DRAWS * len(sound), *sound.shape[1:]), generator, sound.device)
        drawn = integrate(lambda x, t: model.network(x, t, context).float(), noise, self._grid)
        weight = 1.0 + self.options.objective.focus * touching(conditions).repeat_interleave(PATCH, dim=1)
        return energy_score(drawn.reshape(DRAWS, *sound.shape), sound, weight), {}

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """The same, of whole items that it was not trained on, by the weights that would be kept."""
        return {"loss": self.loss(self._kept(network), batch, generator)[0]}

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """Items from all over the validation, as they are drawn at run time."""
        return self._compact.samples(self._kept(network), count, generator)

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """A folder that `CompactGenerator.load` takes, sampled as the checkpoint that it began with."""
        start = self.checkpoint.config
        told = {
            **training,
            "objective": asdict(self.options.objective),
            "start": {
                "name": self.folder.resolve().name,
                "sha256": start["sha256"][WEIGHTS],
                "training": start["training"],
            },
        }
        self._compact.write(
            self._kept(network), folder, told, self.sampling, start["licence"], start.get("vocoder", "")
        )

    @torch.no_grad()
    def _kept(self, network: nn.Module) -> CompactModel:
        """The weights that lie `share` of the way from those that it began with to those of a trained network.

        What was known before is kept where few touches speak against it: what does not ring where nothing is touched.

        Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models.
        """
        model = deepcopy(cast(CompactModel, network))
        for name, weights in model.network.named_parameters():
            begun = self.checkpoint.tensors[f"network.{name}"].to(weights)
            weights.copy_(torch.lerp(begun, weights, self.options.objective.share))
        return model


def start_folder(folder: str) -> Path:
    """The checkpoint that is fine-tuned: the one that ships if none is named."""
    return Path(folder).expanduser() if folder else share_directory() / "models" / "compact"
