"""Rolling prediction against one long pass: what is heard at the seams, and what it costs.

.venv/bin/python bench/streaming.py                                      # random weights at the default size
.venv/bin/python bench/streaming.py --checkpoint DIR --dataset DIR       # trained ones, on the items held out for test

The random ones do not predict anything, but they listen to noise and conditions as trained ones do; each touch is made
up. Items of a dataset are put one after the other. Four figures a row:

flux     change of the log-mel from frame to frame where pieces meet, over that between other tokens; 1 is no seam
step     step of the wave where pieces of sound meet, over the level of the steps around it, likewise
from one mean difference to the log-mel of one pass over everything
cpu      seconds of processor for one second of sound, spectrogram and vocoder
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import Tensor  # noqa: E402

from hearing_hands_ros.data.dataset import Dataset  # noqa: E402
from hearing_hands_ros.model.compact.conditions import Conditions, conditions_of  # noqa: E402
from hearing_hands_ros.model.compact.config import PATCH, CompactConfig  # noqa: E402
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling  # noqa: E402
from hearing_hands_ros.model.compact.network import CompactNetwork  # noqa: E402
from hearing_hands_ros.model.compact.noise import noise_of_frames  # noqa: E402
from hearing_hands_ros.model.compact.streaming import MelStream  # noqa: E402
from hearing_hands_ros.predictors.protocol import Contact, HandMotion  # noqa: E402
from hearing_hands_ros.sequence import SequenceConfig  # noqa: E402
from hearing_hands_ros.sound.vocoder.protocol import Vocoder, load_vocoder  # noqa: E402
from hearing_hands_ros.sound.vocoder.streaming import WaveStream, reach_of  # noqa: E402

SEQUENCE = SequenceConfig()
NS = 1_000_000_000
CHUNK, HORIZON, CONTEXT = 8, 8, 31  # tokens: as `Streamer` has them
AROUND = 128  # samples on each side of a seam

Array = NDArray[np.float32]


class Forgetful(MelStream):
    """Does not go on from what was given out."""

    def _draw(self, window: Conditions, noise: Array, past: list[Tensor]) -> tuple[Array, list[Tensor]]:
        return super()._draw(window, noise, past[:0])


class Restless(MelStream):
    """New noise for every window."""

    drawn = 0

    def _noise(self, first: int, frames: int) -> Array:
        self.drawn += 1
        return noise_of_frames(first, frames, SEQUENCE.bins, self.drawn)


class Both(Forgetful, Restless):
    """Windows that know nothing of each other."""


class Straight(MelStream):
    """What was given out moves from its noise on a straight line."""

    def _draw(self, window: Conditions, noise: Array, past: list[Tensor]) -> tuple[Array, list[Tensor]]:
        line = [sum(past) / len(past)] * len(past) if past else []
        return super()._draw(window, noise, line)


def random_generator() -> CompactGenerator:
    """Weights that nobody trained, with every layer at work."""
    torch.manual_seed(0)
    network = CompactNetwork(CompactConfig())
    for parameter in network.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.xavier_uniform_(parameter)
    mean, std = torch.full((SEQUENCE.bins,), -2.5), torch.full((SEQUENCE.bins,), 0.7)
    return CompactGenerator(network, mean, std, SEQUENCE, Sampling(), "none", "cpu")


def made_up(seconds: float, dim: int) -> Conditions:
    """A hand that taps twice a second."""
    rng = np.random.default_rng(0)
    frames = round(30 * seconds)
    keypoints = np.cumsum(rng.normal(0.0, 0.01, (frames, 2, 1, 3)), axis=0) + rng.normal(0.0, 0.05, (1, 2, 21, 3))
    starts = np.sort(rng.uniform(0.0, seconds, round(2 * seconds)))
    contacts = tuple(
        Contact(round(s * NS), round((s + 0.08) * NS), 1, "", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.3, 0.0, "tap")
        for s in starts
    )
    motion = HandMotion(0, 30.0, keypoints.astype(np.float32), np.ones((frames, 2), bool), contacts)
    looks = rng.normal(size=(len(contacts), dim)).astype(np.float32)
    return conditions_of(motion, looks, np.ones(dim, np.float32), SEQUENCE)


def of_dataset(folder: str, seconds: float) -> Conditions:
    """Conditions of items held out for test, one after the other, under the first one's scene."""
    dataset, parts, looks, scenes = Dataset.open(folder), [], [], []
    for ref in dataset.items("test"):
        item = dataset.load(ref)
        part = conditions_of(item.motion, item.contact_local.astype(np.float32), item.scene_views, SEQUENCE)
        parts.append((part.hands, part.touches, np.where(part.touched, part.touched + sum(map(len, looks)), 0)))
        looks.append(part.looks)
        scenes.append(part.scene)
        if sum(len(hands) for hands, *_ in parts) * PATCH * SEQUENCE.hop_s >= seconds:
            break
    return Conditions(*map(np.concatenate, zip(*parts, strict=True)), np.concatenate(looks), scenes[0])


