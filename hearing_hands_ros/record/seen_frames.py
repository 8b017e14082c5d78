"""Which frames TF has told of lately, and how they hang together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hearing_hands_ros.ros.tf2_bytes import MalformedMessageError, edges_in_bytes

OLD_S = 2.0
MOST_NAMES = 3
DEEPEST = 100


class SeenFrames:
    """Follows the edges of TF; time is any that never goes back, in s."""

    def __init__(self) -> None:
        self._edges: dict[str, tuple[str, float]] = {}  # of a child: its parent, and when that was last told

    def take(self, raw: bytes, is_static: bool, now_s: float) -> None:
        """Take a TFMessage; what is none is left to others to find."""
        try:
            edges = edges_in_bytes(raw)
        except MalformedMessageError:
            return
        told_s = math.inf if is_static else now_s
        for parent, child, _, _ in edges:
            self._edges[child.lstrip("/")] = parent.lstrip("/"), told_s

    def trouble(self, frames: Sequence[str], root: str, now_s: float) -> str:
        """Why frames cannot be followed in a root frame; empty if they can.

        Args:
            frames: That are wanted.
            root: In which; empty for wherever they hang.
            now_s: Present.
        """
        missing = [frame for frame in frames if frame not in self._edges and frame != root]
        if missing:
            return f"no TF for {_listed(missing, len(frames))}"
        old, loose = [], {}
        for frame in frames:
            told_s, top = self._above(frame, root)
            if now_s - told_s > OLD_S:
                old.append(frame)
            elif root and top != root:
                loose[frame] = top
        if old:
            return f"no TF for {OLD_S:g} s and more for {_listed(old, len(frames))}"
        if loose:
            tops = ", ".join(sorted({f"'{top}'" for top in loose.values()}))
            return f"TF does not connect {_listed(list(loose), len(frames))} with '{root}', only with {tops}"
        return ""

    def _above(self, frame: str, root: str) -> tuple[float, str]:
        """When the oldest edge on the way up was told, and where the way ends: at the root, if it is met."""
        told_s = math.inf
        for _ in range(DEEPEST):
            if frame == root or frame not in self._edges:
                break
            frame, edge_s = self._edges[frame]
            told_s = min(told_s, edge_s)
        return told_s, frame


def _listed(frames: Sequence[str], count: int) -> str:
    more = ", …" if len(frames) > MOST_NAMES else ""
    return f"{len(frames)} of {count} frames of the hand ({', '.join(frames[:MOST_NAMES])}{more})"
