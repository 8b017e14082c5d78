"""A page with random windows of a dataset, to look at and listen to; it needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np

from hearing_hands_ros.data.dataset import SPLITS, Dataset, ItemRef
from hearing_hands_ros.data.item import Item
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.report.media import data_url, flac, jpeg, mel_png
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface
from hearing_hands_ros.scene.views import SceneViews
from hearing_hands_ros.whole_file import write_text

SAMPLES: Final = 24
"""Windows on the page, evenly from all splits."""


def write_page(
    path: Path, dataset: Dataset, statistics: Mapping[str, Any], scene: Path, rng: np.random.Generator
) -> None:
    """Write the page.

    Args:
        path: Of the page.
        dataset: Whose windows are shown.
        statistics: As they were written.
        scene: That was touched; its touched places are rendered.
        rng: Draws the windows.
    """
    bundle = SceneBundle.load(scene)
    views = SceneViews(bundle, SplatSurface(bundle))
    samples = [_sample(dataset, ref, views) for ref in _drawn(dataset, rng)]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hearing_hands_ros", "data/from_bags"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template("samples.html.j2").render(
        info=dataset.info, statistics=statistics, samples=samples, scene=bundle.name
    )
    write_text(path, text)


def _drawn(dataset: Dataset, rng: np.random.Generator) -> Sequence[ItemRef]:
    """As many windows of one split as of another, as far as there are so many."""
    waiting = {side: list(dataset.items(side)) for side in SPLITS}
    for refs in waiting.values():
        rng.shuffle(refs)  # type: ignore[arg-type]
    chosen: list[ItemRef] = []
    while len(chosen) < SAMPLES and any(waiting.values()):
        chosen += [refs.pop() for refs in waiting.values() if refs][: SAMPLES - len(chosen)]
    return sorted(chosen, key=lambda ref: (SPLITS.index(ref.split), ref.scene, ref.name))


def _sample(dataset: Dataset, ref: ItemRef, views: SceneViews) -> dict[str, Any]:
    item, sequence = dataset.load(ref), dataset.info.sequence
    seconds = item.motion.duration_s
    return {
        "name": f"{ref.scene}/{ref.name}",
        "side": ref.split,
        "seconds": seconds,
        "touches": [
            {
                "kind": touch.kind,
                "material": touch.material or "unknown",
                "at_s": touch.start_ns / NANOSECONDS,
                "speed": touch.slide_speed_mps if touch.kind == "slide" else touch.approach_speed_mps,
                "left": 100.0 * max(touch.start_ns / NANOSECONDS, 0.0) / seconds,
                "width": 100.0
                * (min(touch.end_ns / NANOSECONDS, seconds) - max(touch.start_ns / NANOSECONDS, 0.0))
                / seconds,
            }
            for touch in item.motion.contacts
        ],
        "spectrogram": data_url(mel_png(item.audio, sequence), "image/png"),
        "sound": data_url(flac(item.audio, sequence.sample_rate_hz), "audio/flac"),
        "view": _view(item, views),
    }


def _view(item: Item, views: SceneViews) -> str:
    """What the first touched place looks like; empty where nothing is touched."""
    if not item.motion.contacts:
        return ""
    touch = next((c for c in item.motion.contacts if c.start_ns >= 0), item.motion.contacts[0])
    picture = views.look_at_surface(np.array([touch.position_m]), np.array([touch.normal]))[0]
    return data_url(jpeg(picture), "image/jpeg")
