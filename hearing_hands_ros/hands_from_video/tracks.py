"""Which hand is which: sightings joined over time by where they are, then named left or right by what most of them say.

Finders of hands name each image on its own and often swap the names; a hand does not jump across the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hearing_hands_ros.hands_from_video.detection import KNUCKLES
from hearing_hands_ros.motion.window import NANOSECONDS

Array = NDArray[np.float64]

GAP_S = 0.2  # a hand that was away for longer is another one until its name is known
APART_M = 0.04  # two palms nearer than this are one hand, seen twice
REACH_M, REACH_MPS = 0.05, 4.0  # how far a palm may be from where it was last
FAR = 1e6


@dataclass(frozen=True, eq=False)
class Sighting:
    """A hand in one image.

    Attributes:
        stamp_ns: Of the image.
        right: How sure it is a right hand, 0 to 1.
        keypoints_m: (21, 3) in a frame that stands still.
        has_depth: Its distance was measured.
    """

    stamp_ns: int
    right: float
    keypoints_m: Array
    has_depth: bool = False

    @property
    def palm(self) -> Array:
        """(3,) middle of the palm."""
        return self.keypoints_m[[0, *KNUCKLES]].mean(axis=0)


@dataclass(eq=False)
class Track:
    """Sightings of one hand without a long gap, in the order of time."""

    sightings: list[Sighting] = field(default_factory=list)

    @property
    def vote(self) -> float:
        """How much more they say right than left."""
        return sum(2.0 * sighting.right - 1.0 for sighting in self.sightings)

    @property
    def times(self) -> tuple[int, int]:
        """First and last stamp, ns."""
        return self.sightings[0].stamp_ns, self.sightings[-1].stamp_ns


def tracks_of(sightings: Sequence[Sequence[Sighting]]) -> list[Track]:
    """Join sightings by place.

    Args:
        sightings: Of each image, in the order of time; all of one image have one stamp.

    Returns:
        The tracks, by their first stamp.
    """
    done: list[Track] = []
    going: list[Track] = []
    for seen in sightings:
        hands = _once_each(seen)
        if not hands:
            continue
        stamp_ns = hands[0].stamp_ns
        old = [track for track in going if stamp_ns - track.times[1] > GAP_S * NANOSECONDS]
        done += old
        going = [track for track in going if track not in old]
        cost = np.array([[_way(track, hand) for hand in hands] for track in going]).reshape(len(going), len(hands))
        taken = set()
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < FAR:
                going[row].sightings.append(hands[column])
                taken.add(column)
        going += [Track([hand]) for column, hand in enumerate(hands) if column not in taken]
    return sorted(done + going, key=lambda track: track.times)


def named(tracks: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    """Left and right tracks, of which no two of one hand overlap in time.

    The surest are named first; one that is called as a hand that is already there becomes the other, and if that is
    there too it is left out: nobody has three hands.
    """
    sides: tuple[list[Track], list[Track]] = ([], [])
    for track in sorted(tracks, key=lambda track: -abs(track.vote)):
        wanted = int(track.vote > 0.0)
        for side in (wanted, 1 - wanted):
            if not any(_overlap(track, other) for other in sides[side]):
                sides[side].append(track)
                break
    left, right = (sorted(side, key=lambda track: track.times) for side in sides)
    return left, right


def _once_each(seen: Sequence[Sighting]) -> list[Sighting]:
    hands: list[Sighting] = []
    for sighting in sorted(seen, key=lambda sighting: -abs(sighting.right - 0.5)):
        if all(np.linalg.norm(sighting.palm - other.palm) > APART_M for other in hands):
            hands.append(sighting)
    return hands


def _way(track: Track, hand: Sighting) -> float:
    """How far a hand is from where a track ended, m; `FAR` if that is too far."""
    last = track.sightings[-1]
    way = float(np.linalg.norm(hand.palm - last.palm))
    return way if way < REACH_M + REACH_MPS * (hand.stamp_ns - last.stamp_ns) / NANOSECONDS else FAR


def _overlap(one: Track, other: Track) -> bool:
    return one.times[0] <= other.times[1] and other.times[0] <= one.times[1]
