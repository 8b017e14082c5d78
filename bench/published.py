"""One 8 s window of the published model on a CPU: as a plain float32 loop, and as `PublishedGenerator` does it.

    .venv/bin/python bench/published.py [--runs 3] [--steps 25] [--threads 2]

Full size, random weights. Plain is PyTorch's own layers, two passes of the velocity network a step. The ways take
turns; medians. Seconds by the wall clock, and of processor time, which others on the machine disturb less. "Off" is the
root mean square difference of the log-mel over its std: of the decoder's, and of the one computed from the wave.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.flow.solvers import uniform_grid
from hearing_hands_ros.model.published.acceleration import accelerate
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.bigvgan import FILTER, BigVGAN
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.sampler import GUIDANCE, sample
from hearing_hands_ros.model.published.velocity import VelocityNetwork, published_step
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.mel import log_mel

SECONDS = 8.0
PLAIN, FAST, ROUGH = "plain float32", "fast float32", "fast bfloat16"
STAGES = ("sampling", "autoencoder", "vocoder")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        measure(args.runs, args.steps)


def measure(runs: int, steps: int) -> None:
    """Run every stage every way, and print the table."""
    torch.manual_seed(0)
    config, sequence = PublishedConfig(), SequenceConfig()
    conditioner, autoencoder = Conditioner(config.conditioner).eval(), Autoencoder(config.autoencoder).eval()
    velocities, vocoders = {PLAIN: trained_looking(config)}, {PLAIN: vocoder(config)}
    loading = {}
    for way, dtype in ((FAST, torch.float32), (ROUGH, torch.bfloat16)):
        velocities[way] = copy.deepcopy(velocities[PLAIN])
        vocoders[way] = copy.deepcopy(vocoders[PLAIN]) if way == FAST else vocoders[FAST]
        begun = time.perf_counter()
        accelerate(velocities[way], dtype)
        accelerate(vocoders[way])
        loading[way] = time.perf_counter() - begun

    generator = torch.Generator().manual_seed(1)
    frames = sequence.latent_frames(SECONDS)
    noise = draw_noise((1, config.velocity.latent, frames), generator)
    hands = draw_noise((1, sequence.hand_frames(SECONDS), config.conditioner.hand_dim), generator)
    views = sequence.view_frames(SECONDS)
    seen = [draw_noise((1, views, w), generator) for w in (config.conditioner.global_dim, config.conditioner.local_dim)]
    context, null = conditioner(hands, *seen, frames), conditioner.null(hands, frames)

    clock = Clock()
    mels, waves = {}, {}
    for _ in range(runs):
        for way, network in velocities.items():
            loop = plain_loop if way == PLAIN else sample
            latent = clock.run((way, "sampling"), lambda n=network, f=loop: f(n, noise, context, null, steps))
            mels[way] = clock.run((way, "autoencoder"), lambda z=latent: autoencoder.log_mel(z))
            # Random weights make a spectrogram that no vocoder knows: it is brought to a usual range.
            usual = (mels[way] - mels[PLAIN].mean()) / mels[PLAIN].std()
            waves[way] = clock.run((way, "vocoder"), lambda m=usual, v=vocoders[way]: v(m))[0].numpy()

    print(f"{steps} guided steps, {torch.get_num_threads()} threads, medians of {runs} runs")
    heading = " | ".join(f"{stage:>11}" for stage in (*STAGES, "all", "faster", "processor", "faster"))
    print(f"{'':>13} | {heading} | mel off | wave's mel off")
    wall, processor = (
        {way: sum(clock.median((way, stage), which) for stage in STAGES) for way in velocities} for which in (0, 1)
    )
    reference = mels[PLAIN].numpy(), log_mel(waves[PLAIN], sequence)
    for way in velocities:
        row = [clock.median((way, stage), 0) for stage in STAGES]
        row += [wall[way], wall[PLAIN] / wall[way], processor[way], processor[PLAIN] / processor[way]]
        off = share(mels[way].numpy(), reference[0]), share(log_mel(waves[way], sequence), reference[1])
        print(f"{way:>13} | {' | '.join(f'{value:11.2f}' for value in row)} | {off[0]:7.0e} | {off[1]:7.0e}")
    print("exchanging parts: " + ", ".join(f"{way} {seconds:.1f} s" for way, seconds in loading.items()))
    print("all, each run, s: " + ", ".join(f"{way} {clock.runs(way)}" for way in velocities))


class Clock:
    """Seconds of each way and stage, by the wall and of processor time."""

    def __init__(self) -> None:
        self.times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)

    def run(self, what: tuple[str, str], call: Callable[[], Tensor]) -> Tensor:
        """The call's result."""
        begun = time.perf_counter(), time.process_time()
        result = call()
        self.times[what].append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        return result

    def median(self, what: tuple[str, str], which: int) -> float:
        """Over the runs; `which` is 0 for the wall, 1 for the processor."""
        return statistics.median(times[which] for times in self.times[what])

    def runs(self, way: str) -> list[float]:
        """All stages together, by the wall, each run."""
        stages = (self.times[way, stage] for stage in STAGES)
        return [round(sum(wall for wall, _ in parts), 1) for parts in zip(*stages, strict=True)]


def plain_loop(network: VelocityNetwork, x: Tensor, context: Tensor, null: Tensor, steps: int) -> Tensor:
    """The published loop: two passes of the network a step."""
    grid = uniform_grid(steps)
    for index in range(steps):
        step = published_step(grid[index : index + 1])
        unguided, guided = network(x, step, null), network(x, step, context)
        x = x + (grid[index + 1] - grid[index]) * (unguided + GUIDANCE * (guided - unguided))
    return x


def trained_looking(config: PublishedConfig) -> VelocityNetwork:
    """Random, but also where training starts from zero."""
    network = VelocityNetwork(config.velocity).eval()
    for block in network.blocks:
        block.proj_out.reset_parameters()
    return network


def vocoder(config: PublishedConfig) -> BigVGAN:
    """Random, with the low-pass filter of BigVGAN: a Kaiser-windowed sinc."""
    network = BigVGAN(config.vocoder).eval()
    time_ = np.arange(FILTER) - (FILTER - 1) / 2
    taps = 0.5 * np.kaiser(FILTER, 4.664) * np.sinc(0.5 * time_)
    for name, buffer in network.named_buffers():
        if name.endswith("filter"):
            buffer.copy_(torch.from_numpy(taps / taps.sum()))
    return network


def share(got: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square difference over the std."""
    return float(np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std())


if __name__ == "__main__":
    main()
