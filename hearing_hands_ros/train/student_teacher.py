"""The teacher of a student: a compact checkpoint, and where its guided flow goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, load_checkpoint
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator
from hearing_hands_ros.model.compact.network import ConditionBatch
from hearing_hands_ros.model.flow.guidance import Guided
from hearing_hands_ros.model.flow.solvers import integrate, shifted_grid
from hearing_hands_ros.train.compact_task import CompactModel
from hearing_hands_ros.train.student_config import TeacherConfig


class Teacher:
    """Never trained, and asked without gradients.

    Args:
        asked: Folder, steps and guidance.

    Attributes:
        folder: Of its checkpoint.
        checkpoint: What was read.
        model: Its network.
        sequence: Rates and lengths that it knows.

    Raises:
        FileNotFoundError: There is no checkpoint.
        ValueError: None was named, or it is of another kind or damaged.
    """

    def __init__(self, asked: TeacherConfig) -> None:
        if not asked.folder:
            raise ValueError(
                "configuration: teacher.folder wanted the checkpoint folder of a compact network, got none "
                "(teacher.folder=FOLDER)"
            )
        self.asked, self.folder = asked, Path(asked.folder).expanduser()
        self.checkpoint = load_checkpoint(self.folder, KIND)
        known = CompactGenerator.of(self.checkpoint, "cpu")  # checks the rest of it
        self.sequence, self._encoder = known.sequence, known.encoder
        tensors = self.checkpoint.tensors
        self.model = CompactModel(known.network.config, tensors["mel_mean"], tensors["mel_std"])
        self.model.fill(self.checkpoint)
        self.model.float().eval().requires_grad_(False)

    def check_encoder(self, encoder: str, dataset: str) -> None:
        """Compare what it knows how to see with what a dataset shows.

        Raises:
            ValueError: They are not of the same image encoder.
        """
        if self._encoder != encoder:
            raise ValueError(
                f"{self.folder / CONFIG}: encoder of the teacher wanted {encoder!r}, as Dataset({dataset!r}) has it, "
                f"got {self._encoder!r}"
            )

    def told(self) -> dict[str, Any]:
        """What a student's checkpoint says of it."""
        return {
            "sha256": self.checkpoint.config["sha256"][WEIGHTS],
            "steps": self.asked.steps,
            "guidance": self.asked.guidance,
            "away_from": self.asked.away_from,
            "shift": self.asked.shift,
            "training": self.checkpoint.config["training"],
        }

    @torch.no_grad()
    def sound(
        self,
        conditions: ConditionBatch,
        noise: Tensor,
        steps: int,
        see: Tensor | None = None,
        feel: Tensor | None = None,
    ) -> Tensor:
        """Where the guided flow goes.

        Args:
            conditions: Of B windows of one length.
            noise: (B, F, T).
            steps: Of Euler.
            see: (B,) bool, whose vision is taken; all if None.
            feel: (B,) bool, whose hands and touches are taken; all if None.

        Returns:
            (B, F, T) normalised log-mel.
        """
        network = self.model.to(noise.device).network
        context = network.context(conditions, see, feel)
        both = torch.cat([self._away_from(conditions, context, feel), context])
        guided = Guided(
            lambda x, t: network(x, t, both).float(),
            self.asked.guidance,
            alone=lambda x, t: network(x, t, context).float(),
        )
        return integrate(guided, noise, shifted_grid(steps, self.asked.shift))

    def _away_from(self, conditions: ConditionBatch, context: Tensor, feel: Tensor | None) -> Tensor:
        """Context that the guidance leads away from, of the shape of `context`."""
        network = self.model.network
        if self.asked.away_from == "nothing":
            return network.null_context(context)
        blind = torch.zeros(len(context), dtype=torch.bool, device=context.device)
        return network.context(conditions, blind, feel)
