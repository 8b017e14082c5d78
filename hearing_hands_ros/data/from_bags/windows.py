"""Where in a recording the windows of a dataset are: around touches and away from them, none over another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hearing_hands_ros.data.from_bags.settings import SHORTEST_S, BuildSettings
from hearing_hands_ros.data.from_bags.split import Place
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns, last_frame_before
from hearing_hands_ros.predictors.protocol import Contact

LEAD_S = (0.36, 1.0)
"""A window begins so long before its first touch; how long is drawn, or all would begin alike.

The least is what the comparator hears before a touch that it judges, and a frame of the grid.
"""

APART_S = 0.4
"""A window begins so long after the end of a touch of another side: that touch is not heard in it any more."""

BEFORE_S = 0.05
"""A window ends so long before a touch of another side."""

HEARD_S = 0.3
"""So much of a touch must be in a window that is to teach it: as much as the comparator judges."""

RANG_OUT_S = 0.75
"""So long after the end of a touch the comparator knows what began while it rang."""

RINGING_S = 1.0
"""Nothing is touched, and no touch rings, so long after one."""

NEAR_OTHER = "touches near one of another split"
NO_ROOM = "touches near the one before"
AT_END = "touches at an end of the recording"
NO_SIDE = "touches whose recording and place are of different splits"


@dataclass(frozen=True)
class Placed:
    """A touch with its place and side; None for a touch that no side may have."""

    contact: Contact
    place: Place
    side: str | None


@dataclass(frozen=True)
class Cut:
    """A window.

    Attributes:
        first_frame: Number of its first frame on the grid.
        frames: T.
        side: 'train', 'val' or 'test'.
        place: Of its first touch; of an empty window that of the touch before.
        touches: That begin in it.
    """

    first_frame: int
    frames: int
    side: str
    place: Place
    touches: int

    def span_ns(self, rate_hz: int) -> tuple[int, int]:
        """From its first frame to the frame after its last."""
        return frame_stamp_ns(self.first_frame, rate_hz), frame_stamp_ns(self.first_frame + self.frames, rate_hz)


def cut_windows(
    placed: Sequence[Placed],
    span_ns: tuple[int, int],
    rate_hz: int,
    settings: BuildSettings,
    rng: np.random.Generator,
) -> tuple[list[Cut], list[Cut], Counter[str]]:
    """Cut the windows of one recording.

    Args:
        placed: All touches, oldest first.
        span_ns: In which hands and sound are known.
        rate_hz: Of the grid of frames.
        settings: Lengths.
        rng: Draws how long before a touch its window begins.

    Returns:
        Windows with touches, windows without, and touches that are in none of them by reason.
    """
    full, empty, left_out = list[Cut](), list[Cut](), Counter[str]()
    runs = _runs(placed)
    for number, run in enumerate(runs):
        side = run[0].side
        if side is None:
            left_out[NO_SIDE] += len(run)
            continue
        low, high = span_ns
        low = quiet = max([low, *(cut.span_ns(rate_hz)[1] for cut in (*full[-1:], *empty[-1:]))])
        if number:
            before_ns = max(p.contact.end_ns for p in placed if p.contact.start_ns < run[0].contact.start_ns)
            low, quiet = max(low, before_ns + _ns(APART_S)), max(low, before_ns + _ns(RINGING_S))
        then_ns = runs[number + 1][0].contact.start_ns if number + 1 < len(runs) else high + _ns(LEAD_S[1])
        calm, high = min(high, then_ns - _ns(LEAD_S[1])), min(high, then_ns - _ns(BEFORE_S))
        left_out[AT_END] += sum(not _fits(p, span_ns) for p in run)
        left_out[NEAR_OTHER] += sum(_fits(p, span_ns) and not _fits(p, (low, high)) for p in run)
        usable = [p for p in run if _fits(p, (low, high))]
        cuts = list(_around(usable, then_ns, side, (low, high), rate_hz, settings, rng))
        left_out[NO_ROOM] += len(usable) - sum(cut.touches for cut in cuts)
        full += cuts
        empty += _between(run, cuts, side, (quiet, calm), rate_hz, settings)
    return full, empty, left_out


def _fits(touch: Placed, span_ns: tuple[int, int]) -> bool:
    return span_ns[0] + _ns(BEFORE_S) <= touch.contact.start_ns <= span_ns[1] - _ns(HEARD_S)


def _runs(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Touches that follow each other on one side."""
    runs: list[list[Placed]] = []
    for touch in placed:
        if not runs or runs[-1][-1].side != touch.side:
            runs.append([])
        runs[-1].append(touch)
    return runs


