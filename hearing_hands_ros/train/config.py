"""How a network is trained: one dataclass a part, from YAML and `key=value`, checked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from hearing_hands_ros.train.checks import need, need_at_least, need_share
from hearing_hands_ros.train.compact_config import CompactTraining
from hearing_hands_ros.train.finetune.config import FinetuneTraining
from hearing_hands_ros.train.published_config import PublishedTraining
from hearing_hands_ros.train.reading import flat, meant, override, read
from hearing_hands_ros.train.student_config import StudentTraining

Options = CompactTraining | PublishedTraining | StudentTraining | FinetuneTraining
FREE = tuple(
    f"run.{name}"
    for name in (
        "out", "steps", "accelerator", "devices", "nodes", "workers", "log_every", "validate_every",
        "validation_batches", "samples", "save_every_s", "resume", "start_from",
    )
)  # fmt: skip
"""Keys that may change between a run and its continuation without a word."""


@dataclass(frozen=True)
class RunConfig:
    """How long, where, and what is written on the way.

    Attributes:
        out: Folder of the run; the same folder again goes on where it was stopped.
        steps: In all.
        batch: Items a step, over all processes.
        seed: Of the first weights and of everything that is drawn.
        precision: '32', or 'bf16' for bfloat16 where it is safe (mixed).
        accelerator: 'auto' takes CUDA where it is.
        devices: Processes on this machine; 0 for every GPU, one CPU process, or what torchrun or Slurm started.
        nodes: Machines; 0 for what torchrun or Slurm says, else one.
        workers: Processes that gather batches; 0 for none: all data are in memory.
        ema_decay: Share of the mean weights that a step keeps; they are what is validated and exported.
        log_every: Steps between two points of a curve.
        validate_every: Steps.
        validation_batches: Most that are looked at.
        samples: Sounds and pictures at each validation.
        save_every_s: Time between two saves, s.
        resume: 'same' goes on if the configuration did not change, 'changed' even if it did, 'anew' begins again.
        start_from: Checkpoint folder with the first weights; empty for random ones, or a teacher's.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    out: str = ""
    steps: int = 40_000
    batch: int = 32
    seed: int = 0
    precision: Literal["32", "bf16"] = "32"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 0
    nodes: int = 0
    workers: int = 0
    ema_decay: float = 0.999
    log_every: int = 50
    validate_every: int = 1000
    validation_batches: int = 16
    samples: int = 4
    save_every_s: float = 180.0
    resume: Literal["same", "changed", "anew"] = "same"
    start_from: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "log_every", "validate_every", "validation_batches"):
            need_at_least("RunConfig", name, 1, getattr(self, name))
        for name in ("seed", "devices", "nodes", "workers", "samples", "save_every_s"):
            need_at_least("RunConfig", name, 0, getattr(self, name))
        need_share("RunConfig", "ema_decay", self.ema_decay)


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its rate.

    Attributes:
        learning_rate: After the warm-up.
        warmup_steps: From 0 to that rate, in a line.
        schedule: 'constant', or 'cosine' down to `final_share` of the rate at the last step.
        final_share: Of the rate, that is left at the end of a cosine.
        weight_decay: Of matrices; vectors have none.
        betas: Of AdamW.
        clip_norm: Gradients longer than this are made so long; 0 leaves them.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    learning_rate: float = 5e-4
    warmup_steps: int = 500
    schedule: Literal["constant", "cosine"] = "cosine"
    final_share: float = 0.05
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        who = "OptimizerConfig"
        need(0.0 < self.learning_rate < 1.0, who, "learning_rate", "more than 0 and less than 1", self.learning_rate)
        for name in ("warmup_steps", "weight_decay", "clip_norm"):
            need_at_least(who, name, 0, getattr(self, name))
        need_share(who, "final_share", self.final_share)
        need(
            all(0.0 <= beta < 1.0 for beta in self.betas), who, "betas", "two of at least 0 and less than 1", self.betas
        )


