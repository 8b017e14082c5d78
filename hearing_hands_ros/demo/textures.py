"""Colours of the materials, from noise; a texture is a function of the point, so faces meet without seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]


def _hash(cells: NDArray[np.int64], seed: int) -> Array:
    """(M, 3) lattice cells to (M,) numbers in 0..1, always the same."""
    mix: NDArray[np.uint64] = np.full(len(cells), seed * 2654435761 + 97, np.uint64)
    for axis, prime in enumerate((73856093, 19349663, 83492791)):
        mix = mix ^ (cells[:, axis].astype(np.uint64) * np.uint64(prime))
    for shift, prime in ((33, 0xFF51AFD7ED558CCD), (29, 0xC4CEB9FE1A85EC53)):
        mix = (mix ^ (mix >> np.uint64(shift))) * np.uint64(prime)
    return np.asarray((mix >> np.uint64(40)).astype(np.float64) / float(1 << 24))


def noise(points: Array, cell_m: float, seed: int, octaves: int = 3) -> Array:
    """Smooth value noise in 0..1 at (M, 3) points, each octave half as large and half as strong."""
    total, weight, sum_of_weights = np.zeros(len(points)), 1.0, 0.0
    for octave in range(octaves):
        scaled = points * (2.0**octave / cell_m)
        low = np.floor(scaled).astype(np.int64)
        part = scaled - low
        part = part * part * (3.0 - 2.0 * part)
        value = np.zeros(len(points))
        for corner in np.ndindex(2, 2, 2):
            share = np.prod(np.where(np.array(corner) == 1, part, 1.0 - part), axis=1)
            value += share * _hash(low + np.array(corner), seed + octave)
        total += weight * value
        sum_of_weights += weight
        weight *= 0.5
    return total / sum_of_weights


def _blend(share: Array, low: tuple[float, float, float], high: tuple[float, float, float]) -> Array:
    share = np.clip(share, 0.0, 1.0)[:, None]
    return np.array(low) * (1.0 - share) + np.array(high) * share


def _pebbles(p: Array, size_m: float, seed: int) -> tuple[Array, Array]:
    """Which pebble a point is on, as a number in 0..1, and how near it is to the pebble's border (0 at the border)."""
    rng = np.random.default_rng(seed)
    low, high = p.min(axis=0) - size_m, p.max(axis=0) + size_m
    count = int(np.prod((high[:2] - low[:2]) / size_m))
    seeds = rng.uniform(low[:2], high[:2], (max(count, 4), 2))
    distance, which = cKDTree(seeds).query(p[:, :2], k=2)
    return rng.random(len(seeds))[which[:, 0]], np.clip((distance[:, 1] - distance[:, 0]) / (0.5 * size_m), 0.0, 1.0)


def _wood(p: Array, seed: int, low: tuple[float, float, float], high: tuple[float, float, float]) -> Array:
    plank = np.floor((p[:, 1] + 5.0) / 0.105)
    shifted = p * np.array([0.12, 1.0, 1.0]) + np.stack([0.37 * plank, 0 * plank, 0.91 * plank], axis=1)
    rings = noise(shifted, 0.045, seed, 2) * 7.0
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * rings)
    fibre = noise(p * np.array([0.08, 1.0, 1.0]), 0.004, seed + 5, 2)
    tone = _hash(np.stack([plank, 0 * plank, 0 * plank], axis=1).astype(np.int64), seed + 9)
    colour = _blend(0.45 * grain + 0.35 * fibre + 0.35 * tone - 0.05, low, high)
    gap = np.abs((p[:, 1] + 5.0) / 0.105 - plank - 0.5) > 0.482
    return np.asarray(colour * np.where(gap, 0.55, 1.0)[:, None])


def table_wood(p: Array) -> Array:
    """Planks of oak."""
    return _wood(p, 11, (0.36, 0.21, 0.10), (0.72, 0.50, 0.29))


def dark_wood(p: Array) -> Array:
    """Walnut, for frames."""
    return _wood(p, 23, (0.20, 0.11, 0.06), (0.38, 0.23, 0.13))


def light_wood(p: Array) -> Array:
    """Birch, for blocks."""
    return _wood(p * np.array([1.0, 0.6, 1.0]), 31, (0.70, 0.54, 0.34), (0.93, 0.81, 0.60))


def metal(p: Array) -> Array:
    """Brushed steel."""
    brushed = noise(p * np.array([0.03, 1.0, 1.0]), 0.003, 41, 2)
    sheen = noise(p, 0.12, 43, 1)
    return _blend(0.45 * brushed + 0.65 * sheen, (0.42, 0.45, 0.49), (0.90, 0.93, 0.97))


def stone(p: Array) -> Array:
    """Granite with a vein."""
    speckle = noise(p, 0.006, 51, 2)
    vein = np.abs(noise(p, 0.06, 53, 3) - 0.5) < 0.02
    colour = _blend(1.5 * speckle - 0.35, (0.30, 0.29, 0.31), (0.70, 0.67, 0.65))
    return np.where(vein[:, None], np.array([0.85, 0.83, 0.80]), colour)


def grass(p: Array) -> Array:
    """A lawn."""
    blades = noise(p * np.array([1.0, 0.35, 1.0]), 0.004, 61, 2)
    patch = noise(p, 0.05, 63, 2)
    return _blend(0.75 * blades + 0.5 * patch - 0.1, (0.07, 0.22, 0.04), (0.46, 0.68, 0.20))


def gravel(p: Array) -> Array:
    """Pebbles of several colours."""
    which, border = _pebbles(p, 0.013, 71)
    colour = _blend(which, (0.33, 0.32, 0.34), (0.78, 0.74, 0.68))
    brown = (which * 7.0) % 1.0 > 0.7
    colour = np.where(brown[:, None], colour * np.array([1.0, 0.83, 0.66]), colour)
    return np.asarray(colour * (0.30 + 0.70 * np.sqrt(border))[:, None])


def sand(p: Array) -> Array:
    """Ripples."""
    bend = noise(p, 0.09, 81, 2) * 0.05
    ripple = 0.5 + 0.5 * np.sin(2 * np.pi * (p[:, 1] + bend) / 0.018)
    return _blend(0.45 * ripple + 0.5 * noise(p, 0.003, 83, 1), (0.74, 0.60, 0.37), (0.95, 0.86, 0.64))


def snow(p: Array) -> Array:
    """White, blue in the hollows, with glints."""
    hollow = noise(p, 0.035, 91, 3)
    colour = _blend(1.4 * hollow - 0.1, (0.76, 0.84, 0.95), (0.97, 0.98, 1.0))
    glint = _hash(np.floor(p / 0.003).astype(np.int64), 93) > 0.97
    return np.where(glint[:, None], 1.0, colour)


def dirt(p: Array) -> Array:
    """Clods of soil with a few small stones."""
    clod = noise(p, 0.016, 101, 3)
    which, border = _pebbles(p, 0.02, 103)
    colour = _blend(1.5 * clod - 0.3, (0.13, 0.08, 0.05), (0.42, 0.29, 0.18))
    pebble = (which > 0.93) & (border > 0.45)
    return np.where(pebble[:, None], np.array([0.50, 0.45, 0.40]), colour)
