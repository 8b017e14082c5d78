"""Predict with the published model: hands and views at its rates in, its own vocoder's sound out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hearing_hands_ros.model.checkpoint import CONFIG, WEIGHTS, load_checkpoint, read_config
from hearing_hands_ros.model.compact.noise import noise_of_frames
from hearing_hands_ros.model.published.generator import KIND, LONGEST_S, PublishedGenerator
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.drawn import prediction_of
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction
from hearing_hands_ros.predictors.published_encoders import load_encoders
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.views import SceneViews
from hearing_hands_ros.sequence import LATENT_STRIDE, SequenceConfig
from hearing_hands_ros.vision.baked import BakedFeatures
from hearing_hands_ros.vision.view_features import LOOKED_UP, Mode, ViewFeatures

Array = NDArray[np.float32]

SHORTEST_S = 0.5
"""Two views; of less than that there is too little to see."""


def load_published(
    folder: Path,
    device: str,
    scene: str | Path,
    views: Mode,
    progress: Callable[[int, int], object] | None = None,
) -> PublishedPredictor:
    """Load a checkpoint with the encoders that it names, and open the scene; see `registry.load_predictor`."""
    # What is small is looked at first: the weights are 1.9 GB.
    encoders = load_encoders(read_config(folder), str(folder / CONFIG), device)
    checkpoint = load_checkpoint(folder, KIND)
    generator = PublishedGenerator.of(checkpoint, device)
    scene = Path(scene).expanduser()
    bundle = SceneBundle.load(scene)
    surface = SplatSurface(bundle)
    seen = SceneViews(bundle, surface)
    baked = None
    if views in LOOKED_UP:
        baked = BakedFeatures.of(scene, bundle, surface, seen, encoders.near, progress=progress)
    near = ViewFeatures(seen, encoders.near, bundle.sha256, baked, views)
    whole = near if encoders.whole is encoders.near else ViewFeatures(seen, encoders.whole, bundle.sha256)
    model = f"{folder.resolve().name}@{checkpoint.config['sha256'][WEIGHTS][:8]}"
    return PublishedPredictor(generator, whole, near, model)


class PublishedPredictor:
    """Draws likely sounds of each candidate.

    Noise belongs to a latent frame of absolute time and to the seed, so equal candidates sound equal in any batch.

    Args:
        generator: Draws spectrograms and makes them heard.
        whole: Features of the global views.
        near: Features of the local views; may be the same.
        model: Which checkpoint, with the start of its hash.
        alternatives: K, sounds drawn for each candidate; the first one is heard.
        seed: Another seed, other sounds.

    Raises:
        ValueError: `alternatives` is not positive, or the features or hands are not those that the generator knows.
    """

    name = "published"

    def __init__(
        self,
        generator: PublishedGenerator,
        whole: ViewFeatures,
        near: ViewFeatures,
        model: str,
        alternatives: int = 1,
        seed: int = 0,
    ) -> None:
        if alternatives < 1:
            raise ValueError(f"PublishedPredictor: alternatives wanted at least 1, got {alternatives}")
        sizes = generator.config.conditioner
        numbers = {
            "global_dim": whole.cache.encoder.dim,
            "local_dim": near.cache.encoder.dim,
            "hand_dim": len(HANDS) * KEYPOINTS * 3,
        }
        for field, number in numbers.items():
            if getattr(sizes, field) != number:
                raise ValueError(f"PublishedPredictor: {field} wanted {number}, got {getattr(sizes, field)}")
        self.model, self._generator, self._whole, self._near = model, generator, whole, near
        self._alternatives, self._seed = alternatives, seed

    @property
    def config(self) -> SequenceConfig:
        """Rates and lengths of what is predicted."""
        return self._generator.sequence

    def predict(self, motions: Sequence[HandMotion]) -> list[Prediction]:
        """Predict a batch of candidates, those of one length in one pass.

        Args:
            motions: Candidates; they may differ in length and time.

        Returns:
            One prediction a candidate, over its window cut to whole mel frames.

        Raises:
            ValueError: A candidate is shorter than 0.5 s or longer than 8 s.
        """
        began = time.perf_counter()
        groups: dict[int, list[int]] = defaultdict(list)
        for index, motion in enumerate(motions):
            groups[self._latent_frames(motion)].append(index)
        drawn: dict[int, tuple[Array, Array]] = {}
        for frames, members in groups.items():
            sounds = self._draw([motions[index] for index in members], frames)
            drawn.update(zip(members, sounds, strict=True))
        latency_s = (time.perf_counter() - began) / max(len(motions), 1)
        return [prediction_of(self, motion, *drawn[index], latency_s) for index, motion in enumerate(motions)]

    def _latent_frames(self, motion: HandMotion) -> int:
        """Latent frames that cover all mel frames of a window."""
        seconds = motion.duration_s
        frames = self.config.mel_frames(seconds)
        if not self.config.mel_frames(SHORTEST_S) <= frames <= self.config.mel_frames(LONGEST_S):
            raise ValueError(
                f"PublishedPredictor: a candidate wanted {SHORTEST_S:g} to {LONGEST_S:g} s, got {seconds:.4g} s"
            )
        return -(-frames // LATENT_STRIDE)

    def _draw(self, motions: Sequence[HandMotion], frames: int) -> list[tuple[Array, Array]]:
        """Sounds of windows of one length: for each, log-mel (K, F, T) and the first one's wave (L,)."""
        conditions = self._hands(motions, frames), *self._views(motions, frames)
        draws = range(self._seed, self._seed + self._alternatives)
        noise = np.stack([self._noise(motion, frames, seed) for motion in motions for seed in draws])
        hands, whole, near = (torch.from_numpy(each.repeat(len(draws), axis=0)) for each in conditions)
        log_mels, waves = self._generator.from_noise(torch.from_numpy(noise), hands, whole, near)
        log_mel, wave = log_mels.numpy(), waves.numpy()
        firsts = range(0, len(noise), self._alternatives)
        return [(log_mel[first : first + self._alternatives], wave[first]) for first in firsts]

    def _hands(self, motions: Sequence[HandMotion], frames: int) -> Array:
        """(B, frames, 126) keypoints, zero where a hand is not valid, as training has it where hands are dropped."""
        seconds = self._in_force(frames, self.config.hand_rate_hz) / self.config.hand_rate_hz
        hands = []
        for motion in motions:
            which = np.minimum(np.rint(seconds * motion.rate_hz).astype(np.int64), len(motion.valid) - 1)
            valid = motion.valid[which, :, None, None]
            hands.append(np.where(valid, motion.keypoints[which], np.float32(0.0)).reshape(frames, -1))
        return np.stack(hands)

    def _views(self, motions: Sequence[HandMotion], frames: int) -> tuple[Array, Array]:
        """(B, frames, D) features of the global and of the local views."""
        staged = [self._near.views.moments(motion) for motion in motions]
        moments = [moment for moments in staged for moment in moments]
        first = np.cumsum([0, *(len(moments) for moments in staged)])[:-1, None]
        last = np.array([len(moments) - 1 for moments in staged])[:, None]
        which = first + np.minimum(self._in_force(frames, self._near.views.settings.rate_hz), last)
        return self._whole.scenes(moments)[which], self._near.touches(moments)[0][which]

    def _in_force(self, frames: int, rate_hz: float) -> NDArray[np.int64]:
        """Which frame of a rate holds at each latent frame, as the network itself spreads a window of 8 s."""
        return np.floor(np.arange(frames) * rate_hz / self.config.latent_rate_hz).astype(np.int64)

    def _noise(self, motion: HandMotion, frames: int, seed: int) -> Array:
        hop = self.config.hop * LATENT_STRIDE
        first = round(motion.start_ns * self.config.sample_rate_hz / (hop * NANOSECONDS))
        return noise_of_frames(max(first, 0), frames, self._generator.config.velocity.latent, seed)
