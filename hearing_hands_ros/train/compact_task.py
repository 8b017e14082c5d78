"""Training of the compact network: rectified flow on the normalised log-mel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor, nn

from hearing_hands_ros.data.dataset import Dataset
from hearing_hands_ros.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hearing_hands_ros.model.compact.conditions import TOUCH_CHANNELS
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator, Sampling
from hearing_hands_ros.model.compact.network import CompactNetwork, ConditionBatch, Normalise
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.loss import flow_matching_loss
from hearing_hands_ros.motion.hands import HANDS
from hearing_hands_ros.train.compact_config import CompactTraining
from hearing_hands_ros.train.compact_data import LONG_AGO, UNNAMED, CompactBatches, check_fits
from hearing_hands_ros.train.reuse import ONCE
from hearing_hands_ros.train.sampler import Pick
from hearing_hands_ros.train.task import Batch, Sample

LEAST_STD = 0.1  # of a band in which nothing is ever heard
LASTS = slice(2 * PATCH, 3 * PATCH)  # touch channels that tell that a touch lasts
RINGING = 2  # of those from LONG_AGO on: the one that falls to 1/e in 0.2 s
CONDITIONS = ("hands", "touches", "touched", "looks", "scene", "tokens")


class CompactModel(nn.Module):
    """The network and what its spectrograms are normalised with.

    Args:
        config: Sizes.
        mean: (F,) of log-mel.
        std: (F,) likewise.
        materials: How many are told apart by a layer that helps the training.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, config: CompactConfig, mean: Tensor, std: Tensor, materials: int = 0) -> None:
        super().__init__()
        self.network = CompactNetwork(config)
        self.materials = nn.Linear(config.dim // 2, materials) if materials else None
        self.register_buffer("mel_mean", mean)
        self.register_buffer("mel_std", std)

    def normalised(self, mel: Tensor) -> Tensor:
        """(B, T, F) log-mel to (B, F, T) that is about standard normal."""
        return ((mel.float() - self.mel_mean) / self.mel_std).transpose(1, 2)

    def kept(self) -> dict[str, Tensor]:
        """Tensors of the checkpoint, in half precision: more than the bfloat16 that they are used in."""
        tensors = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("materials.")}
        return {name: tensor.half() for name, tensor in tensors.items()}

    def fill(self, checkpoint: Checkpoint) -> None:
        """Take the tensors of a checkpoint.

        Raises:
            ValueError: They do not fit.
        """
        helper, self.materials = self.materials, None
        checkpoint.fill(self)
        self.materials = helper


