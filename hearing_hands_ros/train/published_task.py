"""Training of the published network: flow matching on the autoencoder's latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn

from hearing_hands_ros.data.published_dataset import PublishedDataset
from hearing_hands_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.loss import flow_matching_loss
from hearing_hands_ros.model.flow.weighting import logit_normal
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.generator import KIND
from hearing_hands_ros.model.published.sampler import sample
from hearing_hands_ros.model.published.velocity import STEPS, VelocityNetwork
from hearing_hands_ros.plain import plain
from hearing_hands_ros.predictors.published_encoders import KEY
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.train.published_config import PublishedTraining
from hearing_hands_ros.train.published_data import PublishedBatches
from hearing_hands_ros.train.reuse import ONCE
from hearing_hands_ros.train.sampler import Pick
from hearing_hands_ros.train.task import Batch, Sample

NEEDED = {
    "folder": "the published dataset's folder",
    "splits": "its split file",
    "autoencoder": "a checkpoint folder with the autoencoder (hearing-hands model convert)",
}


class PublishedModel(nn.Module):
    """The parts that are trained, under the names that they have in a checkpoint.

    Args:
        config: Sizes.
    """

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.conditioner = Conditioner(config.conditioner)
        self.velocity = VelocityNetwork(config.velocity)


class PublishedTask:
    """See `hearing_hands_ros.train.task.Task`.

    Args:
        options: Data, sizes and objective.

    Raises:
        FileNotFoundError: There is no dataset or no autoencoder.
        ValueError: They do not fit.
    """

    kind = KIND
    reuse = ONCE
    sequence = SequenceConfig()

    def __init__(self, options: PublishedTraining) -> None:
        data = options.data
        for name, what in NEEDED.items():
            if not getattr(data, name):
                raise ValueError(f"configuration: data.{name} wanted {what}, got none")
        self.options = options
        folder, splits = (Path(path).expanduser() for path in (data.folder, data.splits))
        self.dataset = PublishedDataset.open(folder, splits, data.held_out, self.sequence)
        self._given: Checkpoint = load_checkpoint(data.autoencoder, KIND)
        given = PublishedConfig.from_mapping(self._given.config["network"])
        self.config = PublishedConfig(options.conditioner, options.velocity, given.autoencoder, given.vocoder)
        self.config.check_sequence(self.sequence)
        with torch.device("meta"):
            autoencoder = Autoencoder(given.autoencoder)
        self._given.fill(autoencoder, "autoencoder.")
        self._autoencoder = autoencoder.eval().requires_grad_(False)

    @cached_property
    def _train(self) -> PublishedBatches:
        return self._batches("train", splice=True)

    @cached_property
    def _val(self) -> PublishedBatches:
        return self._batches("val", splice=False)

    def _batches(self, split: str, splice: bool) -> PublishedBatches:
        return PublishedBatches(self.dataset, split, self.options.conditioner, self.options.data, splice)

    def data(self, split: str) -> PublishedBatches:
        """Items of 'train' or 'val'."""
        return self._train if split == "train" else self._val

    def build(self) -> PublishedModel:
        """Conditioner and velocity network."""
        return PublishedModel(self.config)

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take conditioner and velocity network from a checkpoint."""
        checkpoint = load_checkpoint(folder, KIND)
        model = cast(PublishedModel, network)
        checkpoint.fill(model.conditioner, "conditioner.")
        checkpoint.fill(model.velocity, "velocity.")

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Flow matching at whole thousandths of the path, weighted by the logit-normal density of the time."""
        count, device = len(batch["mel"]), batch["mel"].device
        steps = torch.randint(0, STEPS, (count,), generator=generator, device=device)
        kept = torch.rand(count, generator=generator, device=device) >= self.options.objective.drop
        return self._error(network, batch, generator, steps, kept), {}

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """The loss at steps that are spread evenly: with all conditions, and without any."""
        count, device = len(batch["mel"]), batch["mel"].device
        steps = ((torch.arange(count, device=device) + 0.5) * STEPS / count).to(torch.int64)
        kept = torch.ones(count, dtype=torch.bool, device=device)
        drawn = generator.get_state()
        loss = self._error(network, batch, generator, steps, kept)
        generator.set_state(drawn)
        return {"loss": loss, "loss_without_conditions": self._error(network, batch, generator, steps, ~kept)}

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """Items from all over the validation, drawn as they were published."""
        model, items, asked = cast(PublishedModel, network), self._val, self.options.objective
        device = next(model.parameters()).device
        chosen = np.unique(np.linspace(0, len(items) - 1, count).round().astype(np.int64))
        batch = {name: values.to(device) for name, values in items[Pick(chosen, 0)].items()}
        frames = batch["mel"].shape[1] // 2
        noise = draw_noise((len(chosen), self.config.velocity.latent, frames), generator)
        nothing = torch.zeros(len(chosen), dtype=torch.bool, device=device)
        context, null = (_context(model, batch, kept, frames) for kept in (~nothing, nothing))
        latent = sample(model.velocity, noise, context, null, asked.sample_steps, asked.guidance)
        drawn = self._autoencoder.log_mel(latent).float().cpu().numpy()
        true = batch["mel"].float().transpose(1, 2).cpu().numpy()
        return [Sample(items.names[i], drawn[n], true[n]) for n, i in enumerate(chosen)]

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """A folder like the one that the autoencoder came from, with what was trained in place of what was there.

        Image encoders that are named there are named again: the features of the data are theirs.
        """
        kept = {name: t for name, t in self._given.tensors.items() if name.startswith(("autoencoder.", "vocoder."))}
        held_out = list(self.options.data.held_out)
        data = {"dataset": self.dataset.folder.name, "items": len(self._train), "held_out": held_out}
        config = {
            "network": plain(asdict(self.config)),
            "sequence": asdict(self.sequence),
            "training": {**training, **data, "objective": asdict(self.options.objective)},
            "licence": f"that of the data; autoencoder and vocoder: {self._given.config['licence']}",
        }
        if KEY in self._given.config:
            config[KEY] = self._given.config[KEY]
        save_checkpoint(folder, KIND, config, {**network.state_dict(), **kept})

    def _error(self, network: nn.Module, batch: Batch, generator: Generator, steps: Tensor, kept: Tensor) -> Tensor:
        model = cast(PublishedModel, network)
        with torch.no_grad():
            latent = self._autoencoder.to(steps.device).latent(batch["mel"].float().transpose(1, 2), generator).float()
        noise = draw_noise(latent.shape, generator)
        context = _context(model, batch, kept, latent.shape[2])
        # The step is passed on as it was drawn: a time times 1000 may be truncated to the one before.
        return flow_matching_loss(
            lambda x, _: model.velocity(x, steps, context), noise, latent, steps / STEPS, logit_normal
        )


def _context(model: PublishedModel, batch: Batch, kept: Tensor, frames: int) -> Tensor:
    """Context (B, frames, C); where it is not kept, that of zeros."""
    hands, views, local = (batch[name].float() * kept[:, None, None] for name in ("hands", "views", "local_views"))
    context: Tensor = model.conditioner(hands, views, local, frames)
    return context
