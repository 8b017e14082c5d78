"""A picture of one verdict: what was predicted, what was heard, and the difference, over one time axis."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hearing_hands_ros.compare.evidence import Difference, level_difference
from hearing_hands_ros.compare.scoring.picture import BANDS, SEQUENCE, TouchPicture, decibel
from hearing_hands_ros.sound.mel import mel_from_hz
from hearing_hands_ros.sound.picture import AXIS_HZ, COLOURS, INK, PAPER, Picture8, picture_font

CELL_PX: Final = (8, 12)  # height of a band, width of a frame
LEFT, RIGHT, TOP, STRIP, BOTTOM = 64, 16, 26, 24, 28
SHOWN_DB: Final = 60.0
"""Levels this far under the loudest are black."""

DIFFERENCE_DB: Final = 30.0
"""Differences from here on have full colour."""

TICK_S: Final = 0.1
PANELS: Final = ("predicted", "heard", "difference")


def touch_picture(picture: TouchPicture, kind: str, title: str, difference: Difference | None = None) -> Picture8:
    """Draw what a verdict was made of.

    Args:
        picture: T frames, B bands of a touch.
        kind: Of the verdict, as 'different': gives the title its colour.
        title: A few words at the top.
        difference: Is framed.

    Returns:
        (height, width, 3) RGB: predicted, heard, and heard less predicted after one gain for all (red: louder).
    """
    frames = len(picture.time_s)
    high, wide = BANDS * CELL_PX[0], frames * CELL_PX[1]
    size = (LEFT + wide + RIGHT, TOP + 3 * high + 2 * STRIP + BOTTOM)
    tops = [TOP + number * (high + STRIP) for number in range(3)]
    heard, expected = decibel(picture.heard), decibel(picture.expected)
    indices = [np.clip((level - level.max()) / SHOWN_DB + 1.0, 0.0, 1.0) * 254 for level in (expected, heard)] + [
        np.clip(level_difference(picture) / DIFFERENCE_DB + 1.0, 0.0, 2.0) * 127
    ]
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    font = picture_font()
    draw.text((LEFT, 4), title, COLOURS[kind], font)
    for name, top, index in zip(PANELS, tops, indices, strict=True):
        table = _table("RdBu_r" if name == "difference" else "magma")
        cells = table[index.astype(np.uint8).T[::-1]]  # low frequencies at the bottom
        image.paste(Image.fromarray(np.repeat(np.repeat(cells, CELL_PX[1], 1), CELL_PX[0], 0)), (LEFT, top))
        draw.text((LEFT + 4, top + high + 4), name, INK, font)
        for hz in AXIS_HZ:
            y = _y(hz, top, high)
            draw.line((LEFT - 4, y, LEFT - 1, y), INK)
            label = f"{hz / 1000:g} kHz"
            draw.text((LEFT - 7 - draw.textlength(label, font), y - 8), label, INK, font)
        x = _x(0.0, picture)
        draw.line((x, top, x, top + high), (255, 255, 255) if name != "difference" else INK)
        if difference is not None:
            left, right = (_x(seconds, picture) for seconds in (difference.begin_s, difference.end_s))
            upper, lower = _y(difference.high_hz, top, high), _y(difference.low_hz, top, high)
            draw.rectangle((left, max(upper, top), min(right, LEFT + wide), lower), outline=COLOURS[kind], width=2)
    bottom = tops[2] + high
    for tick in np.arange(np.ceil(picture.time_s[0] / TICK_S), picture.time_s[-1] / TICK_S):
        x = _x(tick * TICK_S, picture)
        draw.line((x, bottom, x, bottom + 4), INK)
        label = f"{tick * TICK_S:.1f} s"
        if x > LEFT + 80:  # the name of the panel stands there
            draw.text((x - draw.textlength(label, font) / 2, bottom + 6), label, INK, font)
    pixels: Picture8 = np.asarray(image, dtype=np.uint8)
    return pixels


def _x(seconds: float, picture: TouchPicture) -> float:
    return LEFT + ((seconds - float(picture.time_s[0])) / SEQUENCE.hop_s + 0.5) * CELL_PX[1]


def _y(hz: float, top: int, high: int) -> float:
    low, most = (float(mel_from_hz(edge)) for edge in (SEQUENCE.low_hz, SEQUENCE.high_hz))
    return top + high * (1.0 - (float(mel_from_hz(hz)) - low) / (most - low))


@lru_cache(maxsize=2)
def _table(name: str) -> NDArray[np.uint8]:
    """(255, 3) colours."""
    return np.round(255 * colormaps[name](np.linspace(0.0, 1.0, 255))[:, :3]).astype(np.uint8)
