"""Patterns of materials, drawn from random numbers: each function draws the parameters and returns what paints."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hearing_hands_ros.demo.textures import noise

__all__ = ["ceramic", "dirt", "fabric", "glass", "grass", "gravel", "metal", "noise", "sand", "snow", "stone", "wood"]

Array = NDArray[np.float64]
Paint = Callable[[Array, Array], Array]
Range = tuple[float, float]


def wood(rng: np.random.Generator) -> Paint:
    """Rings, fibres, planks and knots."""
    low, high = _shades(rng, (12, 42), (0.25, 0.8), (0.4, 0.97), (0.35, 0.75))
    turn, seed = _turn(rng), _seed(rng)
    cell, rings, fibre = rng.uniform(0.02, 0.06), rng.uniform(3, 9), rng.uniform(0.003, 0.007)
    plank_m = rng.choice([np.inf, rng.uniform(0.05, 0.14)])
    knots, knot_m = rng.uniform(-0.15, 0.15, (rng.integers(0, 4), 2)), rng.uniform(0.006, 0.016)
    weights = rng.uniform(0.2, 0.6, 3)

    def paint(points: Array, _: Array) -> Array:
        p = points @ turn
        plank = np.floor(p[:, 1] / plank_m + 0.5) if np.isfinite(plank_m) else np.zeros(len(p))
        p = p + np.stack([0.37 * plank, 0 * plank, 0.91 * plank], axis=1)
        bend = sum((np.exp(-((p[:, :2] - knot) ** 2).sum(axis=1) / knot_m**2) for knot in knots), np.zeros(len(p)))
        grain = 0.5 + 0.5 * np.sin(2 * np.pi * (noise(p * [0.12, 1, 1], cell, seed, 2) * rings + 1.5 * bend))
        fibres = noise(p * [0.08, 1, 1], fibre, seed + 5, 2)
        tone = noise(np.stack([plank, plank, plank], axis=1), 0.7, seed + 9, 1)
        share = (np.stack([grain, fibres, tone], axis=1) - 0.5) @ weights + 0.5 - 0.6 * bend
        if np.isfinite(plank_m):
            gap = np.abs((points @ turn)[:, 1] / plank_m - plank) > 0.48
            share = np.where(gap, share - 0.7, share)
        return _blend(share, low, high)

    return paint


def metal(rng: np.random.Generator) -> Paint:
    """Brushed or plain, with sheen and scratches."""
    kind = rng.choice(["steel", "brass", "copper", "painted"], p=[0.62, 0.14, 0.12, 0.12])
    hue, saturation = {
        "steel": ((195, 235), (0.01, 0.12)),
        "brass": ((36, 50), (0.3, 0.6)),
        "copper": ((10, 24), (0.35, 0.6)),
        "painted": ((0, 360), (0.1, 0.6)),
    }[str(kind)]
    low, high = _shades(rng, hue, saturation, (0.55, 1.0), (0.35, 0.7))
    turn, seed = _turn(rng), _seed(rng)
    stretch, brush, brushed = rng.uniform(0.02, 0.08), rng.uniform(0.002, 0.006), rng.uniform(0.0, 0.7)
    sheen_m, slope = rng.uniform(0.08, 0.25), rng.normal(0.0, 2.5, 2)
    scratches = [(rng.uniform(-0.12, 0.12, 2), rng.uniform(0, np.pi)) for _ in range(rng.integers(0, 14))]

    def paint(points: Array, uv: Array) -> Array:
        p = points @ turn
        share = 0.5 + brushed * (noise(p * [stretch, 1, 1], brush, seed, 2) - 0.5)
        share += 0.9 * (noise(p, sheen_m, seed + 3, 1) - 0.5) + uv @ slope
        for place, angle in scratches:
            across = (uv - place) @ [np.sin(angle), -np.cos(angle)]
            along = (uv - place) @ [np.cos(angle), np.sin(angle)]
            share = share + 0.35 * (np.abs(across) < 0.0012) * (np.abs(along) < 0.05)
        return _blend(share, low, high)

    return paint


def stone(rng: np.random.Generator) -> Paint:
    """Granite, marble, concrete or slate."""
    low, high = _shades(rng, (0, 60), (0.0, 0.22), (0.4, 0.95), (0.35, 0.75))
    turn, seed = _turn(rng), _seed(rng)
    speckle, contrast = rng.uniform(0.004, 0.011), rng.uniform(0.2, 1.8)
    vein_m, veins, vein = rng.uniform(0.03, 0.09), rng.uniform(0.0, 0.03), rng.uniform(-0.9, 0.9)
    layers = rng.choice([1.0, rng.uniform(0.15, 0.4)])
    cloud = rng.uniform(0.2, 0.9)

    def paint(points: Array, _: Array) -> Array:
        p = (points @ turn) * [layers, 1.0, 1.0]
        share = 0.5 + contrast * (noise(p, speckle, seed, 2) - 0.5) + cloud * (noise(p, 0.07, seed + 4, 3) - 0.5)
        line = np.abs(noise(p, vein_m, seed + 8, 3) - 0.5) < veins
        return _blend(np.where(line, share + vein, share), low, high)

    return paint


def ceramic(rng: np.random.Generator) -> Paint:
    """Tiles, glaze or terracotta: smooth, with a soft highlight."""
    kind = rng.choice(["tile", "glaze", "terracotta"], p=[0.45, 0.35, 0.2])
    hue, saturation = ((0, 360), (0.0, 0.5)) if rng.random() < 0.5 else ((30, 60), (0.0, 0.12))
    if kind == "terracotta":
        hue, saturation = (8, 26), (0.35, 0.65)
    low, high = _shades(rng, hue, saturation, (0.6, 0.98), (0.7, 0.9))
    turn, seed = _turn(rng), _seed(rng)
    tile_m, gap, grout = rng.uniform(0.03, 0.09), rng.uniform(0.025, 0.05), rng.uniform(0.35, 0.85)
    shine, shine_m = rng.uniform(-0.1, 0.1, 2), rng.uniform(0.03, 0.08)
    fine = rng.uniform(0.3, 0.9) if kind == "terracotta" else rng.uniform(0.0, 0.15)

    def paint(points: Array, uv: Array) -> Array:
        share = 0.5 + fine * (noise(points, 0.004, seed, 2) - 0.5) + 0.6 * (noise(points, 0.08, seed + 2, 2) - 0.5)
        if kind != "terracotta":
            share += 0.9 * np.exp(-((uv - shine) ** 2).sum(axis=1) / shine_m**2)
        colour = _blend(share, low, high)
        if kind == "tile":
            place = (uv @ turn[:2, :2]) / tile_m
            line: NDArray[np.bool_] = np.any(np.abs(place - np.round(place)) < gap, axis=1)
            colour = np.where(line[:, None], grout, colour)
        return colour

    return paint


def glass(rng: np.random.Generator) -> Paint:
    """Tinted, without grain; soft bands of reflected light, and dust."""
    low, high = _shades(rng, (80, 230), (0.02, 0.35), (0.6, 0.98), (0.5, 0.85))
    seed, angle = _seed(rng), rng.uniform(0, np.pi)
    direction, band_m, phase = np.array([np.cos(angle), np.sin(angle)]), rng.uniform(0.04, 0.16), rng.uniform()
    bright, sharp, cloud = rng.uniform(0.3, 0.9), rng.uniform(1.0, 6.0), rng.uniform(0.1, 0.5)
    dust = rng.uniform(0.985, 1.0)

    def paint(points: Array, uv: Array) -> Array:
        wave = np.sin(2 * np.pi * (uv @ direction / band_m + phase + 0.4 * noise(points, 0.15, seed, 1)))
        share = 0.35 + bright * (0.5 + 0.5 * np.tanh(sharp * wave) / np.tanh(sharp)) * 0.7
        share += cloud * (noise(points, 0.12, seed + 1, 1) - 0.5)
        return _blend(np.where(noise(points, 0.003, seed + 2, 1) > dust, share + 0.3, share), low, high)

    return paint


def fabric(rng: np.random.Generator) -> Paint:
    """Weave, stripes or felt in any colour."""
    low, high = _shades(rng, (0, 360), (0.0, 0.8), (0.3, 0.95), (0.4, 0.8))
    other = _tone(rng, (0, 360), (0.0, 0.8), (0.2, 0.95))
    turn, seed = _turn(rng), _seed(rng)
    thread_m, weave, felt = rng.uniform(0.005, 0.011), rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.7)
    stripe_m, striped = rng.uniform(0.015, 0.06, 2), rng.random(2) < 0.35
    fold = rng.uniform(0.1, 0.6)

    def paint(points: Array, uv: Array) -> Array:
        place = uv @ turn[:2, :2]
        threads = np.sin(2 * np.pi * place[:, 0] / thread_m) * np.sin(2 * np.pi * place[:, 1] / thread_m)
        share = 0.5 + 0.5 * weave * threads + felt * (noise(points, 0.004, seed, 1) - 0.5)
        share += fold * (noise(points * [1.0, 0.3, 1.0], 0.05, seed + 1, 2) - 0.5)
        colour = _blend(share, low, high)
        for axis in range(2):
            if striped[axis]:
                on = np.sin(2 * np.pi * place[:, axis] / stripe_m[axis]) > 0.2
                colour = np.where(on[:, None], 0.5 * colour + 0.5 * other * (0.7 + 0.6 * share[:, None]), colour)
        return colour

    return paint


def dirt(rng: np.random.Generator) -> Paint:
    """Clods of soil with a few small stones."""
    low, high = _shades(rng, (14, 36), (0.3, 0.7), (0.25, 0.55), (0.25, 0.5))
    seed, clod_m, rare = _seed(rng), rng.uniform(0.009, 0.022), rng.uniform(0.9, 1.0)
    pebble, pebbles = _tone(rng, (20, 50), (0.05, 0.2), (0.4, 0.65)), _pebbles(rng, rng.uniform(0.012, 0.024))

    def paint(points: Array, uv: Array) -> Array:
        which, border = pebbles(uv)
        colour = _blend(1.6 * noise(points, clod_m, seed, 3) - 0.3, low, high)
        return np.where(((which > rare) & (border > 0.4))[:, None], pebble, colour)

    return paint


def grass(rng: np.random.Generator) -> Paint:
    """A lawn: blades in clumps, with dry spots."""
    low, high = _shades(rng, (65, 125), (0.4, 0.85), (0.4, 0.8), (0.15, 0.45))
    dry, dryness = _tone(rng, (40, 60), (0.3, 0.6), (0.4, 0.75)), rng.uniform(0.0, 0.5)
    turn, seed = _turn(rng), _seed(rng)
    blade_m, stretch, clump_m = rng.uniform(0.003, 0.007), rng.uniform(0.2, 0.5), rng.uniform(0.02, 0.06)

    def paint(points: Array, _: Array) -> Array:
        p = points @ turn
        share = 0.8 * noise(p * [1.0, stretch, 1.0], blade_m, seed, 2) + 0.5 * noise(p, clump_m, seed + 3, 2) - 0.1
        bare = np.clip(3.0 * (noise(p, 2 * clump_m, seed + 6, 2) - 1.0 + dryness), 0.0, 1.0)[:, None]
        return _blend(share, low, high) * (1.0 - bare) + dry * bare * (0.6 + 0.6 * share[:, None])

    return paint


def gravel(rng: np.random.Generator) -> Paint:
    """Pebbles of several colours."""
    low, high = _shades(rng, (0, 60), (0.0, 0.3), (0.5, 0.9), (0.35, 0.6))
    other, odd = _tone(rng, (10, 40), (0.1, 0.5), (0.35, 0.8)), rng.uniform(0.0, 0.4)
    pebbles, dark = _pebbles(rng, rng.uniform(0.008, 0.018)), rng.uniform(0.15, 0.4)

    def paint(_: Array, uv: Array) -> Array:
        which, border = pebbles(uv)
        colour = np.where(((which * 7.0) % 1.0 < odd)[:, None], other, _blend(which, low, high))
        return np.asarray(colour * (dark + (1.0 - dark) * np.sqrt(border))[:, None])

    return paint


def sand(rng: np.random.Generator) -> Paint:
    """Ripples and fine grain."""
    low, high = _shades(rng, (26, 50), (0.15, 0.55), (0.6, 0.97), (0.6, 0.82))
    turn, seed = _turn(rng), _seed(rng)
    ripple_m, ripples, fine = rng.uniform(0.01, 0.03), rng.uniform(0.0, 0.5), rng.uniform(0.3, 0.8)

    def paint(points: Array, _: Array) -> Array:
        p = points @ turn
        wave = np.sin(2 * np.pi * (p[:, 1] + 0.05 * noise(p, 0.09, seed, 2)) / ripple_m)
        share = 0.5 + 0.5 * ripples * wave + fine * (noise(p, 0.003, seed + 3, 1) - 0.5)
        return _blend(share + 0.4 * (noise(p, 0.06, seed + 5, 2) - 0.5), low, high)

    return paint


def snow(rng: np.random.Generator) -> Paint:
    """White, blue in the hollows, with glints; sometimes trodden on."""
    low, high = _shades(rng, (200, 230), (0.02, 0.2), (0.9, 1.0), (0.72, 0.9))
    seed, hollow_m, glints = _seed(rng), rng.uniform(0.012, 0.045), rng.uniform(0.84, 0.95)
    depth = rng.uniform(0.8, 1.8)

    def paint(points: Array, _: Array) -> Array:
        colour = _blend(0.5 + depth * (noise(points, hollow_m, seed, 3) - 0.45), low, high)
        return np.where((noise(points, 0.003, seed + 2, 1) > glints)[:, None], 1.0, colour)

    return paint


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 24))


def _turn(rng: np.random.Generator) -> Array:
    """(3, 3) about z."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def _tone(rng: np.random.Generator, hue_deg: Range, saturation: Range, value: Range) -> Array:
    hue = rng.uniform(*hue_deg) % 360.0 / 360.0
    return np.array(colorsys.hsv_to_rgb(hue, rng.uniform(*saturation), rng.uniform(*value)))


