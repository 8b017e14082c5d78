"""Makes one checked stream of a source's blocks: gaps filled, faults counted, a state that an operator can read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.sound.capture.block import Block
from hearing_hands_ros.sound.capture.clock_map import ClockMap
from hearing_hands_ros.sound.capture.continuity import Continuity
from hearing_hands_ros.sound.capture.flood import MOST_SPEED, FloodGate
from hearing_hands_ros.sound.capture.level import LevelMeter, dbfs

NO_SOUND_AFTER_S = 1.0
LONGEST_FILL_S = 1.0
LARGEST_SAMPLE = 100.0  # full scale is 1: beyond this it is no sound, but bytes of another format
ZEROS_AFTER_S = 1.0  # no room is so quiet that a converter gives exact zeros for longer


@dataclass(frozen=True)
class Limits:
    """What is still good sound; as the node's parameters of the same names."""

    gap_tolerance_s: float = 0.01
    clip_level: float = 0.999
    silence_dbfs: float = -90.0
    silence_after_s: float = 10.0
    clock_tolerance_s: float = 1.0
    warn_hold_s: float = 5.0


@dataclass
class Counts:
    """What happened since the node was activated."""

    blocks: int = 0
    frames: int = 0
    lost_frames: int = 0
    gaps: int = 0
    overruns: int = 0
    restarts: int = 0
    backwards: int = 0
    clock_jumps: int = 0
    format_changes: int = 0
    refused: int = 0
    flooded: int = 0
    nan_frames: int = 0
    clipped_samples: int = 0
    future: int = 0
    late: int = 0


