"""Sizes of the published networks; the defaults are the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from hearing_hands_ros.sequence import SequenceConfig


@dataclass(frozen=True)
class ConditionerConfig:
    """Sizes of the conditioner.

    Attributes:
        global_dim: Width of the global view's features.
        local_dim: Width of the local view's features.
        hand_dim: Numbers in a hand frame: 2 hands, 21 keypoints, 3 coordinates.
        width: Of the context.
    """

    global_dim: int = 512
    local_dim: int = 1024
    hand_dim: int = 126
    width: int = 768


@dataclass(frozen=True)
class VelocityConfig:
    """Sizes of the velocity network.

    Attributes:
        latent: Channels of the latent.
        context: Width of the context.
        width: Channels inside.
        heads: Of the attention.
        blocks: How many.
        growth: Channels inside a feed-forward, in multiples of `width`.
        kernel: Of the feed-forward's convolutions.
        frequency: Width of the sinusoid of time.
        positions: Longest sequence, the time token included.
    """

    latent: int = 20
    context: int = 768
    width: int = 576
    heads: int = 8
    blocks: int = 4
    growth: int = 4
    kernel: int = 9
    frequency: int = 256
    positions: int = 1000


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of the autoencoder.

    Attributes:
        bins: Mel bands F.
        latent: Channels of the latent.
        width: Channels of the first level.
        multiples: Channels of each level, in multiples of `width`.
        encoder_blocks: Residual blocks a level; the decoder has one more.
        scale: The latent that the velocity network knows is `scale` times the encoder's.
    """

    bins: int = 80
    latent: int = 20
    width: int = 384
    multiples: tuple[int, ...] = (1, 2, 4)
    encoder_blocks: int = 2
    scale: float = 0.18215


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of the vocoder.

    Attributes:
        bins: Mel bands F.
        width: Channels before the first upsampling; each upsampling halves them.
        rates: Upsampling of each stage; their product is the hop.
        kernels: Of each upsampling.
        residual_kernels: Of the residual blocks of every stage.
        dilations: Of the three convolutions in every residual block.
    """

    bins: int = 80
    width: int = 1536
    rates: tuple[int, ...] = (4, 4, 2, 2, 2, 2)
    kernels: tuple[int, ...] = (8, 8, 4, 4, 4, 4)
    residual_kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[int, ...] = (1, 3, 5)

    @property
    def hop(self) -> int:
        """Samples of each mel frame."""
        product = 1
        for rate in self.rates:
            product *= rate
        return product


@dataclass(frozen=True)
class PublishedConfig:
    """All of it; checked when made.

    Raises:
        ValueError: Two parts do not fit together; the message names them.
    """

    conditioner: ConditionerConfig = field(default_factory=ConditionerConfig)
    velocity: VelocityConfig = field(default_factory=VelocityConfig)
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)

    def __post_init__(self) -> None:
        pairs = (
            ("conditioner.width", self.conditioner.width, "velocity.context", self.velocity.context),
            ("velocity.latent", self.velocity.latent, "autoencoder.latent", self.autoencoder.latent),
            ("autoencoder.bins", self.autoencoder.bins, "vocoder.bins", self.vocoder.bins),
        )
        for one, first, other, second in pairs:
            if first != second:
                raise ValueError(f"PublishedConfig: {one} wanted {other} ({second}), got {first}")
        if self.velocity.width % self.velocity.heads:
            raise ValueError(
                f"PublishedConfig: velocity.heads wanted a divisor of velocity.width ({self.velocity.width}), got "
                f"{self.velocity.heads}"
            )

    def check_sequence(self, sequence: SequenceConfig) -> None:
        """Refuse lengths that these networks do not make.

        Raises:
            ValueError: Bins or hop differ.
        """
        if sequence.bins != self.autoencoder.bins:
            raise ValueError(f"PublishedConfig: autoencoder.bins wanted {sequence.bins}, got {self.autoencoder.bins}")
        if sequence.hop != self.vocoder.hop:
            raise ValueError(
                f"PublishedConfig: vocoder.rates wanted a product of {sequence.hop}, got {self.vocoder.hop}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> PublishedConfig:
        """Build from what a config.yaml says; what it does not say has its default.

        Raises:
            ValueError: A name is unknown or a value of the wrong type; the message names it.
        """
        return _build(cls, values, "network")


def _build(cls: Any, values: Any, where: str) -> Any:
    """Fill a dataclass of dataclasses, whole numbers, numbers and tuples of whole numbers."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: wanted a mapping, got {values!r}")  # noqa: TRY004  (a file's fault)
    defaults = cls()
    known = {each.name for each in fields(cls)}
    for name in values:
        if name not in known:
            raise ValueError(f"{where}: wanted some of {', '.join(sorted(known))}, got {name!r}")
    made = {}
    for name, value in values.items():
        default = getattr(defaults, name)
        if is_dataclass(default):
            made[name] = _build(type(default), value, f"{where}.{name}")
        elif isinstance(default, tuple):
            if not isinstance(value, (list, tuple)) or not value or not all(_is_count(each) for each in value):
                raise ValueError(f"{where}.{name}: wanted whole numbers of at least 1, got {value!r}")
            made[name] = tuple(value)
        elif isinstance(default, float):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
                raise ValueError(f"{where}.{name}: wanted a positive number, got {value!r}")
            made[name] = float(value)
        elif not _is_count(value):
            raise ValueError(f"{where}.{name}: wanted a whole number of at least 1, got {value!r}")
        else:
            made[name] = value
    return cls(**made)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