@dataclass(frozen=True)
class TrainConfig:
    """All of it.

    Attributes:
        task: What is trained.
        run: How long, where, and what is written.
        optimizer: How fast.
        options: Of the task: its data, network and objective.
    """

    task: str
    run: RunConfig
    optimizer: OptimizerConfig
    options: Options

    def sections(self) -> dict[str, Any]:
        """The parts by the names of their sections in a file."""
        options = {item.name: getattr(self.options, item.name) for item in fields(self.options)}
        return {"run": self.run, "optimizer": self.optimizer, **options}

    def document(self) -> dict[str, Any]:
        """As it is written to a file, which `load_config` reads."""
        result: dict[str, Any] = {"task": self.task}
        for name, section in self.sections().items():
            result[name] = flat(section)
        return result


_SLOW = OptimizerConfig(learning_rate=3e-5, warmup_steps=100)  # students know most of it already
DEFAULTS: Mapping[str, TrainConfig] = {
    "compact": TrainConfig("compact", RunConfig(), OptimizerConfig(), CompactTraining()),
    "published": TrainConfig(
        "published",
        RunConfig(steps=200_000, batch=128, ema_decay=0.9999),
        OptimizerConfig(learning_rate=4e-4, warmup_steps=1000, schedule="constant", betas=(0.9, 0.999)),
        PublishedTraining(),
    ),
    "reflow": TrainConfig("reflow", RunConfig(steps=10_000), _SLOW, StudentTraining()),
    "distill": TrainConfig("distill", RunConfig(steps=10_000), _SLOW, StudentTraining()),
    "finetune": TrainConfig(
        "finetune",
        RunConfig(
            steps=80, batch=6, precision="bf16", ema_decay=0.97, validate_every=40, validation_batches=6, samples=2
        ),
        OptimizerConfig(learning_rate=1e-4, warmup_steps=20),
        FinetuneTraining(),
    ),
}
"""Tasks, and how each is trained if nothing else is said."""


def load_config(source: str | Path, words: Sequence[str] = ()) -> TrainConfig:
    """Read and check a configuration.

    Args:
        source: A file, or the name of a task for its defaults.
        words: `key=value`, over what the file says.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML, or a key or value does not fit; the message names it.
    """
    document, who = _document(source)
    task = document.pop("task", None)
    if task not in DEFAULTS:
        raise ValueError(f"{who}: task wanted one of {', '.join(DEFAULTS)}, got {task!r}")
    default = DEFAULTS[task]
    sections = default.sections()
    document = override(document, words, list(flat(sections)))
    for key in document:
        if key not in sections:
            raise ValueError(f"{who}: {key}: no such section{meant(str(key), list(sections))}")
    made = {name: read(section, document.get(name), who, f"{name}.") for name, section in sections.items()}
    config = TrainConfig(task, made.pop("run"), made.pop("optimizer"), replace(default.options, **made))
    need(bool(config.run.out), who, "run.out", "a folder to write to", config.run.out)
    return config


def changes(saved: Mapping[str, Any], config: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Keys that a continuation would change: what was saved, and what is wanted now.

    Args:
        saved: `TrainConfig.document` of the run so far.
        config: Wanted now.
    """
    was, now = flat(saved), flat(config.document())
    keys = [key for key in {**was, **now} if key not in FREE]
    return {key: (was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)}


def _document(source: str | Path) -> tuple[dict[Any, Any], str]:
    path = Path(source).expanduser()
    if str(source) in DEFAULTS and not path.is_file():
        return {"task": str(source)}, "configuration"
    if not path.is_file():
        raise FileNotFoundError(
            f"wanted a configuration, or one of {', '.join(DEFAULTS)} for its defaults, got nothing at {path}"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: wanted YAML, got something else: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path}: wanted keys and values, got {type(document).__name__}")  # noqa: TRY004
    return document, str(path)
