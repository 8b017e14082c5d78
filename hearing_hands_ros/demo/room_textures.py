"""Colours of the synthetic room: photographed textures by name, and posters drawn from random numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hearing_hands_ros.demo.textures import noise
from hearing_hands_ros.graph import share_directory

Array = NDArray[np.float64]

POSTER_PIXELS = 256


def texture_folder() -> Path:
    """Where the textures are: `demo/room_textures`."""
    return share_directory() / "demo" / "room_textures"


@cache
def texture(name: str) -> Array:
    """(P, P, 3) colours in 0..1.

    Args:
        name: File name without suffix, or `poster-<seed>`.

    Raises:
        FileNotFoundError: There is no such texture.
    """
    if name.startswith("poster-"):
        return _pixels(_poster(int(name.removeprefix("poster-"))))
    path = texture_folder() / f"{name}.jpg"
    if not path.is_file():
        raise FileNotFoundError(f"texture({name!r}): wanted an image, got nothing at {path}")
    with Image.open(path) as image:
        return _pixels(image)


def colour(name: str, uv: Array, points: Array, tile_m: float, seed: int) -> Array:
    """Colours of points on a face.

    No two places look alike, as in a real room and unlike a tiled texture: stains and scuffs lie over it.

    Args:
        name: Of the texture.
        uv: (M, 2) position on the face, m.
        points: (M, 3) position in the room, m; the stains follow it.
        tile_m: Width of one copy of the texture; neighbouring copies are mirrored.
        seed: Of the stains.

    Returns:
        (M, 3) in 0..1.
    """
    pixels = texture(name)
    size = len(pixels)
    if name.startswith("poster-"):
        share = np.clip(uv / tile_m + 0.5, 0.0, 1.0)
        stains: Array = np.ones(len(uv))
    else:
        share = np.abs((uv / tile_m + 0.5) % 2.0 - 1.0)
        scuff = noise(points, 0.035, 7 * seed + 1, 2)
        stains = 0.72 + 0.42 * noise(points, 0.30, 7 * seed, 2)
        stains *= np.where(scuff > 0.70, 0.78, np.where(scuff < 0.27, 1.12, 1.0))
    column = np.minimum((share[:, 0] * size).astype(np.int64), size - 1)
    row = np.minimum(((1.0 - share[:, 1]) * size).astype(np.int64), size - 1)
    return np.clip(pixels[row, column] * stains[:, None], 0.0, 1.0)


def _pixels(image: Image.Image) -> Array:
    return np.asarray(image.convert("RGB"), np.float64) / 255.0


def _poster(seed: int) -> Image.Image:
    """Discs, bars and triangles of every size and colour on paper."""
    rng = np.random.default_rng(seed)
    size = POSTER_PIXELS
    image = Image.new("RGB", (size, size), tuple(int(c) for c in rng.integers(190, 245, 3)))
    draw = ImageDraw.Draw(image)
    for radius in np.geomspace(70.0, 7.0, 70):
        x, y = rng.uniform(0.0, size, 2)
        ink = tuple(int(c) for c in rng.integers(10, 240, 3))
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
        elif kind == 1:
            draw.rectangle((x - radius, y - 0.4 * radius, x + radius, y + 0.4 * radius), fill=ink)
        else:
            draw.polygon([(x + radius * dx, y + radius * dy) for dx, dy in rng.uniform(-1.0, 1.0, (3, 2))], fill=ink)
    return image
