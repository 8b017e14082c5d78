"""Whether the stamps of images and of TF are of one clock, by when their messages were recorded."""

from __future__ import annotations

from statistics import median
from typing import Final

from hearing_hands_ros.motion.window import NANOSECONDS

APART_S: Final = 0.5
"""Images come that much later than TF where exposure, transport and compression take their time."""


class Clocks:
    """Compares the stamps of images with those of the moving TF that was recorded just before each."""

    def __init__(self) -> None:
        self._tf_late_ns: int | None = None
        self._behind_ns: list[int] = []

    def tf(self, received_ns: int, stamp_ns: int) -> None:
        """Take an edge that is not static."""
        if stamp_ns > 0:
            self._tf_late_ns = received_ns - stamp_ns

    def image(self, received_ns: int, stamp_ns: int) -> None:
        """Take an image."""
        if self._tf_late_ns is not None:
            self._behind_ns.append(received_ns - stamp_ns - self._tf_late_ns)

    @property
    def trouble(self) -> str:
        """By how much they differ, for people; empty if they do not, or nobody can tell."""
        behind_s = median(self._behind_ns) / NANOSECONDS if self._behind_ns else 0.0
        if abs(behind_s) < APART_S:
            return ""
        side = "behind" if behind_s > 0.0 else "ahead of"
        return (
            f"the images' stamps are {abs(behind_s):.1f} s {side} those of TF that was recorded at the same time: is "
            "the camera's clock set?"
        )
