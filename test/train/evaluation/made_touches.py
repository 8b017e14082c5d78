"""A small dataset of real recordings: the bank's in training scenes, held-out ones in test scenes."""

from functools import cache
from pathlib import Path

import numpy as np

from hearing_hands_ros.data.dataset import DatasetInfo
from hearing_hands_ros.data.dataset_writer import write_info, write_scene
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.example_bank import LEAD_S, ExampleBank
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

DEMO = Path(__file__).resolve().parents[3] / "demo"
SEQUENCE = SequenceConfig()
RATE = SEQUENCE.sample_rate_hz
SECONDS = 2.4  # whole frames and whole hops
MATERIALS = ("metal", "wood")
SPLITS = {"kitchen": "train", "office": "train", "cellar": "test", "shed": "test", "yard": "test"}
DIM = 6
NS = 1_000_000_000


def contact(start_s, end_s, material="wood", kind="tap", speed=0.5, hand=1):
    slide = speed if kind == "slide" else 0.0
    return Contact(round(start_s * NS), round(end_s * NS), hand, material, (0, 0, 0), (0, 0, 1), speed, slide, kind)


def look_of(material, generator):
    """Features that show the material."""
    look = generator.normal(0.0, 0.2, DIM)
    look[MATERIALS.index(material)] += 2.0
    return look


def made_item(scene, number, exemplars, contacts=None):
    """Two touches far apart: taps of recordings, or slides of noise."""
    generator = np.random.default_rng([len(scene), number])
    kind = "slide" if number % 2 == 1 else "tap"
    if contacts is None:
        materials = generator.choice(MATERIALS, 2)
        starts = (generator.uniform(0.3, 0.5), generator.uniform(1.5, 1.7))
        length_s = 0.3 if kind == "slide" else 0.05
        contacts = [contact(s, s + length_s, str(m), kind) for s, m in zip(starts, materials, strict=True)]
    sound = 1e-4 * generator.normal(size=round(SECONDS * RATE))
    for touch in contacts:
        first = round((touch.start_ns / NS - LEAD_S) * RATE)
        of_material = [e for e in exemplars if e.material == touch.material]
        wave = of_material[generator.integers(len(of_material))].wave[: round(0.5 * RATE)]
        if touch.kind == "slide":
            wave = wave[400:800].std() * generator.normal(size=round(touch.duration_s * RATE))
        sound[first : first + wave.size] += 0.05 * wave[: sound.size - first]
    frames = round(30 * SECONDS)
    hands = np.zeros((frames, 2, 21, 3), np.float32)
    hands[:, :, :, 2] = 0.1 * np.sin(np.arange(frames) / 9)[:, None, None]
    looks = np.array([look_of(touch.material, generator) for touch in contacts]).reshape(-1, DIM)
    motion = HandMotion(0, 30.0, hands, np.ones((frames, 2), bool), tuple(contacts))
    audio = np.clip(sound, -1.0, 1.0).astype(np.float32)
    views = generator.normal(size=(1, DIM)).astype(np.float16)
    return Item(scene, f"item_{number:03d}", kind, motion, audio, looks.astype(np.float16), looks * np.nan, views)


@cache
def bank(name):
    return ExampleBank.load(DEMO / name)


def made_items(split, count):
    """`count` items of each scene of a split."""
    exemplars = bank("held_out" if split == "test" else "bank").exemplars
    scenes = [scene for scene, side in SPLITS.items() if side == split]
    return [made_item(scene, n, exemplars) for scene in scenes for n in range(count)]


def make_dataset(folder, count=6):
    info = DatasetInfo("made", SEQUENCE, "tiny", DIM, "simulated", {"sound": "CC-BY-SA-3.0"}, SPLITS)
    write_info(folder, info)
    for split in ("train", "test"):
        items = made_items(split, count)
        for scene in dict.fromkeys(item.scene for item in items):
            write_scene(folder, info, scene, [item for item in items if item.scene == scene])
    return folder
