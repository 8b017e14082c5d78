"""The compact network with its checkpoint: conditions in, log-mel spectrograms out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from hearing_hands_ros.model.checkpoint import Checkpoint, load_checkpoint
from hearing_hands_ros.model.compact.captured import CapturedEvaluations
from hearing_hands_ros.model.compact.conditions import Conditions
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig
from hearing_hands_ros.model.compact.network import CompactNetwork, ConditionBatch
from hearing_hands_ros.model.flow.guidance import Guided
from hearing_hands_ros.model.flow.path import Velocity
from hearing_hands_ros.model.flow.solvers import integrate, shifted_grid
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import LOG_FLOOR

Array = NDArray[np.float32]

KIND = "compact"
HIGHEST_LOG_MEL = 2.0  # louder than any full-scale sound
CAPTURED_TOKENS = 16  # windows are filled up to multiples of these on CUDA


@dataclass(frozen=True)
class Sampling:
    """How a checkpoint wants to be sampled.

    Attributes:
        steps: Euler steps from noise to sound.
        guidance: Scale of classifier-free guidance; 1 asks the network once a step instead of twice.
        shift: Of the times, as in `shifted_grid`; 1 for equal steps.
        draws: Sounds that are drawn of a window, for their mean and spread.
        typical: How far the spectra of the one that is heard are moved from its draw to their mean, 0 to 1; see
            `typical_draw`.
        typical_level: The same of its level.

    Raises:
        ValueError: A field is not possible.
    """

    steps: int = 4
    guidance: float = 1.0
    shift: float = 1.0
    draws: int = 3
    typical: float = 0.5
    typical_level: float = 0.5

    def __post_init__(self) -> None:
        for name in ("steps", "draws"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
                raise ValueError(f"Sampling: {name} wanted an integer from 1 to 1000, got {value!r}")
        if not 0.0 <= self.guidance <= 20.0:
            raise ValueError(f"Sampling: guidance wanted 0 to 20, got {self.guidance!r}")
        if not 0.01 <= self.shift <= 100.0:
            raise ValueError(f"Sampling: shift wanted 0.01 to 100, got {self.shift!r}")
        for name in ("typical", "typical_level"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"Sampling: {name} wanted 0 to 1, got {getattr(self, name)!r}")


def typical_draw(draws: Array, sampling: Sampling) -> Array:
    """One sound of several: the first, moved towards the mean of all.

    A draw strays from the mean as far as the truth does, each in its own direction. The mean alone is nearest to the
    truth, but smoother than any sound: it is nobody's material. Level (the mean over bands) and spectrum are moved by
    shares of their own.

    Args:
        draws: (K, F, T) log-mel spectrograms of one window.
        sampling: Says how far.

    Returns:
        (F, T).
    """
    mean = draws.mean(axis=0)
    away = draws[0] - mean
    level = away.mean(axis=0)
    kept: Array = mean + np.float32(1.0 - sampling.typical) * (away - level)
    return kept + np.float32(1.0 - sampling.typical_level) * level


class CompactGenerator:
    """Draws spectrograms.

    Args:
        network: Trained; is put into evaluation mode.
        mean: (F,) of the training set's log-mel, which the network sees normalised.
        std: (F,) likewise.
        sequence: Rates and lengths that it was trained for.
        sampling: How it wants to be sampled.
        encoder: Name of the image encoder whose features it knows.
        device: 'cpu', 'cuda' or 'auto'.

    Raises:
        ValueError: No CUDA where it is asked for, or sizes that do not fit.
    """

    def __init__(
        self,
        network: CompactNetwork,
        mean: Tensor,
        std: Tensor,
        sequence: SequenceConfig,
        sampling: Sampling,
        encoder: str,
        device: str = "auto",
    ) -> None:
        if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ValueError(f"CompactGenerator: wanted a device that is here, 'cpu', 'cuda' or 'auto', got {device!r}")
        bins = network.config.bins
        if mean.shape != (bins,) or std.shape != (bins,) or sequence.bins != bins or not (std > 0).all():
            raise ValueError(
                f"CompactGenerator: wanted mean and positive std of {bins} bins, sequence too, got "
                f"{tuple(mean.shape)}, {tuple(std.shape)} and {sequence.bins}"
            )
        chosen = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(chosen)
        self.network = network.float().eval().requires_grad_(False).to(self.device)
        self.sequence, self.sampling, self.encoder = sequence, sampling, encoder
        self._captured = CapturedEvaluations(self._velocity) if self.device.type == "cuda" else None
        self._mean, self._std = (value.float().to(self.device)[:, None] for value in (mean, std))

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> CompactGenerator:
        """Load a checkpoint.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: The config, the hash or a tensor is not what it should be.
        """
        return cls.of(load_checkpoint(folder, KIND), device)

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: str = "auto") -> CompactGenerator:
        """Make it of a checkpoint that was read."""
        who = str(checkpoint.folder / "config.yaml")
        config = _fields(who, "network", checkpoint.config["network"], CompactConfig)
        sampling = _fields(who, "sampling", checkpoint.config.get("sampling", {}), Sampling)
        encoder = checkpoint.config.get("encoder")
        if not isinstance(encoder, str) or not encoder:
            raise ValueError(f"{who}: encoder wanted the name of an image encoder, got {encoder!r}")
        with torch.device("meta"):
            network = CompactNetwork(config)
        parts = {name: tensor for name, tensor in checkpoint.tensors.items() if name in ("mel_mean", "mel_std")}
        if len(parts) != 2:
            raise ValueError(f"{who}: wanted tensors mel_mean and mel_std, got {sorted(parts) or 'neither'}")
        checkpoint.fill(network, "network.")
        made = cls(network, parts["mel_mean"], parts["mel_std"], checkpoint.sequence, sampling, encoder, device)
        for part in network.stepped:
            part.to(torch.bfloat16)  # as autocast would, anew for each step
        return made

    def generate(
        self,
        conditions: Sequence[Conditions],
        noise: Sequence[Array],
        sampling: Sampling | None = None,
        see: bool = True,
        feel: bool = True,
    ) -> list[Array]:
        """Draw one spectrogram for each window, all in one pass; in smaller ones where memory does not suffice.

        Args:
            conditions: Of B windows, of any lengths.
            noise: For each of them (F, T) standard normal, T = PATCH * its tokens.
            sampling: Other than the checkpoint's.
            see: Take vision into account.
            feel: Take hands and touches into account.

        Returns:
            B log-mel spectrograms (F, T), from the floor of -5 up.

        Raises:
            ValueError: Not as much noise as conditions.
            MemoryError: The GPU's memory does not suffice for one window.
        """
        if not conditions:
            return []
        wanted = [(self.sequence.bins, PATCH * len(c.hands)) for c in conditions]
        if [n.shape for n in noise] != wanted:
            raise ValueError(f"CompactGenerator: noise wanted {wanted}, got {[n.shape for n in noise]}")
        return self._halved(list(conditions), list(noise), sampling or self.sampling, see, feel)

    def _halved(
        self, conditions: list[Conditions], noise: list[Array], sampling: Sampling, see: bool, feel: bool
    ) -> list[Array]:
        """Spectrograms of the batch, halved for as long as it does not fit into memory."""
        try:
            return self._drawn(conditions, noise, sampling, see, feel)
        except torch.OutOfMemoryError as error:
            if len(conditions) == 1:
                raise MemoryError(
                    f"CompactGenerator: wanted memory for one window on {self.device}, got {error}"
                ) from error
        # Outside of the handler, which keeps what did not fit alive.
        torch.cuda.empty_cache()
        half = len(conditions) // 2
        first = self._halved(conditions[:half], noise[:half], sampling, see, feel)
        return first + self._halved(conditions[half:], noise[half:], sampling, see, feel)

    def _drawn(
        self, conditions: list[Conditions], noise: list[Array], sampling: Sampling, see: bool, feel: bool
    ) -> list[Array]:
        batch = ConditionBatch.of(conditions, self.device)
        longest = int(batch.hands.shape[1])
        x = torch.zeros(len(noise), self.sequence.bins, PATCH * longest)
        for row, values in zip(x, noise, strict=True):
            row[:, : values.shape[1]] = torch.from_numpy(values)
        flags = [
            None if take else torch.zeros(len(noise), dtype=torch.bool, device=self.device) for take in (see, feel)
        ]
        with torch.inference_mode():
            mel = self.sample(batch, x.to(self.device), sampling, *flags).cpu().numpy()
        return [values[:, : n.shape[1]] for values, n in zip(mel, noise, strict=True)]

    def sample(
        self,
        batch: ConditionBatch,
        x: Tensor,
        sampling: Sampling,
        see: Tensor | None = None,
        feel: Tensor | None = None,
        *,
        around: Callable[[Velocity], Velocity] | None = None,
    ) -> Tensor:
        """From noise (B, F, T) to log-mel (B, F, T); no value leaves the device on the way.

        What `around` makes of the velocity is followed.
        """
        frames, captured = x.shape[2], self._captured is not None
        tokens = None if not captured and len(set(batch.tokens.tolist())) == 1 else batch.tokens
        context = self.network.context(batch, see, feel)
        if captured:  # few lengths, few graphs
            spare = -context.shape[1] % CAPTURED_TOKENS
            context, x = fn.pad(context, (0, 0, 0, spare)), fn.pad(x, (0, PATCH * spare))
        evaluate = self._captured or self._velocity
        grid = shifted_grid(sampling.steps, sampling.shift)
        # A cast that is kept would belong to the graph in which it was made.
        with torch.autocast(x.device.type, torch.bfloat16, cache_enabled=not captured):
            if sampling.guidance == 1.0:
                velocity: Velocity = lambda y, t: evaluate(y, t, context, tokens)  # noqa: E731
            else:
                both = torch.cat([self.network.null_context(context), context])
                twice = None if tokens is None else tokens.repeat(2)
                velocity = Guided(lambda y, t: evaluate(y, t, both, twice), sampling.guidance)
            result = integrate(around(velocity) if around else velocity, x, grid)[:, :, :frames]
        return (result.float() * self._std + self._mean).clamp(float(np.log10(LOG_FLOOR)), HIGHEST_LOG_MEL)

    def _velocity(self, x: Tensor, t: Tensor, context: Tensor, tokens: Tensor | None) -> Tensor:
        return self.network(x, t, context, tokens).float()


def _fields(who: str, name: str, values: Any, kind: type) -> Any:
    """A dataclass of what a config says, or an error that names it."""
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{who}: {name}: {error}") from error