def _around(
    usable: Sequence[Placed],
    then_ns: int,
    side: str,
    span_ns: tuple[int, int],
    rate_hz: int,
    settings: BuildSettings,
    rng: np.random.Generator,
) -> Iterator[Cut]:
    """Windows with touches, one after the other; a touch of another side begins at `then_ns`."""
    (low, high), number = span_ns, 0
    while number < len(usable):
        left = usable[number:]
        begin, end = _ends([placed.contact for placed in left], then_ns, (low, high), rate_hz, settings, rng)
        count = sum(placed.contact.start_ns <= end - _ns(HEARD_S) for placed in left)
        cut = _cut(begin, end, rate_hz, side, left[0].place, count)
        if cut is None or count == 0:
            number += 1
            continue
        yield cut
        low, number = cut.span_ns(rate_hz)[1], number + count
        while number < len(usable) and usable[number].contact.start_ns < low + _ns(BEFORE_S):
            number += 1


def _ends(
    contacts: Sequence[Contact],
    then_ns: int,
    span_ns: tuple[int, int],
    rate_hz: int,
    settings: BuildSettings,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Begin and end of the window around the first of some touches and as many more as it can hold.

    It ends where all that is judged of its last touch is over and what is heard before the next one has not begun;
    best where its last touch has rung out, too. Where touches follow each other too soon for that, it ends just before
    one of which too little would be in it.

    Args:
        contacts: That are left, oldest first.
        then_ns: When the touch after these begins.
        span_ns: In which the window may be.
        rate_hz: Of the grid of frames.
        settings: Lengths.
        rng: Draws how long before touches their windows begin.
    """
    frame_ns = NANOSECONDS // rate_hz
    lead_ns, next_lead_ns = (_ns(seconds) for seconds in rng.uniform(*LEAD_S, 2))
    begin = max(span_ns[0], contacts[0].start_ns - lead_ns)
    latest = min(span_ns[1], begin + _ns(settings.window_s))
    following = [*(contact.start_ns for contact in contacts[1:]), then_ns]
    found: list[tuple[bool, int]] = []
    judged = rung = begin + _ns(SHORTEST_S) + 2 * frame_ns
    for contact, next_ns in zip(contacts, following, strict=True):
        judged = max(judged, contact.start_ns + _ns(HEARD_S) + frame_ns, contact.end_ns + frame_ns)
        rung = max(rung, judged, contact.end_ns + _ns(RANG_OUT_S))
        limit = min(latest, next_ns - _ns(LEAD_S[0]))
        if judged <= limit:
            found.append((rung <= limit, min(limit, max(rung, next_ns - next_lead_ns))))
    if found:
        return begin, max(found)[1]
    late = [c.start_ns - _ns(BEFORE_S) for c in contacts[1:] if latest - _ns(HEARD_S) < c.start_ns < latest]
    least = max(begin + _ns(SHORTEST_S), contacts[0].start_ns + _ns(HEARD_S))
    return begin, late[0] if late and late[0] >= least else latest


def _between(
    run: Sequence[Placed],
    cuts: Sequence[Cut],
    side: str,
    span_ns: tuple[int, int],
    rate_hz: int,
    settings: BuildSettings,
) -> Iterator[Cut]:
    """Windows in which nothing is touched."""
    taken = sorted(
        [(p.contact.start_ns - _ns(BEFORE_S), p.contact.end_ns + _ns(RINGING_S)) for p in run]
        + [cut.span_ns(rate_hz) for cut in cuts]
    )
    low = span_ns[0]
    for start, end in [*taken, (span_ns[1], span_ns[1])]:
        while start - low >= _ns(SHORTEST_S):
            before = [p.place for p in run if p.contact.start_ns <= low]
            stop = min(start, low + _ns(settings.window_s))
            cut = _cut(low, stop, rate_hz, side, before[-1] if before else run[0].place, 0)
            if cut is not None:
                yield cut
            low = stop
        low = max(low, end)


def _cut(begin_ns: int, end_ns: int, rate_hz: int, side: str, place: Place, touches: int) -> Cut | None:
    """Whole frames between two times; None if there are too few."""
    first = last_frame_before(begin_ns - 1, rate_hz) + 1
    frames = last_frame_before(end_ns, rate_hz) - first
    return Cut(first, frames, side, place, touches) if frames >= SHORTEST_S * rate_hz else None


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
