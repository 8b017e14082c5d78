"""A block of captured sound, and what a source of blocks is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sound.capture.clock_map import ClockMap

HIGHEST_RATE_HZ, MOST_CHANNELS = 384_000, 256
"""Beyond these a message is damaged, and the gap that it leaves could not be filled."""


@dataclass(frozen=True)
class Block:
    """Consecutive frames of sound; checks itself.

    Args:
        data: (frames * channels,) float32, interleaved, in [-1, 1]. A view where that is possible; never written to.
        sample_rate_hz: Frames a second.
        channels: Samples a frame.
        stamp_ns: Time of the first sample, ns; None where the source does not know it.
        first_frame: Index of the first frame since the source was opened; None where the source does not count.
        lost: (frames,) true where `data` is marked silence instead of sound; None where nothing was lost.
        overrun: The driver says that it threw sound away before this block.
        frame_id: Coordinate frame of the microphone, where the source names it.
        speed: Seconds of the node that a second of sound takes; not 1 where simulated time runs at another speed.

    Raises:
        ValueError: Any of these contradict each other; says what was wanted and what was got.
    """

    data: NDArray[np.float32]
    sample_rate_hz: int
    channels: int
    stamp_ns: int | None = None
    first_frame: int | None = None
    lost: NDArray[np.bool_] | None = None
    overrun: bool = False
    frame_id: str = ""
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.sample_rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"wanted a sample rate above 0, up to {HIGHEST_RATE_HZ} Hz, got {self.sample_rate_hz}")
        if not 0 < self.channels <= MOST_CHANNELS:
            raise ValueError(f"wanted 1 to {MOST_CHANNELS} channels, got {self.channels}")
        if self.speed <= 0:
            raise ValueError(f"wanted a speed above 0, got {self.speed}")
        if self.data.size == 0:
            raise ValueError("wanted at least one sample, got none")
        if self.data.size % self.channels:
            raise ValueError(
                f"wanted samples in multiples of {self.channels} channels, got {self.data.size} "
                f"({self.data.size % self.channels} too many)"
            )
        if self.lost is not None and self.lost.size != self.frames:
            raise ValueError(f"wanted one entry of `lost` a frame ({self.frames}) or none, got {self.lost.size}")

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.data.size // self.channels

    @property
    def duration_ns(self) -> int:
        """Length on the node's clock, ns."""
        return round(self.frames * self.speed * 1e9 / self.sample_rate_hz)


class Source(Protocol):
    """Where sound comes from."""

    trouble: str  # why no sound comes at the moment, for the operator; empty where the source knows of no reason
    ended: bool  # all sound there was has been read
    stamps: str  # what the blocks' stamps are, for the operator
    clock: ClockMap | None  # what made them; None where they come from elsewhere

    def open(self) -> None:
        """Begin to listen.

        Raises:
            OSError: It is not there (now); may be tried again.
            ValueError: What is wanted of it cannot be.
        """

    def read(self, now_ns: int) -> list[Block]:
        """Return what was heard up to `now_ns` on the node's clock and not yet returned, oldest first.

        Raises:
            OSError: The source is gone; `close` it, then `open` may be tried again.
        """

    def close(self) -> None:
        """Cease to listen. Never raises, and may be called twice."""
