"""How often a batch comes, where what is made of it costs more than a step."""

from __future__ import annotations

from dataclasses import dataclass

from hearing_hands_ros.train.checks import need_at_least


@dataclass(frozen=True)
class Reuse:
    """Blocks of batches that come several times.

    Attributes:
        batches: Of a block.
        times: That a block comes before the next one does.

    Raises:
        ValueError: A field is not possible; the message names it.
    """

    batches: int = 1
    times: int = 1

    def __post_init__(self) -> None:
        for name in ("batches", "times"):
            need_at_least("Reuse", name, 1, getattr(self, name))

    def drawn_at(self, step: int) -> int:
        """Number of the batch that comes at a step, both from 0.

        >>> [Reuse(batches=2, times=2).drawn_at(step) for step in range(8)]
        [0, 1, 0, 1, 2, 3, 2, 3]
        """
        return step // (self.batches * self.times) * self.batches + step % self.batches


ONCE = Reuse()
