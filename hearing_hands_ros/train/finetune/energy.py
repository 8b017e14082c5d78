"""How far a network's draws are from what was heard, as a number that is least when they are drawn alike."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

STRETCHES: Final = (2, 16)  # mel frames, 32 and 256 ms: the colour of a moment, and how a touch rings
WIDTHS: Final = (16, 80)  # mel bands that are heard as one, beside each on its own: a fifth of all, and the whole level
LEAST_SQUARE: Final = 1e-6  # a distance of 0 has no gradient


def energy_score(draws: Tensor, sound: Tensor, weight: Tensor) -> Tensor:
    """Sum over widths of bands, mean over stretches, of E |X - y| - E |X - X'| / 2, X and X' drawn independently.

    It is a strictly proper score: in the mean over sounds y it is least when X is distributed as y is. The first term
    alone would make all draws one, the smoothest; the second keeps them apart.

    Among 80 bands by 16 frames it hardly counts whether all of them begin to sound a little at one time: noise in each
    band is as large. In the mean over bands it is, so these are scored, too, and there in all frames alike: what begins
    where nothing is touched is heard just as well.

    Args:
        draws: (K, B, F, T) of the network, K at least 2, from independent noise.
        sound: (B, F, T) heard; F a multiple of all widths.
        weight: (B, T) of each frame for single bands, positive.

    Returns:
        A number, with gradients.

    Source: Gneiting and Raftery 2007, section 4.2; the estimate of E |X - X'| is without bias.
    """
    even = torch.ones_like(weight)
    wide = [_score(_wide(draws, width), _wide(sound, width), even) for width in WIDTHS]
    return torch.stack([_score(draws, sound, weight), *wide]).sum()


def _score(draws: Tensor, sound: Tensor, weight: Tensor) -> Tensor:
    """The score of bands as they are."""
    count = len(draws)
    total = sound.new_zeros(())
    for frames in STRETCHES:
        seen, drawn = _stretches(sound, frames), [_stretches(one, frames) for one in draws]
        near = torch.stack([_distance(one, seen) for one in drawn]).mean(0)
        pairs = [_distance(drawn[i], drawn[j]) for i in range(count) for j in range(i)]
        score = (near - 0.5 * torch.stack(pairs).mean(0)) / (frames * sound.shape[1]) ** 0.5
        heavy = weight[:, : score.shape[1] * frames].reshape(*score.shape, frames).mean(-1)
        total = total + (heavy * score).sum() / heavy.sum()
    return total / len(STRETCHES)


def _wide(x: Tensor, width: int) -> Tensor:
    """(..., F, T) to (..., F / width, T): means over neighbouring bands."""
    return x.reshape(*x.shape[:-2], -1, width, x.shape[-1]).mean(-2)


def _stretches(x: Tensor, frames: int) -> Tensor:
    """(B, F, T) to (B, T // frames, F * frames)."""
    whole = x[..., : x.shape[-1] // frames * frames]
    return whole.reshape(*x.shape[:2], -1, frames).permute(0, 2, 1, 3).flatten(2)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean, over the last axis."""
    return ((a - b).square().sum(-1) + LEAST_SQUARE).sqrt()
