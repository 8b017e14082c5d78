"""The published model from conditions to sound."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from hearing_hands_ros.model.checkpoint import CONFIG, Checkpoint, load_checkpoint
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.published.acceleration import accelerate
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.bigvgan import BigVGAN
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.sampler import GUIDANCE, STEPS, sample
from hearing_hands_ros.model.published.velocity import VelocityNetwork
from hearing_hands_ros.sequence import SequenceConfig

KIND = "published"
LONGEST_S = 8.0
"""The window that it was trained on; positions after it never saw data."""

Precision = Literal["float32", "bfloat16"]


class PublishedGenerator:
    """Log-mel and waveform of windows, from hand keypoints and CLIP features.

    Attributes:
        sequence: Rates and lengths.
        device: Where it runs.

    Args:
        config: Sizes.
        conditioner: With its weights, as the next three.
        velocity: The network that is sampled.
        autoencoder: Its decoder is used.
        vocoder: Log-mel to waveform.
        sequence: Rates and lengths.
        device: 'cpu', 'cuda' or 'auto'.
        precision: Of the products in the velocity network's feed-forwards on a CPU, of the whole network on CUDA.
        fast: Exchange parts for ones that are faster on a CPU; without it the networks run as they were published.

    Raises:
        ValueError: No CUDA where it is asked for, an unknown precision, or a sequence that does not fit.
    """

    def __init__(
        self,
        config: PublishedConfig,
        conditioner: Conditioner,
        velocity: VelocityNetwork,
        autoencoder: Autoencoder,
        vocoder: BigVGAN,
        sequence: SequenceConfig | None = None,
        device: str = "auto",
        precision: Precision = "float32",
        fast: bool = True,
    ) -> None:
        if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ValueError(
                f"PublishedGenerator: wanted a device that is here, 'cpu', 'cuda' or 'auto', got {device!r}"
            )
        if precision not in ("float32", "bfloat16"):
            raise ValueError(f"PublishedGenerator: precision wanted 'float32' or 'bfloat16', got {precision!r}")
        self.sequence = sequence or SequenceConfig()
        config.check_sequence(self.sequence)
        chosen = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.config, self.device = config, torch.device(chosen)
        dtype = getattr(torch, precision)
        networks: tuple[nn.Module, ...] = (conditioner, velocity, autoencoder, vocoder)
        for network in networks:
            network.eval().requires_grad_(False).float().to(self.device)
        if fast and self.device.type == "cpu":
            accelerate(velocity, dtype)
            accelerate(vocoder)
        self._autocast = torch.autocast(
            self.device.type, torch.bfloat16, enabled=precision == "bfloat16" and self.device.type == "cuda"
        )
        self.conditioner, self.velocity, self.autoencoder, self.vocoder = conditioner, velocity, autoencoder, vocoder

    @classmethod
    def load(
        cls, folder: str | Path, device: str = "auto", precision: Precision = "float32", fast: bool = True
    ) -> PublishedGenerator:
        """Load a folder that `hearing-hands model convert` wrote.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: The config, the hash or a tensor is not what it should be.
        """
        return cls.of(load_checkpoint(folder, KIND), device, precision, fast)

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, device: str = "auto", precision: Precision = "float32", fast: bool = True
    ) -> PublishedGenerator:
        """Make it of a checkpoint that was read."""
        who = str(checkpoint.folder / CONFIG)
        try:
            config = PublishedConfig.from_mapping(checkpoint.config["network"])
            config.check_sequence(checkpoint.sequence)
            with torch.device("meta"):
                conditioner = Conditioner(config.conditioner)
                velocity = VelocityNetwork(config.velocity)
                autoencoder = Autoencoder(config.autoencoder)
                vocoder = BigVGAN(config.vocoder)
        except ValueError as error:
            raise ValueError(f"{who}: {error}") from error
        checkpoint.fill(conditioner, "conditioner.")
        checkpoint.fill(velocity, "velocity.")
        checkpoint.fill(autoencoder, "autoencoder.")
        checkpoint.fill(vocoder, "vocoder.")
        return cls(config, conditioner, velocity, autoencoder, vocoder, checkpoint.sequence, device, precision, fast)

    def generate(
        self,
        hands: Tensor,
        global_features: Tensor,
        local_features: Tensor,
        generator: torch.Generator,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
    ) -> tuple[Tensor, Tensor]:
        """Draw one sound for each window, all in one pass; in smaller ones where the GPU's memory does not suffice.

        Args:
            hands: (B, 240, 126) keypoints at 30 Hz as the published loader has them; fewer frames for a shorter window.
            global_features: (B, 32, 512) at 4 Hz.
            local_features: (B, 32, 1024) at 4 Hz.
            generator: Draws the noise, all of it before anything else, on its own device.
            steps: Of the solver.
            guidance: How much the conditions are exaggerated.

        Returns:
            Log-mel (B, 80, 500) and wave (B, 128 000), float32 on the CPU.

        Raises:
            ValueError: A shape is not as above, a value is not finite, or the window is longer than 8 s.
            MemoryError: The GPU's memory does not suffice for one window.
        """
        frames = self._latent_frames(hands, global_features, local_features)
        noise = draw_noise((len(hands), self.config.velocity.latent, frames), generator, "cpu")
        return self.from_noise(noise, hands, global_features, local_features, steps, guidance)

    def from_noise(
        self,
        noise: Tensor,
        hands: Tensor,
        global_features: Tensor,
        local_features: Tensor,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
    ) -> tuple[Tensor, Tensor]:
        """As `generate`, of noise that was drawn elsewhere; it says how long the windows are.

        Args:
            noise: (B, 20, T) standard normal, T up to 250 latent frames.
            hands: (B, any, 126); each condition is spread evenly over the T frames.
            global_features: (B, any, 512).
            local_features: (B, any, 1024), as many as `global_features`.
            steps: Of the solver.
            guidance: How much the conditions are exaggerated.

        Returns:
            Log-mel (B, 80, 2 T) and wave (B, 512 T), float32 on the CPU.

        Raises:
            ValueError: A shape is not as above, or a value is not finite.
            MemoryError: The GPU's memory does not suffice for one window.
        """
        self._check(hands, global_features, local_features)
        count, latent, longest = len(hands), self.config.velocity.latent, self.sequence.latent_frames(LONGEST_S)
        if noise.ndim != 3 or noise.shape[:2] != (count, latent) or not 1 <= noise.shape[2] <= longest:
            raise ValueError(
                f"PublishedGenerator: noise wanted ({count}, {latent}, T) with T from 1 to {longest}, got "
                f"{tuple(noise.shape)}"
            )
        parts = self._run([hands, global_features, local_features, noise], steps, guidance)
        log_mel, wave = (torch.cat(part) for part in zip(*parts, strict=True))
        return log_mel, wave

    def _run(self, inputs: list[Tensor], steps: int, guidance: float) -> list[tuple[Tensor, Tensor]]:
        """Results of the batch, halved for as long as it does not fit into memory."""
        count = len(inputs[0])
        try:
            moved = [part.to(self.device, torch.float32) for part in inputs]
            return [self._generate(moved, steps, guidance)]
        except torch.OutOfMemoryError as error:
            if count == 1:
                raise MemoryError(
                    f"PublishedGenerator: wanted memory for one window on {self.device}, got {error}"
                ) from error
        # Outside of the handler, which keeps what did not fit alive.
        torch.cuda.empty_cache()
        half = count // 2
        first = self._run([part[:half] for part in inputs], steps, guidance)
        return first + self._run([part[half:] for part in inputs], steps, guidance)

    @torch.inference_mode()
    def _generate(self, inputs: list[Tensor], steps: int, guidance: float) -> tuple[Tensor, Tensor]:
        hands, global_features, local_features, noise = inputs
        frames = noise.shape[2]
        context = self.conditioner(hands, global_features, local_features, frames)
        null = self.conditioner.null(hands, frames)
        with self._autocast:
            latent = sample(self.velocity, noise, context, null, steps, guidance)
        log_mel = self.autoencoder.log_mel(latent.float())
        return log_mel.cpu(), self.vocoder(log_mel).cpu()

    def _latent_frames(self, hands: Tensor, global_features: Tensor, local_features: Tensor) -> int:
        """Latent frames of the window, after a look at the conditions."""
        self._check(hands, global_features, local_features)
        seconds = hands.shape[1] / self.sequence.hand_rate_hz
        if seconds > LONGEST_S:
            raise ValueError(f"PublishedGenerator: hands wanted at most {LONGEST_S:g} s, as trained, got {seconds:g} s")
        views = self.sequence.view_frames(seconds)
        if global_features.shape[1] != views:
            got = global_features.shape[1]
            raise ValueError(f"PublishedGenerator: global_features wanted {views} views for {seconds:g} s, got {got}")
        return self.sequence.latent_frames(seconds)

    def _check(self, hands: Tensor, global_features: Tensor, local_features: Tensor) -> None:
        named = {"hands": hands, "global_features": global_features, "local_features": local_features}
        for name, tensor in named.items():
            if tensor.ndim != 3 or not tensor.numel():
                raise ValueError(f"PublishedGenerator: {name} wanted (B, frames, width), got {tuple(tensor.shape)}")
            bad = int(torch.count_nonzero(~torch.isfinite(tensor)))
            if bad:
                raise ValueError(f"PublishedGenerator: {name} wanted finite values, got {bad} that are not")