def streamed(
    stream: MelStream, vocoder: Vocoder, reach: int, conditions: Conditions
) -> tuple[Array, Array, set[int], float]:
    """Log-mel, sound, the samples at which its pieces meet, and the processor's seconds for a second."""
    stream.begin(0)
    waves = WaveStream(vocoder, SEQUENCE, reach)
    begun = time.process_time()
    mels, sounds = [], []
    for end in range(stream.chunk, len(conditions.hands) + 1, stream.chunk):
        first = max(end - 2 * stream.chunk - stream.horizon - stream.context, 0)
        mel = stream.push(first, conditions.part(first, end))
        mels.append(mel)
        sounds.append(waves.push(mel)[1])
    mel = np.concatenate(mels, axis=1)
    cpu = (time.process_time() - begun) / (mel.shape[1] * SEQUENCE.hop_s)
    seams = set(np.cumsum([len(sound) for sound in sounds])[:-1].tolist()) - {0}
    return mel, np.concatenate(sounds), seams, cpu


def flux_ratio(mel: Array, chunk: int) -> float:
    """Mean change of the log-mel where pieces meet over that between other tokens."""
    between = np.abs(np.diff(mel, axis=1)).mean(axis=0)[PATCH - 1 :: PATCH]
    seam = np.arange(1, len(between) + 1) % chunk == 0
    return float(between[seam].mean() / between[~seam].mean())


def step_ratio(wave: Array, seams: set[int]) -> float:
    """Mean step of the wave where pieces meet, over the level around it; over the same at other frames' borders."""
    places = np.arange(SEQUENCE.hop, len(wave) - AROUND, SEQUENCE.hop)
    steps = np.abs(np.diff(wave))
    level = [np.sqrt(np.mean(steps[p - AROUND : p + AROUND] ** 2)) + 1e-9 for p in places]
    share, seam = steps[places - 1] / level, np.isin(places, list(seams))
    return float(share[seam].mean() / share[~seam].mean())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint")
    parser.add_argument("--dataset")
    parser.add_argument("--vocoder", default=str(ROOT / "models" / "vocoder"))
    parser.add_argument("--steps", type=int, help="in place of the checkpoint's")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    generator = CompactGenerator.load(options.checkpoint, "cpu") if options.checkpoint else random_generator()
    if options.steps:
        generator.sampling = replace(generator.sampling, steps=options.steps)
    dim = generator.network.config.feature_dim
    conditions = of_dataset(options.dataset, options.seconds) if options.dataset else made_up(options.seconds, dim)
    vocoder = load_vocoder(options.vocoder)
    reach = reach_of(vocoder, SEQUENCE)
    frames = PATCH * len(conditions.hands)
    begun = time.process_time()
    (whole,) = generator.generate([conditions], [noise_of_frames(0, frames, SEQUENCE.bins, 0)])
    vocoder.synthesize(whole)
    cpu = (time.process_time() - begun) / (frames * SEQUENCE.hop_s)
    print(
        f"{frames * SEQUENCE.hop_s:.0f} s, {generator.sampling.steps} steps, {torch.get_num_threads()} threads;",
        end=" ",
    )
    print(f"{vocoder.name} reaches {reach} frames; one pass takes {cpu:.3f} s of processor a second")
    print(f"{'':34} {'flux':>6} {'step':>6} {'from one':>9} {'cpu':>6}")
    rows: list[tuple[str, type[MelStream], int, int, int]] = [
        ("as it is", MelStream, CHUNK, HORIZON, CONTEXT),
        ("does not go on from the past", Forgetful, CHUNK, HORIZON, CONTEXT),
        ("the past on a straight line", Straight, CHUNK, HORIZON, CONTEXT),
        ("noise of its own in each window", Restless, CHUNK, HORIZON, CONTEXT),
        ("neither past nor shared noise", Both, CHUNK, HORIZON, CONTEXT),
        *((f"horizon {n * PATCH * SEQUENCE.hop_s:.2f} s", MelStream, CHUNK, n, CONTEXT) for n in (0, 2, 4, 16)),
        *((f"context {n * PATCH * SEQUENCE.hop_s:.2f} s", MelStream, CHUNK, HORIZON, n) for n in (8, 16, 62)),
        *((f"chunk {n * PATCH * SEQUENCE.hop_s:.2f} s", MelStream, n, HORIZON, CONTEXT) for n in (4, 16)),
    ]
    for name, kind, chunk, horizon, context in rows:
        mel, wave, seams, cpu = streamed(kind(generator, chunk, horizon, context), vocoder, reach, conditions)
        from_one = float(np.abs(mel - whole[:, : mel.shape[1]]).mean())
        print(
            f"{name:34} {flux_ratio(mel, chunk):6.2f} {step_ratio(wave, seams):6.2f} {from_one:9.4f} {cpu:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
