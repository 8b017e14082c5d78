"""Whether a block follows the one before it, from its stamp and its count."""

from __future__ import annotations

from dataclasses import dataclass

from hearing_hands_ros.sound.capture.block import Block


@dataclass(frozen=True)
class Step:
    """From one block to the next.

    Args:
        missing: Frames between them; negative where they overlap.
        jumped_s: How far the stamps jumped although no frame is missing, s.
        format_changed: They do not belong together.
    """

    missing: int = 0
    jumped_s: float = 0.0
    format_changed: bool = False


class Continuity:
    """Compares each block with the end of the one before.

    A count says exactly how many frames are missing, and is believed where the stamps agree with it to the tolerance.
    It is also believed where it says that none is: then the stamps' clock has jumped. Otherwise, or where nobody
    counts, the stamps decide, and differences up to the tolerance are jitter.

    Args:
        tolerance_s: Jitter of the stamps, s.
    """

    def __init__(self, tolerance_s: float) -> None:
        self.tolerance_s = tolerance_s
        self._last: Block | None = None
        self._next_ns = 0
        self._next_frame: int | None = None

    def follow(self, block: Block, stamp_ns: int) -> Step:
        """Compare a block that begins at `stamp_ns` with the last one, and remember its end."""
        last, next_ns, next_frame = self._last, self._next_ns, self._next_frame
        self._last, self._next_ns = block, stamp_ns + block.duration_ns
        self._next_frame = None if block.first_frame is None else block.first_frame + block.frames
        if last is None:
            return Step()
        if (last.sample_rate_hz, last.channels) != (block.sample_rate_hz, block.channels):
            return Step(format_changed=True)
        away_s = (stamp_ns - next_ns) * 1e-9 / block.speed
        by_stamp = round(away_s * block.sample_rate_hz)
        if next_frame is not None and block.first_frame is not None:
            by_count = block.first_frame - next_frame
            if abs(away_s - by_count / block.sample_rate_hz) <= self.tolerance_s:
                return Step(by_count)
            if by_count == 0:
                return Step(jumped_s=away_s * block.speed)
        return Step(by_stamp if abs(away_s) > self.tolerance_s else 0)

    def forget(self) -> None:
        """Let the next block be the first of a new stream."""
        self._last = None
