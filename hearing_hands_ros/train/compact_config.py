"""What the training of the compact network can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hearing_hands_ros.model.compact.config import CompactConfig
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.train.checks import need, need_at_least, need_share

LONGEST_S = 10.0
SHIFT = 6.0
SHORTEST_S = 0.5


@dataclass(frozen=True)
class CompactData:
    """Where the items are, and what part of one is a sample.

    Attributes:
        folder: Of the dataset.
        shortest_s: Least length of a random crop, s.
        longest_s: Greatest length of a random crop, s; items shorter than that are taken whole.
        hand_in_view: Share of touches whose view has the hand in it, where one was rendered.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    folder: str = ""
    shortest_s: float = 1.0
    longest_s: float = 4.0
    hand_in_view: float = 0.5

    def __post_init__(self) -> None:
        need(
            SHORTEST_S <= self.shortest_s <= self.longest_s <= LONGEST_S,
            "CompactData",
            "shortest_s, longest_s",
            f"{SHORTEST_S:g} <= shortest_s <= longest_s <= {LONGEST_S:g} s",
            (self.shortest_s, self.longest_s),
        )
        need_share("CompactData", "hand_in_view", self.hand_in_view)


@dataclass(frozen=True)
class CompactObjective:
    """What is asked of the network.

    Attributes:
        time: How times are drawn: 'logit_normal' looks more often at one part of the path, 'uniform' at all alike.
        time_mean: Which part: mean of the logit. 0 is the middle; below 0 it is nearer to the noise.
        time_std: How wide that part is, as a deviation of the logit.
        drop_all: Share of samples without any condition.
        drop_vision: Share without vision.
        drop_hands: Share without hands and touches.
        drop_scene: Share that sees the touched places, but not the scene around them.
        look_dropout: Share of the numbers of an image feature that are left out.
        look_noise: Noise on the others, in deviations of the training's features.
        focus: Weight of mel frames in which something is touched or has just been, beside 1 for all of them: most of an
            item is the noise of the room.
        material: Weight of telling the material from the look of a touched place, where the dataset names it; the
            layer that tells it is not kept. Textures are few, sounds are long: without, vision is learnt by heart.
        sample_steps: Euler steps of the sounds at a validation, and of whoever loads the checkpoint.
        shift: Of their times, as in `shifted_grid`.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    time: Literal["logit_normal", "uniform"] = "logit_normal"
    time_mean: float = -2.5
    time_std: float = 1.5
    drop_all: float = 0.1
    drop_vision: float = 0.1
    drop_hands: float = 0.05
    drop_scene: float = 0.5
    look_dropout: float = 0.3
    look_noise: float = 0.3
    focus: float = 4.0
    material: float = 0.1
    sample_steps: int = 8
    shift: float = SHIFT

    def __post_init__(self) -> None:
        for name in ("drop_all", "drop_vision", "drop_hands", "drop_scene"):
            need_share("CompactObjective", name, getattr(self, name))
        need(0.0 <= self.look_dropout < 1.0, "CompactObjective", "look_dropout", "0 to less than 1", self.look_dropout)
        for name in ("look_noise", "focus", "material"):
            need_at_least("CompactObjective", name, 0, getattr(self, name))
        whole = self.drop_all + self.drop_vision + self.drop_hands
        need(whole <= 1.0, "CompactObjective", "drop_all + drop_vision + drop_hands", "at most 1", whole)
        need(-5.0 <= self.time_mean <= 5.0, "CompactObjective", "time_mean", "-5 to 5", self.time_mean)
        need(0.1 <= self.time_std <= 5.0, "CompactObjective", "time_std", "0.1 to 5", self.time_std)
        need(0.01 <= self.shift <= 100.0, "CompactObjective", "shift", "0.01 to 100", self.shift)
        need(self.sample_steps >= 1, "CompactObjective", "sample_steps", "at least 1", self.sample_steps)


@dataclass(frozen=True)
class CompactTraining:
    """Data, rates that they must have, network and objective."""

    data: CompactData = field(default_factory=CompactData)
    sequence: SequenceConfig = field(default_factory=SequenceConfig)
    network: CompactConfig = field(default_factory=CompactConfig)
    objective: CompactObjective = field(default_factory=CompactObjective)
