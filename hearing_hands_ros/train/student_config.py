"""What the training of a student, which needs fewer steps than its teacher, can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hearing_hands_ros.train.checks import need, need_share
from hearing_hands_ros.train.compact_config import SHIFT, CompactData
from hearing_hands_ros.train.reuse import Reuse

AWAY_FROM = ("nothing", "blind")
MOST_STEPS = 1000  # that a checkpoint can ask for


@dataclass(frozen=True)
class TeacherConfig:
    """Whose flow is learnt.

    Attributes:
        folder: Checkpoint of a compact network; gives the student its sizes and, without `run.start_from`, its first
            weights.
        steps: Euler steps of the teacher.
        guidance: Scale of its guidance, which the student takes over at no cost.
        away_from: What the guidance leads away from: 'nothing', no condition at all, exaggerates all of them; 'blind',
            the other conditions without vision, exaggerates what is seen, and keeps times and levels as they are.
        shift: Of its times, as in `shifted_grid`; of the student's too.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    folder: str = ""
    steps: int = 24
    guidance: float = 2.0
    away_from: Literal["nothing", "blind"] = "nothing"
    shift: float = SHIFT

    def __post_init__(self) -> None:
        need(0.01 <= self.shift <= 100.0, "TeacherConfig", "shift", "0.01 to 100", self.shift)
        need(1 <= self.steps <= MOST_STEPS, "TeacherConfig", "steps", f"1 to {MOST_STEPS}", self.steps)
        need(self.away_from in AWAY_FROM, "TeacherConfig", "away_from", f"one of {AWAY_FROM}", self.away_from)
        need(0.0 <= self.guidance <= 20.0, "TeacherConfig", "guidance", "0 to 20", self.guidance)


@dataclass(frozen=True)
class StudentObjective:
    """What is asked of the student.

    Attributes:
        steps: Euler steps that it is to be sampled with.
        drop_vision: Share of samples without vision; teacher and student both go without.
        drop_hands: Share without hands and touches.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    steps: int = 4
    drop_vision: float = 0.1
    drop_hands: float = 0.05

    def __post_init__(self) -> None:
        need(1 <= self.steps <= MOST_STEPS, "StudentObjective", "steps", f"1 to {MOST_STEPS}", self.steps)
        for name in ("drop_vision", "drop_hands"):
            need_share("StudentObjective", name, getattr(self, name))
        whole = self.drop_vision + self.drop_hands
        need(whole <= 1.0, "StudentObjective", "drop_vision + drop_hands", "at most 1", whole)


@dataclass(frozen=True)
class StudentTraining:
    """A student of a compact network, by reflow or by distillation.

    Attributes:
        data: Conditions come from here.
        teacher: Of the student.
        pairs: Batches of noise and the teacher's sound that are kept, and how often each is learnt from.
        objective: Of the student.
    """

    data: CompactData = field(default_factory=CompactData)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    pairs: Reuse = field(default_factory=lambda: Reuse(16, 8))
    objective: StudentObjective = field(default_factory=StudentObjective)