class Level(IntEnum):
    """How a stream is, worst last; the numbers of diagnostic_msgs."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Health:
    """State of the stream: how bad, which faults, and one line about them."""

    level: Level
    faults: tuple[str, ...]
    text: str


@dataclass
class StreamMonitor:
    """Takes blocks, returns blocks without gaps, numbered from 0 at each restart.

    Times named `steady_s` are of a clock that never jumps; it times what the operator sees, never the sound.
    """

    limits: Limits
    opened_s: float
    counts: Counts = field(default_factory=Counts)
    sample_rate_hz: int = 0
    channels: int = 0

    def __post_init__(self) -> None:
        self._continuity = Continuity(self.limits.gap_tolerance_s)
        self._meter: LevelMeter | None = None
        # From sound to the node's clock: makes the stamps of sound that has none, and judges the others'.
        self.clock = ClockMap(step_s=self.limits.gap_tolerance_s, confirm_s=1.0)
        self._gate = FloodGate()
        self._arrived_frames = 0
        self._next_frame = 0
        self._last_s: float | None = None
        self._zero_frames = 0
        self._passing: dict[str, tuple[float, str]] = {}

    def hear(self, block: Block, now_ns: int, steady_s: float) -> list[Block]:
        """Check a block and return what is to be published for it, gaps before it filled with marked silence.

        A block that is no sound is refused; nothing is published for it. Zeros for longer than `ZEROS_AFTER_S` are
        marked as lost: nobody listened.
        """
        if not self._gate.admits(block.frames / block.sample_rate_hz, now_ns, steady_s):
            self.counts.flooded += 1
            self._note(
                "flood", f"sound comes at over {MOST_SPEED:g} times real time: what is too much is refused", steady_s
            )
            return []
        if block.lost is not None and block.lost.any():
            self._note(
                "lost", f"the sender marked {np.count_nonzero(block.lost)} frames of a message as lost", steady_s
            )
        block = self._without_nan(block, steady_s)
        largest = max(float(block.data.max()), -float(block.data.min()))
        if largest > LARGEST_SAMPLE:
            self.refuse(
                f"wanted samples in [-1, 1], got one of {largest:.3g}: are they of the format they claim?", steady_s
            )
            return []
        if largest == 0:
            block = self._without_zeros(block, steady_s)
        else:
            self._zero_frames = 0
        stamp_ns = self._stamp(block, now_ns, steady_s)
        self._check_clock(stamp_ns, block, now_ns, steady_s)
        ready = self._fill_or_restart(block, stamp_ns, steady_s)
        if block.overrun:
            self.counts.overruns += 1
            self._note("overrun", "the driver lost sound (overrun): is the processor overloaded?", steady_s)
        if block.lost is None or not block.lost.all():
            self._measure(block, steady_s)
        if block.stamp_ns is not None:
            self.clock.update(self._next_frame / block.sample_rate_hz, stamp_ns)
        ready.append(replace(block, stamp_ns=stamp_ns, first_frame=self._next_frame))
        self._next_frame += block.frames
        self.counts.blocks += 1
        self.counts.frames += block.frames
        self.counts.lost_frames += 0 if block.lost is None else int(np.count_nonzero(block.lost))
        self._last_s = steady_s
        return ready

    def refuse(self, reason: str, steady_s: float) -> None:
        """Count a message that is no sound."""
        self.counts.refused += 1
        self._note("refused", reason, steady_s)

    def reopened(self, steady_s: float) -> None:
        """The source was opened again: its next block begins a new stream."""
        self.counts.restarts += 1
        self._continuity.forget()
        self.clock.begin_anew()
        self._next_frame = 0
        self.opened_s, self._last_s = steady_s, None

    def silent_for_s(self, steady_s: float) -> float:
        """Time since sound came, or since the source was opened."""
        return steady_s - (self.opened_s if self._last_s is None else self._last_s)

    def health(self, steady_s: float, trouble: str = "", *, ended: bool = False) -> Health:
        """Return the state of the stream; OK only while good sound flows.

        Args:
            steady_s: Now.
            trouble: What the source says about itself.
            ended: There is no more sound, and none is expected.
        """
        passing = {
            kind: text
            for kind, (since_s, text) in self._passing.items()
            if steady_s - since_s < self.limits.warn_hold_s
        }
        quiet_s = self.silent_for_s(steady_s)
        if ended and quiet_s > NO_SOUND_AFTER_S:
            return Health(Level.WARN, ("ended",), trouble or "the source has ended")
        if quiet_s > NO_SOUND_AFTER_S:
            ever = "" if self._last_s is not None else " since it was opened"
            texts = [f"no sound for {quiet_s:.0f} s{ever}", trouble, passing.get("refused", "")]
            return Health(Level.ERROR, ("no sound",), "; ".join(text for text in texts if text))
        if self._last_s is None:
            return Health(Level.WARN, ("waiting",), "waiting for the first sound")
        faults = dict(passing)
        if trouble:
            faults["source"] = trouble
        if self._meter is not None and (silent := self._meter.silent_channels(self.limits.silence_after_s)):
            what = "flat line (muted, or a cable?)" if self._meter.is_flat else "silence"
            which = "" if len(silent) == self.channels else f" on channel {', '.join(map(str, silent))}"
            faults["silence"] = (
                f"{what}{which} for over {self.limits.silence_after_s:g} s: RMS under {self.limits.silence_dbfs:g} dBFS"
            )
        if faults:
            return Health(Level.WARN, tuple(sorted(faults)), "; ".join(faults.values()))
        return Health(Level.OK, (), f"good sound, {self.sample_rate_hz} Hz, channels: {self.channels}")

    @property
    def peak_dbfs(self) -> float:
        """Peak of the last block."""
        return dbfs(self._meter.peak) if self._meter else dbfs(0)

    @property
    def rms_dbfs(self) -> float:
        """RMS of the last block's loudest channel."""
        return dbfs(float(self._meter.rms.max())) if self._meter else dbfs(0)

    def _note(self, kind: str, text: str, steady_s: float) -> None:
        self._passing[kind] = (steady_s, text)

    def _without_nan(self, block: Block, steady_s: float) -> Block:
        if math.isfinite(np.dot(block.data, block.data)):  # one pass, nothing allocated
            return block
        finite = np.isfinite(block.data)
        if finite.all():
            return block
        bad: NDArray[np.bool_] = np.logical_not(finite.reshape(-1, block.channels).all(axis=1))
        wave = block.data.reshape(-1, block.channels).copy()
        wave[bad] = 0
        self.counts.nan_frames += int(np.count_nonzero(bad))
        self._note(
            "nan",
            f"wanted finite samples, got {np.count_nonzero(bad)} frames with NaN or infinity: now silence",
            steady_s,
        )
        return replace(block, data=wave.reshape(-1), lost=bad if block.lost is None else np.logical_or(bad, block.lost))

    def _without_zeros(self, block: Block, steady_s: float) -> Block:
        """Mark a block of zeros as lost once they have lasted for too long to be a quiet room."""
        self._zero_frames += block.frames
        if self._zero_frames <= ZEROS_AFTER_S * block.sample_rate_hz or (block.lost is not None and block.lost.all()):
            return block
        self._note(
            "zeros", f"silent (exact zeros) for over {ZEROS_AFTER_S:g} s: muted, or a cable? marked as lost", steady_s
        )
        return replace(block, lost=np.ones(block.frames, np.bool_))

    def _stamp(self, block: Block, now_ns: int, steady_s: float) -> int:
        """Return the block's stamp, or where it has none, its arrival less its duration with the jitter taken out."""
        if block.sample_rate_hz != self.sample_rate_hz:
            self._arrived_frames = 0
            self.clock.reset()
        if block.stamp_ns is not None:
            return block.stamp_ns
        if self._last_s is not None and steady_s - self._last_s > LONGEST_FILL_S:
            self.clock.begin_anew()
        begin_s = self._arrived_frames / block.sample_rate_hz
        self._arrived_frames += block.frames
        self.clock.update(begin_s, now_ns - block.duration_ns)
        return self.clock.to_ns(begin_s)

    def _check_clock(self, stamp_ns: int, block: Block, now_ns: int, steady_s: float) -> None:
        ahead_s = (stamp_ns - now_ns) * 1e-9
        behind_s = -ahead_s - block.duration_ns * 1e-9
        cure = "are the machines' clocks synchronised, and is use_sim_time the same everywhere?"
        if ahead_s > self.limits.clock_tolerance_s:
            self.counts.future += 1
            self._note("future", f"stamps are {ahead_s:.3g} s ahead of this node's clock: {cure}", steady_s)
        elif behind_s > self.limits.clock_tolerance_s:
            self.counts.late += 1
            self._note("late", f"stamps are {behind_s:.3g} s behind this node's clock: {cure}", steady_s)

    def _fill_or_restart(self, block: Block, stamp_ns: int, steady_s: float) -> list[Block]:
        step = self._continuity.follow(block, stamp_ns)
        if self._meter is None or step.format_changed:
            if step.format_changed:
                self.counts.format_changes += 1
                self._restart()
                was = f"{self.sample_rate_hz} Hz, channels: {self.channels}"
                now = f"{block.sample_rate_hz} Hz, channels: {block.channels}"
                self._note("format", f"the format changed from {was} to {now}", steady_s)
            self.sample_rate_hz, self.channels = block.sample_rate_hz, block.channels
            limits = self.limits
            self._meter = LevelMeter(block.channels, block.sample_rate_hz, limits.clip_level, limits.silence_dbfs)
            return []
        seconds = step.missing / block.sample_rate_hz or step.jumped_s
        if seconds < 0:
            self.counts.backwards += 1
            self._restart()
            self._note("backwards", f"time went back by {-seconds:.3g} s, or sound came twice: started anew", steady_s)
            return []
        if step.jumped_s:
            self.counts.clock_jumps += 1
            self._restart()
            self._note("clock jump", f"time jumped ahead by {seconds:.3g} s, no sound missing: started anew", steady_s)
            return []
        if step.missing == 0:
            return []
        self.counts.gaps += 1
        self.counts.lost_frames += step.missing
        self._note("gap", f"{seconds:.3g} s of sound missing", steady_s)
        if seconds >= LONGEST_FILL_S:
            self._restart()
            return []
        fill = _silence(block, step.missing, stamp_ns - round(seconds * block.speed * 1e9), self._next_frame)
        self._next_frame += step.missing
        return [fill]

    def _restart(self) -> None:
        self.counts.restarts += 1
        self._next_frame = 0

    def _measure(self, block: Block, steady_s: float) -> None:
        assert self._meter is not None  # noqa: S101  (made with the first block)
        clipped = self._meter.measure(block.data)
        if clipped:
            self.counts.clipped_samples += clipped
            self._note(
                "clipping", f"clipping at {self.limits.clip_level:g} of full scale: turn the gain down", steady_s
            )


def _silence(like: Block, frames: int, stamp_ns: int, first_frame: int) -> Block:
    data: NDArray[np.float32] = np.zeros(frames * like.channels, np.float32)
    lost: NDArray[np.bool_] = np.ones(frames, bool)
    return replace(like, data=data, lost=lost, stamp_ns=stamp_ns, first_frame=first_frame, overrun=False)
