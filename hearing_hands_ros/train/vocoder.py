"""Train the iSTFT-head vocoder on a bank of recorded touches.

    python -m hearing_hands_ros.train.vocoder OUT --bank demo/bank --minutes 25

Call it again with the same OUT to go on where it was; every step draws the same sounds, interrupted or not.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hearing_hands_ros.model.checkpoint import save_checkpoint
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel
from hearing_hands_ros.sound.vocoder.error import multi_resolution_error
from hearing_hands_ros.sound.vocoder.istft_network import IstftConfig, IstftNetwork
from hearing_hands_ros.train.vocoder_losses import MelLoss, spectral_loss
from hearing_hands_ros.train.vocoder_sounds import TouchSounds, read_bank
from hearing_hands_ros.whole_file import whole_file

BATCH, FRAMES = 12, 56
RATE, LAST_RATE, WARM_UP = 1e-3, 2e-5, 100
MEL_WEIGHT = 2.0
ROUNDS_IN_USE = 16
"""More than are trained through: each costs little without a gradient, and the error still falls."""

LICENCE = "CC-BY-SA-3.0"


class VocoderTraining:
    """Network, optimiser and how far they are.

    Args:
        folder: Gets `state.pt` and the checkpoint; a `state.pt` there is gone on with.
        bank: Folder of recordings.
        steps: Length of the whole training: the learning rate falls to its end.
        config: Size of the network.
        batch: Segments a step.

    Raises:
        FileNotFoundError: There is no bank.
        ValueError: The state in `folder` is of another size of network.
    """

    def __init__(
        self, folder: Path, bank: Path, steps: int, config: IstftConfig | None = None, batch: int = BATCH
    ) -> None:
        self.folder, self.bank, self.steps, self.batch = folder, bank, steps, batch
        self.config = config or IstftConfig()
        self.sequence = SequenceConfig()
        torch.manual_seed(0)
        self.network = IstftNetwork(self.config, self.sequence)
        self.mel_loss = MelLoss(self.sequence)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), RATE, betas=(0.8, 0.99), weight_decay=0.01)
        self.step = 0
        recordings, self.watched = read_bank(bank, self.sequence.sample_rate_hz)
        self.sounds = TouchSounds(recordings, self.sequence.sample_rate_hz)
        self._resume()

    def advance(self) -> float:
        """One step; its loss."""
        waves = self._draw()
        log_mels = torch.from_numpy(np.stack([log_mel(wave, self.sequence) for wave in waves]))
        wanted = torch.from_numpy(waves)
        with torch.autocast("cpu", torch.bfloat16):  # a sixth of a step less
            magnitude, phase = self.network.polar(log_mels)
        made = self.network.search(magnitude.float(), phase.float())
        loss = spectral_loss(made, wanted) + MEL_WEIGHT * self.mel_loss(made, wanted)
        self.optimizer.param_groups[0]["lr"] = self.rate()
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if torch.isfinite(norm):  # a segment may by chance have no phase to follow
            self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def rate(self) -> float:
        """Learning rate of the step to come: a short rise, then half a cosine."""
        fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, self.step / self.steps)))
        return min(1.0, (self.step + 1) / WARM_UP) * (LAST_RATE + (RATE - LAST_RATE) * fall)

    def watch(self) -> float:
        """Mean multi-resolution error on recordings that are not trained on."""
        errors = []
        for wave in self.watched:
            whole = wave[: wave.size // self.sequence.hop * self.sequence.hop]
            with torch.no_grad():
                made = self.network(torch.from_numpy(log_mel(whole, self.sequence))[None])[0].numpy()
            errors.append(multi_resolution_error(made, whole))
        return float(np.mean(errors))

    def save(self) -> None:
        """Write state and checkpoint; an interruption leaves the older ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {"step": self.step, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        with whole_file(self.folder / "state.pt") as draft:
            torch.save(state, draft)
        config = {
            "name": f"istft_head-{self.step}",
            "network": asdict(replace(self.config, rounds=ROUNDS_IN_USE)),
            "sequence": asdict(self.sequence),
            "training": {"bank": self.bank.name, "steps": self.step, "batch": self.batch, "frames": FRAMES},
            "licence": LICENCE,
        }
        tensors = {name: tensor.half() for name, tensor in self.network.state_dict().items()}
        save_checkpoint(self.folder / "checkpoint", "vocoder", config, tensors)

    def _draw(self) -> NDArray[np.float32]:
        rng = np.random.default_rng([0, self.step])
        samples = FRAMES * self.sequence.hop
        return np.stack([self.sounds.draw(rng, samples) for _ in range(self.batch)])

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise ValueError(f"{path}: wanted the state of a network of {self.config}, got another: {error}") from error
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m hearing_hands_ros.train.vocoder", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bank", type=Path, default=Path("demo/bank"))
    parser.add_argument("--steps", type=int, default=4000, help="length of the whole training")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; call again to go on")
    options = parser.parse_args(arguments)
    training = VocoderTraining(options.out, options.bank, options.steps)
    size = sum(p.numel() for p in training.network.parameters())
    print(f"{size / 1e6:.2f} M parameters, {len(training.watched)} recordings to watch, at step {training.step}")
    begun, losses = time.monotonic(), []
    while training.step < options.steps and time.monotonic() - begun < options.minutes * 60.0:
        losses.append(training.advance())
        if training.step % 200 == 0:
            training.save()
            minutes = (time.monotonic() - begun) / 60.0
            print(
                f"step {training.step}: loss {np.mean(losses):.3f}, watched {training.watch():.3f}, {minutes:.1f} min",
                flush=True,
            )
            losses = []
    training.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