class CompactTask:
    """See `hearing_hands_ros.train.task.Task`.

    Args:
        options: Data, network and objective.

    Raises:
        FileNotFoundError: There is no dataset.
        ValueError: It does not fit the network.
    """

    kind = KIND
    reuse = ONCE

    def __init__(self, options: CompactTraining) -> None:
        if not options.data.folder:
            raise ValueError("configuration: data.folder wanted the folder of a dataset, got none (data.folder=FOLDER)")
        self.options, self.sequence = options, options.sequence
        self.dataset = Dataset.open(Path(options.data.folder).expanduser())
        check_fits(self.dataset, options.sequence, options.network)

    @cached_property
    def _train(self) -> CompactBatches:
        return CompactBatches(self.dataset, "train", self.options.data, crop=True)

    @cached_property
    def _val(self) -> CompactBatches:
        return CompactBatches(self.dataset, "val", self.options.data, crop=False, materials=self._train.materials)

    def data(self, split: str) -> CompactBatches:
        """Items of 'train' or 'val'."""
        return self._train if split == "train" else self._val

    def build(self) -> CompactModel:
        """The network, with mean and deviation of the training's spectrograms and of what it sees."""
        mel = self._train.by_token["mel"].reshape(-1, self.sequence.bins)
        if not len(mel):
            raise ValueError(f"Dataset({self.dataset.info.name!r}): wanted items in its split 'train', got none")
        mean = torch.from_numpy(mel.mean(axis=0, dtype=np.float64)).float()
        std = torch.from_numpy(mel.std(axis=0, dtype=np.float64)).float().clamp(min=LEAST_STD)
        materials = len(self._train.materials) if self.options.objective.material else 0
        network = self.options.network
        model = CompactModel(network, mean, std, materials)
        looks = self._train.looks[1:].reshape(-1, network.feature_dim)
        for layer, features in ((model.network.looks[0], looks), (model.network.scene[0], self._train.scene)):
            if len(features):
                cast(Normalise, layer).learn(torch.from_numpy(features))
        return model

    def start(self, network: nn.Module, folder: Path) -> None:
        """Take weights from a checkpoint, and what it normalises with."""
        cast(CompactModel, network).fill(load_checkpoint(folder, KIND))

    def loss(self, network: nn.Module, batch: Batch, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Flow matching, with some conditions left out at random and the others roughened; and telling materials."""
        model, asked = cast(CompactModel, network), self.options.objective
        count, device = len(batch["mel"]), batch["mel"].device
        if asked.time == "logit_normal":
            times = torch.sigmoid(
                asked.time_mean + asked.time_std * torch.randn(count, generator=generator, device=device)
            )
        else:
            times = torch.rand(count, generator=generator, device=device)
        lot = torch.rand(count, generator=generator, device=device)
        nothing = lot < asked.drop_all
        see = (lot < asked.drop_all) | (lot >= asked.drop_all + asked.drop_vision)
        feel = lot < 1.0 - asked.drop_hands
        conditions = self._roughened(model, conditions_in(batch), generator)
        # Where nothing is known of touches they must not decide on weights.
        weight = 1.0 + asked.focus * touching(conditions) * (feel & ~nothing)[:, None]
        flow = self._error(model, batch, conditions, generator, times, see, feel, nothing, weight)
        if model.materials is None:
            return flow, {}
        told = model.materials(model.network.looks(conditions.looks))
        material = _told_material(told, batch["materials"])
        return flow + asked.material * material, {"flow": flow.detach(), "material": material.detach()}

    def validate(self, network: nn.Module, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        """The loss at times that are spread evenly: with all conditions, without vision, without hands."""
        model, count = cast(CompactModel, network), len(batch["mel"])
        device = batch["mel"].device
        times = (torch.arange(count, device=device) + torch.rand(1, generator=generator, device=device)) / count
        yes, no = (
            torch.ones(count, dtype=torch.bool, device=device),
            torch.zeros(count, dtype=torch.bool, device=device),
        )
        drawn = generator.get_state()
        result = {}
        for name, see, feel in (("loss", yes, yes), ("loss_without_vision", no, yes), ("loss_without_hands", yes, no)):
            generator.set_state(drawn)
            result[name] = self._error(model, batch, conditions_in(batch), generator, times, see, feel, no)
        if model.materials is not None:
            told, named = model.materials(model.network.looks(batch["looks"])).argmax(-1), batch["materials"]
            result["material_told"] = (told == named).sum() / (named != UNNAMED).sum().clamp(min=1)
        return result

    def samples(self, network: nn.Module, count: int, generator: Generator) -> list[Sample]:
        """Items from all over the validation, as `CompactGenerator` draws them."""
        model, items = cast(CompactModel, network), self._val
        chosen = np.unique(np.linspace(0, len(items) - 1, count).round().astype(np.int64))
        batch = {name: values.to(model.mel_mean.device) for name, values in items[Pick(chosen, 0)].items()}
        steps = Sampling(self.options.objective.sample_steps, shift=self.options.objective.shift)
        device = model.mel_mean.device.type
        drawer = CompactGenerator(
            model.network, model.mel_mean, model.mel_std, self.sequence, steps, self.dataset.info.encoder, device
        )
        with torch.inference_mode():
            noise = draw_noise(batch["mel"].transpose(1, 2).shape, generator)
            drawn = drawer.sample(conditions_in(batch), noise, steps).float().cpu().numpy()
        true = batch["mel"].float().transpose(1, 2).cpu().numpy()
        return [Sample(items.names[i], drawn[n], true[n]) for n, i in enumerate(chosen)]

    def export(self, network: nn.Module, folder: Path, training: Mapping[str, Any]) -> None:
        """A folder that `CompactGenerator.load` takes."""
        sampling = Sampling(self.options.objective.sample_steps, shift=self.options.objective.shift)
        self.write(network, folder, {**training, "objective": asdict(self.options.objective)}, sampling)

    def write(
        self,
        network: nn.Module,
        folder: Path,
        training: Mapping[str, Any],
        sampling: Sampling,
        teachers: str | None = None,
        vocoder: str = "",
    ) -> None:
        """Write a checkpoint folder, and say what data it was trained on.

        Args:
            network: With the weights to keep.
            folder: Is made if missing.
            training: What else is known of the run.
            sampling: How it wants to be sampled.
            teachers: Licence of the checkpoint that taught it, if one did.
            vocoder: Makes it heard; where none is named, `load_generator` takes the one that ships.
        """
        info = self.dataset.info
        licences = "; ".join(f"{what}: {licence}" for what, licence in info.licences.items())
        licences = licences or "unknown: the dataset names none"
        data = {"dataset": info.name, "origin": info.origin, "items": len(self._train), "scenes": _scenes(self._train)}
        config = {
            "network": asdict(self.options.network),
            "sequence": asdict(self.sequence),
            "encoder": info.encoder,
            "sampling": asdict(sampling),
            **({"vocoder": vocoder} if vocoder else {}),
            "training": {**training, **data},
            "licence": licences if teachers in (None, licences) else f"{licences}; teacher: {teachers}",
        }
        save_checkpoint(folder, self.kind, config, cast(CompactModel, network).kept())

    def _roughened(self, model: CompactModel, conditions: ConditionBatch, generator: Generator) -> ConditionBatch:
        """Conditions with image features as they might be elsewhere."""
        asked, drawn = self.options.objective, {}
        for name in ("looks", "scene"):
            features: Tensor = getattr(conditions, name)
            layer, device = cast(Normalise, getattr(model.network, name)[0]), features.device
            kept = torch.rand(features.shape, generator=generator, device=device) >= asked.look_dropout
            noise = torch.randn(features.shape, generator=generator, device=device)
            drawn[name] = layer(features) * kept / (1.0 - asked.look_dropout) + asked.look_noise * noise
        there = torch.rand(len(drawn["scene"]), generator=generator, device=drawn["scene"].device) >= asked.drop_scene
        drawn["scene"] = drawn["scene"] * there[:, None]
        undone = {name: cast(Normalise, getattr(model.network, name)[0]).undone(x) for name, x in drawn.items()}
        return replace(conditions, **undone)

    def _error(
        self,
        model: CompactModel,
        batch: Batch,
        conditions: ConditionBatch,
        generator: Generator,
        times: Tensor,
        see: Tensor,
        feel: Tensor,
        nothing: Tensor,
        weight: Tensor | None = None,
    ) -> Tensor:
        sound = model.normalised(batch["mel"])
        noise = draw_noise(sound.shape, generator)
        context = model.network.context(conditions, see, feel)
        context = torch.where(nothing[:, None, None], model.network.null_context(context), context)
        return flow_matching_loss(
            lambda x, t: model.network(x, t, context),
            noise,
            sound,
            times,
            weight=None if weight is None else weight.repeat_interleave(PATCH, dim=1)[:, None],
        )


def conditions_in(batch: Batch) -> ConditionBatch:
    """The conditions of a batch, in full precision."""
    parts = {name: batch[name] if name in ("touched", "tokens") else batch[name].float() for name in CONDITIONS}
    return ConditionBatch(**parts)


def touching(conditions: ConditionBatch) -> Tensor:
    """(B, N) how much is going on: 1 while something is touched, then less and less."""
    hands = conditions.touches.reshape(*conditions.touches.shape[:2], len(HANDS), TOUCH_CHANNELS)
    lasts = hands[..., LASTS].amax(dim=-1)
    return torch.maximum(lasts, hands[..., LONG_AGO + RINGING]).amax(dim=-1)


def _told_material(told: Tensor, materials: Tensor) -> Tensor:
    """Cross-entropy of (B, C, M) against (B, C) over the touches whose material is named; 0 without any."""
    told, materials = told.flatten(0, 1).float(), materials.flatten()
    summed = nn.functional.cross_entropy(told, materials, ignore_index=UNNAMED, reduction="sum")
    return summed / (materials != UNNAMED).sum().clamp(min=1)


def _scenes(batches: CompactBatches) -> int:
    return len({ref.scene for ref in batches.refs})
