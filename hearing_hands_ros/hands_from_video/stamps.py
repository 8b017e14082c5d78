"""Which images of a recording can be told one after the other, where some repeat a stamp or go back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def in_order(stamps_ns: Sequence[int]) -> list[int]:
    """Numbers of as many images as can be, whose stamps increase strictly.

    One damaged stamp, however far off, costs one image; a clock that is set back costs the shorter side of it.

    Args:
        stamps_ns: In the order in which they were recorded.

    Returns:
        Ascending.
    """
    ends: list[int] = []  # the number of the image with the least stamp that ends a run of 1, 2, ...
    before: list[int] = []
    for number, stamp_ns in enumerate(stamps_ns):
        length = bisect_left(ends, stamp_ns, key=lambda end: stamps_ns[end])
        before.append(ends[length - 1] if length else -1)
        ends[length : length + 1] = [number]
    found = []
    number = ends[-1] if ends else -1
    while number >= 0:
        found.append(number)
        number = before[number]
    return found[::-1]
