"""Go on from what was drawn before: a velocity whose beginning is settled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hearing_hands_ros.model.flow.path import Velocity


class Continued:
    """Lets the first frames of a draw move as they did in an earlier one; for one call of a solver.

    From the same noise they become what they were, whatever the velocity would have now, and at each step the rest is
    drawn to go with them. Sending them along the straight line from noise to data instead would do so too, but with few
    steps no network moves frames that way, and what it draws beside them leaves a seam.

    Args:
        past: For each evaluation by the solver, velocity (B, F, G) of the first G frames; empty if nothing was drawn.

    Attributes:
        moves: For each evaluation so far, velocity (B, F, T) that was followed.
    """

    def __init__(self, past: Sequence[Tensor] = ()) -> None:
        self._past = past
        self.moves: list[Tensor] = []

    def of(self, velocity: Velocity) -> Velocity:
        """Return the velocity to follow.

        Raises:
            ValueError: When called: the solver evaluates more often than it did then.
        """

        def continued(x: Tensor, t: Tensor) -> Tensor:
            move = velocity(x, t)
            if self._past:
                if len(self.moves) == len(self._past):
                    raise ValueError(f"Continued: wanted a solver of {len(self._past)} evaluations, got one of more")
                before = self._past[len(self.moves)]
                move = torch.cat([before, move[..., before.shape[-1] :]], dim=-1)
            self.moves.append(move)
            return move

        return continued
