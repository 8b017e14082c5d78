"""Predict by generation: rectified flow from hands, touches and what the touched places look like."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.graph import share_directory
from hearing_hands_ros.model.checkpoint import WEIGHTS, load_checkpoint
from hearing_hands_ros.model.compact.conditions import Conditions, conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import KIND, CompactGenerator, Sampling, typical_draw
from hearing_hands_ros.model.compact.noise import noise_of_frames
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.drawn import prediction_of
from hearing_hands_ros.predictors.looks import Looks
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction
from hearing_hands_ros.predictors.streaming import Streamer
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.sound.vocoder.protocol import Vocoder, load_vocoder
from hearing_hands_ros.vision.encoder import load_encoder
from hearing_hands_ros.vision.scene_looks import SceneLooks
from hearing_hands_ros.vision.view_features import Mode

Array = NDArray[np.float32]


def load_generator(
    folder: Path,
    device: str,
    scene: str | Path,
    views: Mode,
    progress: Callable[[int, int], object] | None = None,
) -> GeneratorPredictor:
    """Load a checkpoint with its vocoder and its image encoder, and look at the scene; see `load_predictor`."""
    checkpoint = load_checkpoint(folder, KIND)
    generator = CompactGenerator.of(checkpoint, device)
    asked = checkpoint.config.get("vocoder", "")
    vocoder = load_vocoder(asked or share_directory() / "models" / "vocoder", generator.device.type)
    looks = SceneLooks.of(scene, load_encoder(generator.encoder, device=device), views, progress=progress)
    model = f"{folder.resolve().name}@{checkpoint.config['sha256'][WEIGHTS][:8]}"
    return GeneratorPredictor(generator, vocoder, looks, model)


class GeneratorPredictor:
    """Draws several likely sounds of each candidate.

    The mean and spread over them are the spectrogram; the typical one is heard (`typical_draw`). Noise belongs to a mel
    frame of absolute time, so windows that overlap sound alike where they do.

    Args:
        generator: Draws spectrograms.
        vocoder: Makes the typical one heard.
        looks: Of the scene.
        model: Which checkpoint, with the start of its hash.
        alternatives: K, sounds drawn for each candidate; as many as the sampling says if None.
        sampling: Other than the checkpoint's.
        seed: Another seed, other sounds.

    Raises:
        ValueError: `alternatives` is not positive, or the looks are not those that the generator knows.
    """

    name = "generator"

    def __init__(
        self,
        generator: CompactGenerator,
        vocoder: Vocoder,
        looks: Looks,
        model: str,
        alternatives: int | None = None,
        sampling: Sampling | None = None,
        seed: int = 0,
    ) -> None:
        sampling = sampling or generator.sampling
        alternatives = sampling.draws if alternatives is None else alternatives
        if alternatives < 1:
            raise ValueError(f"GeneratorPredictor: alternatives wanted at least 1, got {alternatives}")
        dim = generator.network.config.feature_dim
        if looks.scene.shape != (dim,):
            raise ValueError(f"GeneratorPredictor: looks wanted features of {dim} numbers, got {looks.scene.shape}")
        self.model, self._generator, self._vocoder, self._looks = model, generator, vocoder, looks
        self._alternatives, self._sampling, self._seed = alternatives, sampling, seed

    @property
    def config(self) -> SequenceConfig:
        """Rates and lengths of what is predicted."""
        return self._generator.sequence

    def predict(self, motions: Sequence[HandMotion]) -> list[Prediction]:
        """Predict a batch of candidates in one pass.

        Args:
            motions: Candidates; they may differ in length and time.

        Returns:
            One prediction a candidate, over its window cut to whole mel frames.

        Raises:
            ValueError: A candidate is shorter than one mel frame.
        """
        began = time.perf_counter()
        conditions = [
            conditions_of(motion, self._looks.looks(motion), self._looks.scene, self.config) for motion in motions
        ]
        drawn = self._generator.generate(
            [made for made in conditions for _ in range(self._alternatives)],
            [
                self._noise(motion, made, self._seed + draw)
                for motion, made in zip(motions, conditions, strict=True)
                for draw in range(self._alternatives)
            ],
            self._sampling,
        )
        parts = []
        for index, motion in enumerate(motions):
            frames = self.config.mel_frames(motion.duration_s)
            mels = np.stack(drawn[index * self._alternatives : (index + 1) * self._alternatives])[:, :, :frames]
            parts.append((mels, self._vocoder.synthesize(typical_draw(mels, self._sampling))))
        latency_s = (time.perf_counter() - began) / max(len(motions), 1)
        return [
            prediction_of(self, motion, mels, wave, latency_s)
            for motion, (mels, wave) in zip(motions, parts, strict=True)
        ]

    def streamer(self) -> Streamer:
        """Predicts without end with the same network, vocoder and looks."""
        return Streamer(self._generator, self._vocoder, self._looks, seed=self._seed, sampling=self._sampling)

    def _noise(self, motion: HandMotion, conditions: Conditions, seed: int) -> Array:
        first = round(motion.start_ns * self.config.sample_rate_hz / (self.config.hop * NANOSECONDS))
        return noise_of_frames(max(first, 0), PATCH * len(conditions.hands), self.config.bins, seed)
