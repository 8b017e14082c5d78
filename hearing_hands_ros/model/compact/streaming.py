"""Spectrograms of a timeline, piece after piece: what was given out does not change, and the rest goes on from it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hearing_hands_ros.model.compact.conditions import Conditions
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling
from hearing_hands_ros.model.compact.network import ConditionBatch
from hearing_hands_ros.model.compact.noise import noise_of_frames
from hearing_hands_ros.model.flow.continued import Continued

Array = NDArray[np.float32]


class MelStream:
    """Draws pieces of `chunk` tokens one after the other, each in a window of its own.

    A window holds `context` tokens that were given out, which stay as they are, the piece, and `horizon` tokens after
    it, which are drawn and thrown away: the piece sounds as one whose future is known. Tokens are counted from time 0
    and noise belongs to its mel frame, so what comes out depends on neither when nor how much is pushed.

    Args:
        generator: Draws spectrograms.
        chunk: Tokens of a piece, at least 1.
        horizon: Tokens after it, at least 0.
        context: Tokens before it, at least 0.
        seed: Another seed is another sound.
        sampling: Other than the checkpoint's.

    Attributes:
        next: Number of the token that the next piece begins with.

    Raises:
        ValueError: A length is not possible.
    """

    def __init__(
        self,
        generator: CompactGenerator,
        chunk: int,
        horizon: int,
        context: int,
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> None:
        if chunk < 1 or horizon < 0 or context < 0:
            raise ValueError(
                f"MelStream: wanted chunk of 1 token or more, horizon and context of 0 or more, "
                f"got {chunk}, {horizon} and {context}"
            )
        self.generator, self.chunk, self.horizon, self.context = generator, chunk, horizon, context
        self._seed, self._sampling = seed, sampling or generator.sampling
        self.begin(0)

    def begin(self, token: int) -> None:
        """Forget what was given out; the next piece begins with this token."""
        self.next = token
        self._past: list[Tensor] = []  # how the frames that were given out last came to be

    def push(self, first: int, conditions: Conditions, most: int | None = None) -> Array:
        """Take what is known of a window that ends later than those before; go on as far as that allows.

        Args:
            first: Number of the token that the conditions begin with; not after `next`.
            conditions: Of the window, all its tokens as they will stay.
            most: Pieces that are drawn; as many as can be if None.

        Returns:
            (F, T) log-mel of the next T = PATCH * (whole pieces of `chunk`) frames; T may be 0.

        Raises:
            ValueError: There is a gap before the window.
        """
        if first > self.next:
            raise ValueError(f"MelStream: first wanted at most {self.next}, where the next piece begins, got {first}")
        ready = self.ready(first + len(conditions.hands))
        count = ready if most is None else min(ready, most)
        pieces = [self._piece(first, conditions, self.chunk, self.horizon) for _ in range(count)]
        return np.concatenate([np.zeros((self.generator.sequence.bins, 0), np.float32), *pieces], axis=1)

    def finish(self, first: int, conditions: Conditions) -> Array:
        """Draw what is left of a window that nothing follows, its last tokens with no future to know.

        Args:
            first: Number of the token that the conditions begin with; not after `next`.
            conditions: Of the window, all its tokens.

        Returns:
            (F, T) log-mel from the next piece to the window's end; T may be 0.

        Raises:
            ValueError: There is a gap before the window.
        """
        whole = self.push(first, conditions)
        left = first + len(conditions.hands) - self.next
        return whole if left <= 0 else np.concatenate([whole, self._piece(first, conditions, left, 0)], axis=1)

    def ready(self, end: int) -> int:
        """How many pieces can be drawn once all tokens before `end` are known."""
        return max((end - self.horizon - self.next) // self.chunk, 0)

    def _piece(self, first: int, conditions: Conditions, length: int, horizon: int) -> Array:
        """Draw the next tokens, so many and a horizon, and go on behind them."""
        before = min(self._past[0].shape[-1] // PATCH, self.next - first) if self._past else 0
        begin, end = self.next - before, self.next + length + horizon
        sound, moves = self._draw(
            conditions.part(begin - first, end - first),
            self._noise(PATCH * begin, PATCH * (end - begin)),
            [move[..., move.shape[-1] - PATCH * before :] for move in self._past],
        )
        piece = slice(PATCH * before, PATCH * (before + length))
        self._past = [move[..., max(piece.stop - PATCH * self.context, 0) : piece.stop].clone() for move in moves]
        self.next += length
        return sound[:, piece]

    def _noise(self, first: int, frames: int) -> Array:
        return noise_of_frames(first, frames, self.generator.sequence.bins, self._seed)

    def _draw(self, window: Conditions, noise: Array, past: list[Tensor]) -> tuple[Array, list[Tensor]]:
        """Log-mel (F, T) of a window and how its frames came to be, of which the first moved as `past` says."""
        device = self.generator.device
        continued = Continued(past)
        with torch.inference_mode():
            batch, x = ConditionBatch.of([window], device), torch.from_numpy(noise)[None].to(device)
            drawn = self.generator.sample(batch, x, self._sampling, around=continued.of)
        sound: Array = drawn[0].cpu().numpy()
        return sound, continued.moves
