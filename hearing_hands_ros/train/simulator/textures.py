"""Textures of the materials: photographs of the demo's room, and families of patterns with random parameters.

A texture says what colour each point of a thing has. Classes overlap in colour, as real ones do: what tells them apart
is grain, weave, speckle and gloss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.demo import room_textures
from hearing_hands_ros.train.simulator import patterns
from hearing_hands_ros.train.simulator.patterns import Array, Paint

MATERIALS: Final = (
    "wood",
    "metal",
    "stone",
    "ceramic",
    "glass",
    "fabric",
    "dirt",
    "grass",
    "gravel",
    "sand",
    "snow",
)
PHOTOGRAPHS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "train": {
        "wood": ("blue-wood", "dark-wood", "wood-varnished-panels"),
        "metal": ("brass-ambra", "steel-brushed"),
        "stone": ("white-bricks",),
        "ceramic": ("ceramic",),
        "glass": ("glass",),
        "fabric": ("gray-felt",),
    },
    "val": {"wood": ("light-wood",), "stone": ("cream-plaster",)},
    "test": {"wood": ("red-wood",), "metal": ("steel-scratched",), "stone": ("pink-plaster",), "ceramic": ("clay",)},
}
"""Which split shows which photograph."""
PHOTOGRAPH_SHARE: Final = 0.35
FAMILIES: Final[dict[str, Callable[[np.random.Generator], Paint]]] = {
    "wood": patterns.wood,
    "metal": patterns.metal,
    "stone": patterns.stone,
    "ceramic": patterns.ceramic,
    "glass": patterns.glass,
    "fabric": patterns.fabric,
    "dirt": patterns.dirt,
    "grass": patterns.grass,
    "gravel": patterns.gravel,
    "sand": patterns.sand,
    "snow": patterns.snow,
}


@dataclass(frozen=True)
class Texture:
    """What a thing looks like.

    Attributes:
        material: What it is made of.
        source: 'photograph:NAME' or 'pattern:KEY'; two textures of one source look alike.
        paint: Colours (M, 3) of points (M, 3) on the thing and their places (M, 2) on its faces, both in m.
    """

    material: str
    source: str
    paint: Paint


def draw_texture(material: str, split: str, key: str, rng: np.random.Generator) -> Texture:
    """A texture of a material that only this split shows.

    Args:
        material: One of `MATERIALS`.
        split: 'train', 'val' or 'test'.
        key: Of the texture, if it is drawn from random numbers.
        rng: Of its parameters.
    """
    names = PHOTOGRAPHS[split].get(material, ())
    if names and rng.random() < PHOTOGRAPH_SHARE:
        name = str(rng.choice(names))
        return Texture(material, f"photograph:{name}", _photograph(name, rng))
    return Texture(material, f"pattern:{key}", FAMILIES[material](rng))


def _photograph(name: str, rng: np.random.Generator) -> Paint:
    """A photograph at another size, turned, in another light, with other stains."""
    pixels = room_textures.texture(name)
    size = len(pixels)
    tile_m = rng.uniform(0.12, 0.45)
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    gain = rng.uniform(0.75, 1.2) * rng.uniform(0.9, 1.1, 3)
    contrast = rng.uniform(0.8, 1.25)
    middle = pixels.mean(axis=(0, 1))
    stain_seed, stain = int(rng.integers(1 << 20)), rng.uniform(0.1, 0.4)

    def paint(points: Array, uv: Array) -> Array:
        share = np.abs((uv @ turn.T / tile_m + shift) % 2.0 - 1.0)
        cell: NDArray[np.int64] = np.minimum((share * size).astype(np.int64), size - 1)
        colour = middle + contrast * (pixels[cell[:, 1], cell[:, 0]] - middle)
        stains = 1.0 + stain * (patterns.noise(points, 0.15, stain_seed, 2) - 0.5)
        return np.asarray(colour * gain * stains[:, None])

    return paint
