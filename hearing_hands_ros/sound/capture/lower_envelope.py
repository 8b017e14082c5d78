"""The line under a sliding window of points, of which many lie too high and none too low."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
CHUNKS = 32


@dataclass
class _Chunk:
    """The lower hull of the points of a short stretch, and their sums."""

    begin: float
    count: int = 0
    sum_x: float = 0.0
    sum_y: float = 0.0
    hull: list[Point] = field(default_factory=list)

    def add(self, point: Point) -> None:
        self.count += 1
        self.sum_x += point[0]
        self.sum_y += point[1]
        _extend(self.hull, point)


class LowerEnvelope:
    """Lower convex hull of the points of the last `window`, and the line that is drawn from it.

    Of all lines that no point lies under, the one with the smallest sum of distances to the points is the hull's edge
    below their mean. Points are dropped in chunks of window / 32, so adding one costs little however many there are.

    Args:
        window: Length that is kept, in units of x.

    Source: Moon, Skelly and Towsley, *Estimation and removal of clock skew from network delay measurements*, 1999.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self._chunks: deque[_Chunk] = deque()
        self._end = 0.0

    def add(self, x: float, y: float) -> bool:
        """Take a point, x never smaller than the last one's; return whether it begins a chunk."""
        new = not self._chunks or x >= self._chunks[-1].begin + self.window / CHUNKS
        if new:
            self._chunks.append(_Chunk(x))
        self._chunks[-1].add((x, y))
        self._end = x
        while self._chunks[0].begin < x - self.window:
            self._chunks.popleft()
        return new

    @property
    def span(self) -> float:
        """From the first to the last point, in units of x."""
        return self._end - self._chunks[0].begin

    def mean(self) -> Point:
        """Return the mean of the points."""
        count = sum(chunk.count for chunk in self._chunks)
        return sum(chunk.sum_x for chunk in self._chunks) / count, sum(chunk.sum_y for chunk in self._chunks) / count

    def slope(self) -> float:
        """Return the slope of the line under the points; 1 for a single point."""
        hull: list[Point] = []
        for chunk in self._chunks:
            for point in chunk.hull:
                _extend(hull, point)
        middle = self.mean()[0]
        for (left, low), (right, high) in pairwise(hull):
            if left <= middle <= right and right > left:
                return (high - low) / (right - left)
        return 1.0

    def lowest(self, slope: float) -> float:
        """Return y at x = 0 of the highest line of this slope that no point lies under."""
        return min(y - slope * x for chunk in self._chunks for x, y in chunk.hull)


def _extend(hull: list[Point], point: Point) -> None:
    """Append a point to a lower hull that ends to its left."""
    x, y = point
    while len(hull) >= 2:
        (x0, y0), (x1, y1) = hull[-2], hull[-1]
        if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
            break
        hull.pop()
    hull.append(point)
