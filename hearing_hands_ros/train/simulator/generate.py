"""Makes a simulated dataset, several scenes at a time; what was cut off goes on where it stopped."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

from hearing_hands_ros.data.dataset import MANIFEST, DatasetInfo, read_info
from hearing_hands_ros.data.dataset_writer import scene_folder, write_info, write_scene
from hearing_hands_ros.libraries import optional
from hearing_hands_ros.predictors.example_bank import ExampleBank
from hearing_hands_ros.sequence import SequenceConfig
from hearing_hands_ros.train.simulator.simulate import SimulatorSettings, simulate_scene
from hearing_hands_ros.train.simulator.voices import recordings_of
from hearing_hands_ros.vision.encoder import ImageEncoder, load_encoder

SOUND_LICENCE: Final = (
    "recorded impacts: CC BY-SA 3.0, Wildfire Games (0 A.D.); modal sounds, motion, noise: Apache-2.0"
)
VIEW_LICENCE: Final = "photographed textures: MIT, robosuite; drawn textures: Apache-2.0"


@dataclass(frozen=True)
class Materials:
    """What a dataset is made of.

    Attributes:
        bank: Folder of the recordings for training and validation.
        held_out: Folder of the recordings for test.
        encoder: As `load_encoder` wants it.
    """

    bank: Path
    held_out: Path
    encoder: str = "efficientnet_lite0_texture"


def generate(
    out: Path,
    settings: SimulatorSettings,
    materials: Materials,
    jobs: int = 1,
    progress: Callable[[int, int], object] | None = None,
    encoder: ImageEncoder | None = None,
) -> int:
    """Make a dataset, or what is missing of it.

    Args:
        out: Folder of the dataset.
        settings: What is simulated.
        materials: What it is made of.
        jobs: Processes; 1 works in this one.
        progress: Told (scenes done, scenes in all).
        encoder: Instead of loading the one that `materials` names; with one job only.

    Returns:
        How many scenes were made now.

    Raises:
        ValueError: `out` holds another dataset, or `jobs` is not possible.
    """
    if jobs < 1 or (jobs > 1 and encoder is not None):
        raise ValueError(f"generate: jobs wanted 1 or more, and 1 with an encoder of the caller's, got {jobs}")
    chosen = encoder or _encoder(materials.encoder)
    info = _info(settings, chosen)
    if (out / MANIFEST).is_file():
        begun = read_info(out)
        if begun.document() != info.document():
            raise ValueError(f"generate({str(out)!r}): wanted a dataset {info.made_by}, got one {begun.made_by}")
    else:
        write_info(out, info)
    waiting = [scene for scene in info.splits if not scene_folder(out, scene).is_dir()]
    done = len(info.splits) - len(waiting)
    tell = progress or (lambda _done, _all: None)
    tell(done, len(info.splits))
    if jobs == 1:
        for number, scene in enumerate(waiting, start=1):
            _make(out, info, scene, settings, _bank(info.splits[scene], materials), chosen)
            tell(done + number, len(info.splits))
        return len(waiting)
    # A fork would inherit torch's threads and hang.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _single_thread) as pool:
        futures = [pool.submit(_job, out, info, scene, settings, materials) for scene in waiting]
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                future.result()
                tell(done + number, len(info.splits))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what is wrong is told now, not when all else is done
            raise
    return len(waiting)


def _info(settings: SimulatorSettings, encoder: ImageEncoder) -> DatasetInfo:
    values = ", ".join(f"{part.name} {getattr(settings, part.name)}" for part in fields(settings))
    return DatasetInfo(
        name="workcell",
        sequence=SequenceConfig(),
        encoder=encoder.name,
        encoder_dim=encoder.dim,
        origin="simulated",
        licences={"sounds": SOUND_LICENCE, "views": VIEW_LICENCE, "features": encoder.licence},
        splits=settings.scenes,
        made_by=f"simulated with {values}",
    )


def _job(out: Path, info: DatasetInfo, scene: str, settings: SimulatorSettings, materials: Materials) -> None:
    bank = _bank(info.splits[scene], materials)
    _make(out, info, scene, settings, bank, _encoder(materials.encoder))


def _make(
    out: Path, info: DatasetInfo, scene: str, settings: SimulatorSettings, bank: ExampleBank, encoder: ImageEncoder
) -> None:
    items, sources = simulate_scene(scene, settings, bank, encoder)
    write_scene(out, info, scene, items, sources)


def _single_thread() -> None:
    """Processes side by side must not each start as many threads as there are cores."""
    optional("torch", "generate", "vision").set_num_threads(1)
    optional("numba", "generate", "scene").set_num_threads(1)


@cache
def _encoder(spec: str) -> ImageEncoder:
    return load_encoder(spec, precision="bfloat16")  # what `auto` mostly takes at run time; half the work here


@cache
def _bank(split: str, materials: Materials) -> ExampleBank:
    return recordings_of(split, materials.bank, materials.held_out, SequenceConfig().sample_rate_hz)
