"""What the training of the published network can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from hearing_hands_ros.model.published.config import ConditionerConfig, VelocityConfig
from hearing_hands_ros.train.checks import need, need_share

WINDOW_S = 8.0


@dataclass(frozen=True)
class PublishedData:
    """Where the items are, and what part of one is a sample.

    Attributes:
        folder: Of the published dataset.
        splits: Its split file.
        held_out: Scenes that are neither trained nor validated on.
        autoencoder: Checkpoint folder that `hearing-hands model convert` wrote; its autoencoder makes the latents.
        splice: Share of samples that begin as one item and end as another.
        splice_least_s: Least length of either part, s.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    folder: str = ""
    splits: str = ""
    held_out: tuple[str, ...] = ()
    autoencoder: str = ""
    splice: float = 0.5
    splice_least_s: float = 2.0

    def __post_init__(self) -> None:
        who = "PublishedData"
        need_share(who, "splice", self.splice)
        half_s = WINDOW_S / 2
        need(0.0 < self.splice_least_s <= half_s, who, "splice_least_s", f"up to {half_s:g} s", self.splice_least_s)


@dataclass(frozen=True)
class PublishedObjective:
    """What is asked of the network.

    Attributes:
        drop: Share of samples without vision and hands.
        sample_steps: Euler steps of the sounds at a validation.
        guidance: Of these sounds.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    drop: float = 0.2
    sample_steps: int = 25
    guidance: float = 4.5

    def __post_init__(self) -> None:
        need_share("PublishedObjective", "drop", self.drop)
        need(self.sample_steps >= 1, "PublishedObjective", "sample_steps", "at least 1", self.sample_steps)
        need(self.guidance >= 0.0, "PublishedObjective", "guidance", "at least 0", self.guidance)


@dataclass(frozen=True)
class PublishedTraining:
    """Data, the two parts that are trained, and objective."""

    data: PublishedData = field(default_factory=PublishedData)
    conditioner: ConditionerConfig = field(default_factory=ConditionerConfig)
    velocity: VelocityConfig = field(default_factory=VelocityConfig)
    objective: PublishedObjective = field(default_factory=PublishedObjective)
