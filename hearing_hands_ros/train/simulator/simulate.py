"""Scenes of the simulator, and what is done in them, as items of a dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hearing_hands_ros.data.dataset import SPLITS
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.train.simulator.looks import Looks
from hearing_hands_ros.train.simulator.performance import Performance, perform
from hearing_hands_ros.train.simulator.sounds import hear
from hearing_hands_ros.train.simulator.textures import MATERIALS
from hearing_hands_ros.train.simulator.voices import Voice
from hearing_hands_ros.train.simulator.workcell import build_workcell
from hearing_hands_ros.vision.encoder import ImageEncoder


@dataclass(frozen=True)
class SimulatorSettings:
    """What is simulated.

    Attributes:
        seed: Of everything: the same one gives the same dataset.
        train_scenes: Scenes to learn from.
        val_scenes: Scenes that say when to stop.
        test_scenes: Scenes with textures and recordings that no other one has.
        items: In each scene.
        window_s: Length of an item.
        hand_share: Share of the items whose touches are rendered with the hand too.

    Raises:
        ValueError: A number is not possible; the message names it.
    """

    seed: int = 0
    train_scenes: int = 600
    val_scenes: int = 20
    test_scenes: int = 40
    items: int = 6
    window_s: float = 4.0
    hand_share: float = 0.3

    def __post_init__(self) -> None:
        for name in ("seed", "train_scenes", "val_scenes", "test_scenes"):
            if getattr(self, name) < 0:
                raise ValueError(f"SimulatorSettings: {name} wanted at least 0, got {getattr(self, name)}")
        if self.items < 1 or self.train_scenes + self.val_scenes + self.test_scenes < 1:
            raise ValueError(f"SimulatorSettings: wanted at least one scene and one item in it, got {self}")
        if not 0.5 <= self.window_s <= 30.0:
            raise ValueError(f"SimulatorSettings: window_s wanted 0.5 to 30 s, got {self.window_s}")
        if not 0.0 <= self.hand_share <= 1.0:
            raise ValueError(f"SimulatorSettings: hand_share wanted 0 to 1, got {self.hand_share}")

    @property
    def scenes(self) -> dict[str, str]:
        """Split by name of the scene."""
        counts = (self.train_scenes, self.val_scenes, self.test_scenes)
        return {
            f"{split}_{number:04d}": split
            for split, count in zip(SPLITS, counts, strict=True)
            for number in range(count)
        }


def simulate_scene(
    scene: str, settings: SimulatorSettings, bank: ExampleBank, encoder: ImageEncoder
) -> tuple[list[Item], dict[str, Any]]:
    """Everything of one scene.

    Args:
        scene: One of `settings.scenes`.
        settings: What is simulated.
        bank: Recordings that the scene's split may use.
        encoder: Of its views.

    Returns:
        Its items, and what it was made of: textures, voices and groups of recordings.
    """
    split = settings.scenes[scene]
    key = [settings.seed, SPLITS.index(split), int(scene.rsplit("_", 1)[1])]
    cell = build_workcell(scene, split, np.random.default_rng([*key, 0]))
    surface = SplatSurface(cell.bundle)
    looks = Looks(cell.bundle, surface, encoder)
    voices_rng = np.random.default_rng([*key, 1])
    voices = [Voice(patch.material, bank, voices_rng) for patch in cell.patches]
    performances, sounds, groups = [], [], set()
    with_hand = []
    for number in range(settings.items):
        rng = np.random.default_rng([*key, 2, number])
        performance = perform(cell, surface, settings.window_s, rng)
        wave, used = hear(performance.hands, voices, (0.0, settings.window_s), rng)
        performances.append(performance)
        sounds.append(wave)
        groups |= used
        with_hand.append(looks.with_hand(performance) if rng.random() < settings.hand_share else None)
    bare = looks.bare([contact for performance in performances for contact in performance.seen.contacts])
    ends = np.cumsum([len(performance.seen.contacts) for performance in performances])
    items = [
        Item(
            scene=scene,
            name=f"{number:03d}_{performance.action}",
            action=performance.action,
            motion=performance.seen,
            audio=wave,
            contact_local=local,
            contact_local_hand=np.full_like(local, np.nan) if hand is None else hand,
            scene_views=looks.scene,
        )
        for number, (performance, wave, hand, local) in enumerate(
            zip(performances, sounds, with_hand, np.split(bare, ends[:-1]), strict=True)
        )
    ]
    sources = {
        "textures": [{"material": texture.material, "source": texture.source} for texture in cell.textures],
        "recordings": sorted(groups),
        "materials": [m for m in MATERIALS if any(patch.material == m for patch in cell.patches)],
        "missed": sum(_missed(performance) for performance in performances),
        "touches": int(ends[-1]),
    }
    return items, sources


def _missed(performance: Performance) -> int:
    """Touches that sound in the window and that no tracker would find: too short for its frames, or while lost."""
    seconds = len(performance.seen.valid) / performance.seen.rate_hz
    starts = [c.start_ns / 1e9 for c in performance.seen.contacts]
    true = [s.start_s for _, gestures in performance.hands for g in gestures if g.touches for s in g.strokes]
    return sum(
        not any(math.isclose(start, found, abs_tol=0.06) for found in starts) for start in true if 0 <= start < seconds
    )