def _shades(
    rng: np.random.Generator, hue_deg: Range, saturation: Range, value: Range, darker: Range
) -> tuple[Array, Array]:
    """A dark and a light shade of nearly one hue."""
    high = _tone(rng, hue_deg, saturation, value)
    return high * rng.uniform(*darker) * rng.uniform(0.93, 1.07, 3), high


def _blend(share: Array, low: Array, high: Array) -> Array:
    share = np.clip(share, 0.0, 1.0)[:, None]
    return np.asarray(low * (1.0 - share) + high * share)


def _pebbles(rng: np.random.Generator, size_m: float) -> Callable[[Array], tuple[Array, Array]]:
    """Pebbles about a face's middle: which one a place is on, in 0..1, and how far it is from its border, in 0..1."""
    reach = 0.75
    cells = np.stack(np.meshgrid(*[np.arange(-reach, reach, size_m)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    tree = cKDTree(cells + rng.uniform(-0.45, 0.45, cells.shape) * size_m)
    tones = rng.random(len(cells))

    def find(uv: Array) -> tuple[Array, Array]:
        distance, which = tree.query(uv, k=2)
        return tones[which[:, 0]], np.clip((distance[:, 1] - distance[:, 0]) / (0.5 * size_m), 0.0, 1.0)

    return find
