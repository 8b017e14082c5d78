"""The compact generator beside the published one, by second of sound, on a CPU, in one run.

    .venv/bin/python bench/generators.py [--runs 3] [--threads 2] [--seconds 8] [--model models/compact]

One window of so many seconds, from conditions to wave. Published: full size with random weights, 25 guided steps, the
autoencoder and BigVGAN, as `PublishedGenerator` runs it in float32 and in bfloat16. Compact: the checkpoint at its own
steps and draws, the shipped vocoder for the one that is heard. Looking at the scene belongs to neither. The ways take
turns; medians, seconds by the wall clock and of processor time.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from published import FAST, ROUGH, Clock, trained_looking, vocoder

from hearing_hands_ros.model.compact.conditions import conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import CompactGenerator, typical_draw
from hearing_hands_ros.model.compact.noise import noise_of_frames
from hearing_hands_ros.model.flow.draws import draw_noise
from hearing_hands_ros.model.published.acceleration import accelerate
from hearing_hands_ros.model.published.autoencoder import Autoencoder
from hearing_hands_ros.model.published.conditioner import Conditioner
from hearing_hands_ros.model.published.config import PublishedConfig
from hearing_hands_ros.model.published.sampler import sample
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.vocoder.protocol import load_vocoder

ROOT = Path(__file__).parents[1]
STEPS = 25
COMPACT = "compact"
Way = Callable[[], Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "compact")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with torch.inference_mode():
        ways = {**published(args.seconds), COMPACT: compact(args.seconds, args.model)}
        clock = Clock()
        for way in ways.values():
            way()
        for _ in range(args.runs):
            for name, way in ways.items():
                clock.run((name, "all"), way)
    print(f"{args.seconds:g} s of sound, {torch.get_num_threads()} threads, medians of {args.runs} runs")
    print(f"{'':>25} | s by second of sound | compact is faster | processor s | compact is faster")
    wall, processor = ({n: clock.median((n, "all"), which) / args.seconds for n in ways} for which in (0, 1))
    for name in ways:
        ratios = wall[name] / wall[COMPACT], processor[name] / processor[COMPACT]
        print(f"{name:>25} | {wall[name]:20.4f} | {ratios[0]:17.1f} | {processor[name]:11.4f} | {ratios[1]:17.1f}")


def published(seconds: float) -> dict[str, Way]:
    """The published model, float32 and bfloat16."""
    config, sequence = PublishedConfig(), SequenceConfig()
    conditioner, autoencoder = Conditioner(config.conditioner).eval(), Autoencoder(config.autoencoder).eval()
    plain, voice = trained_looking(config), vocoder(config)
    accelerate(voice)
    generator = torch.Generator().manual_seed(1)
    frames = sequence.latent_frames(seconds)
    noise = draw_noise((1, config.velocity.latent, frames), generator)
    hands = draw_noise((1, sequence.hand_frames(seconds), config.conditioner.hand_dim), generator)
    views = sequence.view_frames(seconds)
    seen = [draw_noise((1, views, w), generator) for w in (config.conditioner.global_dim, config.conditioner.local_dim)]

    def way(dtype: torch.dtype) -> Way:
        network = copy.deepcopy(plain)
        accelerate(network, dtype)

        def run() -> Tensor:
            context, null = conditioner(hands, *seen, frames), conditioner.null(hands, frames)
            mel = autoencoder.log_mel(sample(network, noise, context, null, STEPS))
            # Random weights make a spectrogram that no vocoder knows: it is brought to a usual range.
            return voice((mel - mel.mean()) / mel.std())

        return run

    return {f"published, {name}": way(dtype) for name, dtype in ((FAST, torch.float32), (ROUGH, torch.bfloat16))}


def compact(seconds: float, folder: Path) -> Way:
    """A tap each second."""
    generator, voice = CompactGenerator.load(folder, "cpu"), load_vocoder(ROOT / "models" / "vocoder", "cpu")
    rng = np.random.default_rng(0)
    frames = round(30 * seconds)
    contacts = tuple(
        Contact(at, at + NANOSECONDS // 20, 1, "", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.4, 0.0, "tap")
        for at in range(NANOSECONDS // 2, round(seconds * NANOSECONDS), NANOSECONDS)
    )
    keypoints = rng.normal(0.0, 0.05, (frames, 2, 21, 3)).astype(np.float32)
    motion = HandMotion(0, 30.0, keypoints, np.ones((frames, 2), np.bool_), contacts)
    dim = generator.network.config.feature_dim
    looks, scene = (rng.normal(size=shape).astype(np.float32) for shape in ((len(contacts), dim), (dim,)))

    def run() -> Tensor:
        conditions = conditions_of(motion, looks, scene, generator.sequence)
        frames, bins = PATCH * len(conditions.hands), generator.sequence.bins
        noise = [noise_of_frames(0, frames, bins, draw) for draw in range(generator.sampling.draws)]
        mels = np.stack(generator.generate([conditions] * len(noise), noise))
        return torch.from_numpy(voice.synthesize(typical_draw(mels, generator.sampling)))

    return run


if __name__ == "__main__":
    main()
