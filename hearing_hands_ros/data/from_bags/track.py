"""A piece of a recording as a dataset wants it: hands at 30 Hz, sound at 16 kHz, touches, and where something is wrong.

Pieces are read on their own, so that a long recording is read by many processes and fits into little memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.data.from_bags.sound_line import SoundLine, SoundLineMaker
from hearing_hands_ros.motion.hands import HANDS, KEYPOINTS
from hearing_hands_ros.motion.window import NANOSECONDS, frame_stamp_ns, last_frame_before
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.replay.recording import Moment, Recording
from hearing_hands_ros.whole_file import whole_folder

PIECE_S = 240.0
SETTLE_S = 8.0
"""Read before a piece, so that touches and time base are those of the whole recording."""

AROUND_S = 1.0
"""So near to a fault nothing is trusted."""

CLIPPED, CLOCK = "clipped sound", "clock trouble"


@dataclass(frozen=True)
class Piece:
    """What is read at once: touches that begin and windows that begin from `start_ns` up to before `stop_ns`."""

    start_ns: int
    stop_ns: int


@dataclass(frozen=True)
class Fault:
    """A time in which something is wrong with hands or sound, and what."""

    start_ns: int
    end_ns: int
    what: str


@dataclass(frozen=True, eq=False)
class Track:
    """What was found in a piece; its frames and sound reach as far as the longest window that begins in it.

    Attributes:
        first_frame: Number of frame 0 on the grid.
        rate_hz: Of the frames.
        keypoints: (T, 2, 21, 3) float32, m, scene frame; NaN where invalid.
        valid: (T, 2) bool.
        sound: At the time at which it sounded: the microphone's lag is taken out.
        touches: Those that begin in the piece, oldest first.
        faults: Where the sound is clipped or a clock is wrong.
        rates_hz: Of the microphone.
        trouble: Why no hand was followed; empty if one was.
        warnings: What speaks against using it, a sentence each.
        counts: What was read, and what of it was no good.
    """

    first_frame: int
    rate_hz: int
    keypoints: NDArray[np.float32]
    valid: NDArray[np.bool_]
    sound: SoundLine
    touches: tuple[Contact, ...]
    faults: tuple[Fault, ...]
    rates_hz: tuple[int, ...]
    trouble: str
    warnings: tuple[str, ...]
    counts: dict[str, int]

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        document = {
            "first_frame": self.first_frame,
            "rate_hz": self.rate_hz,
            "sample_rate_hz": self.sound.sample_rate_hz,
            "touches": [asdict(touch) for touch in self.touches],
            "faults": [asdict(fault) for fault in self.faults],
            "rates_hz": self.rates_hz,
            "trouble": self.trouble,
            "warnings": self.warnings,
            "counts": self.counts,
        }
        with whole_folder(folder) as draft:
            for name, array in self._arrays().items():
                np.save(draft / f"{name}.npy", array)
            (draft / "track.json").write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Track:
        """Open what `save` wrote; of hands and sound only what is looked at is read."""
        document = json.loads((folder / "track.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("keypoints", "valid", "samples")}
        return cls(
            document["first_frame"],
            document["rate_hz"],
            arrays["keypoints"],
            arrays["valid"],
            SoundLine(document["sample_rate_hz"], arrays["samples"], np.load(folder / "marks.npy")),
            tuple(_contact(touch) for touch in document["touches"]),
            tuple(Fault(**fault) for fault in document["faults"]),
            tuple(document["rates_hz"]),
            document["trouble"],
            tuple(document["warnings"]),
            document["counts"],
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "keypoints": self.keypoints,
            "valid": self.valid,
            "samples": self.sound.samples,
            "marks": self.sound.marks,
        }


def _contact(touch: dict[str, Any]) -> Contact:
    return Contact(**{**touch, "position_m": tuple(touch["position_m"]), "normal": tuple(touch["normal"])})


def pieces(start_ns: int, end_ns: int) -> list[Piece]:
    """Divide a recording; the same pieces however many processes there are."""
    step = round(PIECE_S * NANOSECONDS)
    starts = range(start_ns, end_ns + 1, step)
    return [Piece(start, min(start + step, end_ns + 1)) for start in starts]


def read_track(
    recording: Recording,
    piece: Piece,
    window_s: float,
    lag_s: float,
    sample_rate_hz: int,
    tell: Callable[[float], object] = lambda _: None,
) -> Track:
    """Read a piece of a recording.

    Args:
        recording: Just opened.
        piece: Of it.
        window_s: Longest window.
        lag_s: How late its microphone hears.
        sample_rate_hz: Of the sound that is wanted.
        tell: Told the share that is done.

    Raises:
        ValueError: The recording breaks off.
    """
    rate_hz = recording.hands.follower.settings.tracker.rate_hz
    window_ns, settle_ns = round(window_s * NANOSECONDS), round(SETTLE_S * NANOSECONDS)
    lag_ns = round(lag_s * NANOSECONDS)
    reader = _Reader(recording, piece, window_ns, rate_hz, SoundLineMaker(sample_rate_hz, lag_ns), lag_ns)
    # The sound of the last window is that much late; so may messages be.
    end_ns = piece.stop_ns + window_ns + settle_ns + max(lag_ns, 0)
    for moment in recording.moments(tell, (piece.start_ns - settle_ns, end_ns)):
        reader.take(moment)
    return reader.track()


class _Reader:
    """Gathers what the moments of a piece bring."""

    def __init__(
        self, recording: Recording, piece: Piece, window_ns: int, rate_hz: int, sound: SoundLineMaker, lag_ns: int
    ) -> None:
        self._recording, self._piece, self._rate_hz = recording, piece, rate_hz
        self._sound, self._lag_ns = sound, lag_ns
        self._first = last_frame_before(piece.start_ns, rate_hz)
        count = last_frame_before(piece.stop_ns + window_ns, rate_hz) + 2 - self._first
        self._keypoints = np.full((count, len(HANDS), KEYPOINTS, 3), np.nan, np.float32)
        self._valid = np.zeros((count, len(HANDS)), np.bool_)
        self._touches: dict[tuple[int, int], Contact] = {}
        self._faults: list[Fault] = []
        self._rates: Counter[int] = Counter()
        self._clock = 0

    def take(self, moment: Moment) -> None:
        """Take what is new."""
        heard, follower = self._recording.sound.monitor.counts, self._recording.hands.follower
        wrong = (heard.backwards, heard.clock_jumps, heard.future, heard.late, follower.counts["clock_jumps"])
        jumped = sum(wrong) > self._clock
        self._clock = sum(wrong)
        self._sound.take(moment.sound, jumped)
        if jumped:
            self._fault(moment.now_ns, moment.now_ns, CLOCK)
        for block in moment.sound:
            self._rates[block.sample_rate_hz] += 1
            assert block.stamp_ns is not None  # noqa: S101  (the monitor stamps every block)
            begin_ns = block.stamp_ns - self._lag_ns
            if jumped:
                self._fault(begin_ns, begin_ns + block.duration_ns, CLOCK)
            if np.abs(block.data).max() >= self._recording.sound.monitor.limits.clip_level:
                self._faults.append(Fault(begin_ns, begin_ns + block.duration_ns, CLIPPED))
        for seen in moment.hands:
            self._see(seen.motion)

    def track(self) -> Track:
        """What was gathered."""
        start_ns, stop_ns = self._piece.start_ns, self._piece.stop_ns
        touches = [touch for touch in self._touches.values() if start_ns <= touch.start_ns < stop_ns]
        counts = self._recording.sound.monitor.counts
        return Track(
            self._first,
            self._rate_hz,
            self._keypoints,
            self._valid,
            self._sound.line(),
            tuple(sorted(touches, key=lambda touch: touch.start_ns)),
            tuple(self._faults),
            tuple(sorted(self._rates)),
            self._recording.hands.trouble(),
            tuple(self._recording.warnings),
            {
                "frames": int(np.count_nonzero(self._valid.any(axis=1))),
                "lost_samples": counts.lost_frames,
                "refused_messages": counts.refused,
                "malformed_messages": self._recording.hands.counts["malformed"],
            },
        )

    def _fault(self, start_ns: int, end_ns: int, what: str) -> None:
        around = round(AROUND_S * NANOSECONDS)
        self._faults.append(Fault(start_ns - around, end_ns + around, what))

    def _see(self, motion: HandMotion) -> None:
        first = round(motion.start_ns * self._rate_hz / NANOSECONDS) - self._first
        assert frame_stamp_ns(first + self._first, self._rate_hz) == motion.start_ns  # noqa: S101  (on the grid)
        low, high = max(first, 0), min(first + len(motion.valid), len(self._valid))
        if low < high:
            self._keypoints[low:high] = motion.keypoints[low - first : high - first]
            self._valid[low:high] = motion.valid[low - first : high - first]
        self._touches |= {(touch.contact_id, touch.start_ns): touch for touch in motion.contacts}
