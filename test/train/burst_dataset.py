"""A small dataset: touches that sound like bursts of noise, in three scenes."""

import numpy as np

from hearing_hands_ros.data.dataset import DatasetInfo
from hearing_hands_ros.data.dataset_writer import write_info, write_scene
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

SEQUENCE = SequenceConfig()
DIM = 6
NS = 1_000_000_000
SPLITS = {"kitchen": "train", "workshop": "train", "office": "val", "cellar": "test"}


def contact(start_s, end_s, hand=1, kind="tap"):
    place = (0.1, 0.2, 0.0)
    return Contact(round(start_s * NS), round(end_s * NS), hand, "wood", place, (0.0, 0.0, 1.0), 0.4, 0.0, kind)


def made_item(scene, number, seconds=2.0, contacts=None, dim=DIM):
    rng = np.random.default_rng((len(scene), number))
    frames = round(30 * seconds)
    if contacts is None:
        starts = np.sort(rng.uniform(0.1, seconds - 0.3, 3))
        contacts = [contact(start, start + 0.1, hand) for hand, start in enumerate(starts, 1) for hand in [hand % 2]]
    valid = np.ones((frames, 2), bool)
    valid[: frames // 4, 0] = False
    hands = rng.normal(0.0, 0.05, (1, 2, 21, 3)) + 0.2 * np.sin(np.arange(frames) / 9)[:, None, None, None]
    hands[~valid] = np.nan
    time_s = np.arange(SEQUENCE.samples(seconds)) / SEQUENCE.sample_rate_hz
    sound = 1e-3 * rng.normal(size=time_s.shape)
    for touch in contacts:
        since = time_s - touch.start_ns / NS
        sound += np.where(since > 0, np.exp(-since / 0.05), 0.0) * 0.2 * rng.normal(size=time_s.shape)
    with_hand = rng.normal(size=(len(contacts), dim)).astype(np.float16)
    with_hand[1::2] = np.nan
    return Item(
        scene,
        f"item_{number:03d}",
        "tap",
        HandMotion(0, 30.0, hands.astype(np.float32), valid, tuple(contacts)),
        np.clip(sound, -1.0, 1.0).astype(np.float32),
        rng.normal(size=(len(contacts), dim)).astype(np.float16),
        with_hand,
        rng.normal(size=(2, dim)).astype(np.float16),
    )


def make_dataset(folder, items=4, seconds=2.0, dim=DIM, sequence=SEQUENCE):
    info = DatasetInfo("made", sequence, "tiny", dim, "simulated", {"sound": "CC0-1.0"}, SPLITS)
    write_info(folder, info)
    for scene in SPLITS:
        write_scene(folder, info, scene, (made_item(scene, n, seconds, dim=dim) for n in range(items)))
    return folder
