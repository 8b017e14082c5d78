"""One recording, read: its touches, and windows of its hands and sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.from_bags.track import CLIPPED, Fault, Piece, Track
from hearing_hands_ros.data.from_bags.windows import Cut
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sequence import SequenceConfig

LOST, SILENT, NO_HAND = "sound lost", "silent", "no hand"
LEAST_HAND = 0.5
"""In this share of the frames of a window a hand is seen."""


@dataclass(frozen=True)
class Recorded:
    """What was read of a recording.

    Attributes:
        name: Once in the dataset.
        pieces: Of it.
        folders: Where the track of each piece is.
    """

    name: str
    pieces: Sequence[Piece]
    folders: Sequence[Path]

    @cached_property
    def tracks(self) -> tuple[Track, ...]:
        """Of the pieces."""
        return tuple(Track.load(folder) for folder in self.folders)

    @cached_property
    def touches(self) -> tuple[Contact, ...]:
        """All of them, oldest first."""
        return tuple(sorted(chain.from_iterable(t.touches for t in self.tracks), key=lambda touch: touch.start_ns))

    @property
    def rate_hz(self) -> int:
        """Of the frames."""
        return self.tracks[0].rate_hz

    def span_ns(self) -> tuple[int, int]:
        """From where on and up to where hands and sound are known; of no length if they never are."""
        hands = [
            frame_stamp_ns(track.first_frame + int(frame), self.rate_hz)
            for track in self.tracks
            if track.valid.any()
            for frame in np.flatnonzero(track.valid.any(axis=1))[[0, -1]]
        ]
        sounds = [stamp for track in self.tracks for stamp in track.sound.span_ns() or ()]
        if not hands or not sounds:
            return self.pieces[0].start_ns, self.pieces[0].start_ns
        return max(min(hands), min(sounds)), min(max(hands), max(sounds))

    def motion(self, cut: Cut) -> HandMotion:
        """Hands and touches of a window; its first frame is at time 0."""
        track = self._track(cut)
        begin_ns, end_ns = cut.span_ns(self.rate_hz)
        low = cut.first_frame - track.first_frame
        contacts = tuple(
            replace(touch, start_ns=touch.start_ns - begin_ns, end_ns=touch.end_ns - begin_ns, contact_id=0)
            for touch in self.touches
            if touch.start_ns < end_ns and touch.end_ns > begin_ns
        )
        keypoints = np.array(track.keypoints[low : low + cut.frames])
        valid = np.array(track.valid[low : low + cut.frames])
        return HandMotion(0, float(self.rate_hz), keypoints, valid, contacts)

    def sound(self, cut: Cut, sequence: SequenceConfig) -> NDArray[np.float32] | None:
        """(L,) what was heard in a window; None if some of it was lost."""
        track = self._track(cut)
        return track.sound.cut(cut.span_ns(self.rate_hz)[0], sequence.samples(cut.frames / self.rate_hz))

    def fault(self, cut: Cut, sequence: SequenceConfig, silence: float) -> str:
        """Why a window is no good; empty if it is.

        Args:
            cut: The window.
            sequence: Rates of the dataset.
            silence: RMS below which it is silent.
        """
        begin_ns, end_ns = cut.span_ns(self.rate_hz)
        faults = sorted(f.what for f in self._faults(cut) if f.start_ns < end_ns and f.end_ns > begin_ns)
        if faults:
            return faults[0]
        wave = self.sound(cut, sequence)
        if wave is None:
            return LOST
        if np.abs(wave).max() > 1.0:
            return CLIPPED
        if np.std(wave, dtype=np.float64) < silence:
            return SILENT
        return NO_HAND if self.motion(cut).valid.any(axis=1).mean() < LEAST_HAND else ""

    def _track(self, cut: Cut) -> Track:
        begin_ns = frame_stamp_ns(cut.first_frame, self.rate_hz)
        starts = [piece.start_ns for piece in self.pieces]
        return self.tracks[max(int(np.searchsorted(starts, begin_ns, "right")) - 1, 0)]

    def _faults(self, cut: Cut) -> Iterable[Fault]:
        return self._track(cut).faults


def seconds_of(cut: Cut, rate_hz: int) -> float:
    """Length of a window."""
    begin_ns, end_ns = cut.span_ns(rate_hz)
    return (end_ns - begin_ns) / NANOSECONDS
