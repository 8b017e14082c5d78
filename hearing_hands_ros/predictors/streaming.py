"""Predict without end: motion in, sound out in pieces that join."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hearing_hands_ros.model.compact.conditions import Conditions, conditions_of
from hearing_hands_ros.model.compact.config import PATCH
from hearing_hands_ros.model.compact.generator import CompactGenerator, Sampling
from hearing_hands_ros.model.compact.streaming import MelStream
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.predictors.looks import Looks
from hearing_hands_ros.predictors.protocol import Contact, HandMotion
from hearing_hands_ros.sound.vocoder.protocol import Vocoder
from hearing_hands_ros.sound.vocoder.streaming import WaveStream

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StreamedSound:
    """The next piece of a stream; it will not change.

    Attributes:
        start_ns: Time of sample 0 and of mel frame 0: where the piece before ended, unless `anew` says otherwise.
        log_mel: (F, T).
        audio: (T * hop,).
        anew: Why a new stream begins with this piece; empty if it goes on.

    Raises:
        ValueError: Sound and spectrogram do not fit, or values are not finite.
    """

    start_ns: int
    log_mel: Array
    audio: Array
    anew: str

    def __post_init__(self) -> None:
        if self.log_mel.ndim != 2 or self.audio.ndim != 1 or self.audio.size % max(self.log_mel.shape[1], 1):
            raise ValueError(
                f"StreamedSound: wanted log_mel (F, T) and audio of as many hops, got {self.log_mel.shape} and "
                f"{self.audio.shape}"
            )
        for name in ("log_mel", "audio"):
            bad = int(np.count_nonzero(~np.isfinite(getattr(self, name))))
            if bad:
                raise ValueError(f"StreamedSound: {name} wanted finite values, got {bad} that are not")


@dataclass(frozen=True, eq=False)
class _Window:
    """What is known of the newest window.

    Attributes:
        first: Number of the token that it begins with.
        end: Number of the first token that may still change.
        last: Number of the mel frame that it ends before.
        conditions: Of all its tokens.
    """

    first: int
    end: int
    last: int
    conditions: Conditions


class Streamer:
    """Predicts what sliding windows of motion sound like, each moment once.

    The end of each piece is out `lag_s` after its motion, if every frame of motion is pushed, or a little later; its
    beginning was `chunk_s` earlier.

    Args:
        generator: Draws spectrograms.
        vocoder: Makes them heard.
        looks: Of the scene.
        chunk_s: Sound that is drawn at once.
        horizon_s: Motion that must be known beyond it.
        context_s: Sound before it, which it goes on from.
        seed: Another seed is another sound.
        sampling: Other than the checkpoint's.

    Raises:
        ValueError: A length is not possible, or the looks are not those that the generator knows.
    """

    def __init__(
        self,
        generator: CompactGenerator,
        vocoder: Vocoder,
        looks: Looks,
        chunk_s: float = 0.25,
        horizon_s: float = 0.25,
        context_s: float = 1.0,
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> None:
        dim = generator.network.config.feature_dim
        if looks.scene.shape[-1] != dim:
            raise ValueError(f"Streamer: looks wanted features of {dim} numbers, got {looks.scene.shape}")
        self._sequence = generator.sequence
        tokens = self._sequence.mel_rate_hz / PATCH
        chunk, horizon, context = (round(seconds * tokens) for seconds in (chunk_s, horizon_s, context_s))
        self._mel = MelStream(generator, max(chunk, 1), horizon, context, seed, sampling)
        self._wave = WaveStream(vocoder, self._sequence)
        self._looks = looks
        self._past: dict[tuple[int, int], tuple[Contact, Array]] = {}  # by hand and start
        self._anew = "the beginning"
        self._running = False
        self._window: _Window | None = None
        self._heard = 0  # mel frames since time 0 whose sound was given out

    @property
    def lag_s(self) -> float:
        """Least time from a motion to its sound."""
        return (PATCH * self._mel.horizon + self._wave.reach) * self._sequence.hop_s

    @property
    def waiting(self) -> int:
        """Pieces that `draw` can draw now."""
        return self._mel.ready(self._window.end) if self._window else 0

    @property
    def waiting_s(self) -> float:
        """Length of their sound."""
        return self.waiting * PATCH * self._mel.chunk * self._sequence.hop_s

    def push(self, motion: HandMotion) -> StreamedSound | None:
        """Take the newest window and draw all that can be drawn.

        Args:
            motion: Begins no later than the sound drawn so far ends; `context_s` earlier is best.

        Returns:
            What can be said now and was not before; None if that is nothing.
        """
        self.take(motion)
        return self.draw(self.waiting)

    def take(self, motion: HandMotion, from_ns: int = 0) -> None:
        """Take the newest window.

        A stream begins with the first frame of a valid hand. It begins anew when a window leaves a gap after the sound
        drawn so far or ends before it: what was not given out by then never is.

        Args:
            motion: As for `push`.
            from_ns: A stream that begins with this window begins no earlier.
        """
        last_ns = motion.start_ns + round((len(motion.valid) - 1) / motion.rate_hz * NANOSECONDS)
        first, end = self._token(motion.start_ns, up=True), self._token(last_ns)
        if self._running and (why := self._break(first, end)):
            self.stop(why)
        if not self._running:
            self._running = self._begin(motion, end, from_ns)
        if not self._running or end <= first:
            return
        motion, looks = self._with_past(motion)
        conditions = conditions_of(motion, looks, self._looks.scene, self._sequence, self._stamp_ns(PATCH * first))
        end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
        last = end_ns * self._sequence.sample_rate_hz // (self._sequence.hop * NANOSECONDS)
        self._window = _Window(first, end, min(last, PATCH * (first + len(conditions.hands))), conditions)

    def draw(self, pieces: int = 1) -> StreamedSound | None:
        """Draw the next pieces of what was taken.

        Args:
            pieces: So many, or as many as are `waiting`.

        Returns:
            What can be said now and was not before, which is the sound of earlier pieces; None if that is nothing.
        """
        if self._window is None:
            return None
        first, known = self._window.first, self._window.end - self._window.first
        return self._sound(*self._wave.push(self._mel.push(first, self._window.conditions.part(0, known), pieces)))

    def finish(self) -> StreamedSound | None:
        """Draw all that is left when no motion follows, up to the end of the newest window; a new stream comes next.

        Returns:
            What was not said before, whole mel frames; None if that is nothing.
        """
        window = self._window
        if window is None:
            return None
        parts = self._wave.push(self._mel.finish(window.first, window.conditions)), self._wave.finish()
        log_mel = np.concatenate([mel for mel, _ in parts], axis=1)[:, : window.last - self._heard]
        audio = np.concatenate([wave for _, wave in parts])[: log_mel.shape[1] * self._sequence.hop]
        sound = self._sound(log_mel, audio)
        self.stop("the one before was finished")
        return sound

    def stop(self, why: str) -> None:
        """End the stream; what was not given out never is.

        Args:
            why: The next one begins, for its `anew`.
        """
        self._running, self._window, self._anew = False, None, why

    def renewed(self, why: str) -> Streamer:
        """Another one with the same network and vocoder that shares no state with this one, which may hang.

        Args:
            why: Its stream begins, for its `anew`.
        """
        other = copy(self)
        other._mel, other._wave, other._past = copy(self._mel), copy(self._wave), {}
        other.stop(why)
        return other

    def _sound(self, log_mel: Array, audio: Array) -> StreamedSound | None:
        """The next piece, if there is anything in it."""
        if not audio.size:
            return None
        sound = StreamedSound(self._stamp_ns(self._heard), log_mel, audio, self._anew)
        self._heard += log_mel.shape[1]
        self._anew = ""
        return sound

    def _break(self, first: int, end: int) -> str:
        """Why a window of tokens `first` to `end` does not go on from what was drawn; empty if it does."""
        drawn = self._mel.next
        if first > drawn:
            return f"a gap of {(first - drawn) * PATCH * self._sequence.hop_s:.2f} s"
        if end < drawn:
            return f"time went back by {(drawn - end) * PATCH * self._sequence.hop_s:.2f} s"
        return ""

    def _begin(self, motion: HandMotion, end: int, from_ns: int) -> bool:
        """Begin with the first valid hand, if there is one before token `end`."""
        frames = np.flatnonzero(motion.valid.any(axis=1))
        if not frames.size:
            return False
        first_ns = motion.start_ns + round(frames[0] / motion.rate_hz * NANOSECONDS)
        token = self._token(max(first_ns, from_ns), up=True)
        if token >= end:
            return False
        self._mel.begin(token)
        self._wave.begin()
        self._past.clear()
        self._heard = PATCH * token
        return True

    def _with_past(self, motion: HandMotion) -> tuple[HandMotion, Array]:
        """The motion with each hand's last touch before it, and (C, D) looks of its touches.

        A touch is looked at once, when the hand that makes it is still in the window; what it was then, it stays.
        """
        left = {contact.hand: seen for seen in self._past.values() if (contact := seen[0]).end_ns < motion.start_ns}
        new = tuple(contact for contact in motion.contacts if (contact.hand, contact.start_ns) not in self._past)
        looked = dict(zip(new, self._looks.looks(replace(motion, contacts=new)), strict=True)) if new else {}
        here = [(c, looked[c] if c in looked else self._past[c.hand, c.start_ns][1]) for c in motion.contacts]
        seen = sorted([*left.values(), *here], key=lambda pair: pair[0].start_ns)
        self._past = {(contact.hand, contact.start_ns): (contact, look) for contact, look in seen}
        looks = np.array([look for _, look in seen], np.float32).reshape(len(seen), self._looks.scene.shape[-1])
        return replace(motion, contacts=tuple(contact for contact, _ in seen)), looks

    def _token(self, stamp_ns: int, up: bool = False) -> int:
        """Number of the token that a time lies in, or with `up` of the first that begins then or later."""
        samples, token = stamp_ns * self._sequence.sample_rate_hz, PATCH * self._sequence.hop * NANOSECONDS
        return -(-samples // token) if up else samples // token

    def _stamp_ns(self, frame: int) -> int:
        """When a mel frame begins."""
        return frame * self._sequence.hop * NANOSECONDS // self._sequence.sample_rate_hz
