"""A recording in the order in which the running graph would get it: sound and hands, moment by moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hearing_hands_ros.motion.contact import Surface
from hearing_hands_ros.motion.follower import FollowerSettings
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.replay.hands import RecordedHands, SeenHands
from hearing_hands_ros.replay.recorded_bag import RecordedBag
from hearing_hands_ros.replay.sound import RecordedSound, SoundSettings
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.sound.capture.block import Block

MOMENTS_HZ = 60
"""As often as the tracker of the running graph looks."""

TAIL_S = 3.0
"""Time goes on for so long after the last message, so that what waits is judged; as the player's clock does."""

LONGEST_GAP_S = 60.0
"""A recording that is silent for longer (it was paused, or a stamp is damaged) goes on at once."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What is new at a time.

    Attributes:
        now_ns: Of the recording.
        sound: Heard since the moment before; all blocks are stamped.
        hands: Windows that are due.
    """

    now_ns: int
    sound: tuple[Block, ...]
    hands: tuple[SeenHands, ...]


class Recording:
    """A bag that is open for one pass; a context manager.

    Args:
        path: The bag.
        bundle: The scene that was touched.
        surface: Of it.
        hands: Which hands are followed.
        sound: Which topic is listened to.

    Raises:
        ValueError: The bag cannot be read, or has no TF or no sound.
    """

    def __init__(
        self, path: Path, bundle: SceneBundle, surface: Surface, hands: FollowerSettings, sound: SoundSettings
    ) -> None:
        self._bag = RecordedBag(path)
        try:
            self.hands = RecordedHands(self._bag, bundle, surface, hands)
            self.sound = RecordedSound(self._bag, sound)
        except ValueError:
            self._bag.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bag.close()

    @property
    def begin_ns(self) -> int:
        """Time of the first message."""
        return self._bag.start_ns

    @property
    def seconds(self) -> float:
        """Length of the bag."""
        return self._bag.seconds

    def __str__(self) -> str:
        """What was found in it so far, for people."""
        heard, counts = self.sound.monitor.counts, self.hands.follower.counts
        seen = counts["frames"] - counts["invalid_frames"]
        frames = min(counts["frames"], round(self.seconds * self.hands.follower.settings.tracker.rate_hz))
        texts = [f"{counts['touches']} touches; a hand in {seen} of {frames} frames"]
        if trouble := self.hands.trouble():
            texts.append(trouble)
        texts.append(f"{heard.frames} samples in {heard.blocks} blocks of sound, {heard.lost_frames} samples lost")
        if heard.refused:
            texts.append(f"{heard.refused} messages refused: {self.sound.refused}")
        return f"bag '{self._bag.path}': {'; '.join([*texts, *self.warnings])}"

    @property
    def warnings(self) -> list[str]:
        """What was found so far that speaks against using the recording, a sentence each; mostly empty."""
        texts = [*self._bag.remarks, self.sound.clock_trouble, self.hands.scene.doubt]
        swaps = self.hands.swaps
        if swaps.first_ns is not None:
            texts.append(f"{swaps} (first after {(swaps.first_ns - self.begin_ns) / NANOSECONDS:.1f} s)")
        if jumps := self.hands.follower.counts["clock_jumps"]:
            texts.append(f"time jumped {jumps} times")
        return [text for text in texts if text]

    def moments(
        self, tell: Callable[[float], object] = lambda _: None, span: tuple[int, int] | None = None
    ) -> Iterator[Moment]:
        """Yield 60 moments a second, up to `TAIL_S` after the end; never more than one is in memory.

        Args:
            tell: Told the share of the recording that is done.
            span: Times from which on and before which messages count, ns, instead of all; those that are latched count
                from the beginning.

        Raises:
            ValueError: The recording breaks off.
        """
        step_ns = NANOSECONDS // MOMENTS_HZ
        start_ns, end_ns = (self._bag.start_ns, self._bag.end_ns) if span is None else (span[0], span[1] - 1)
        now_ns, heard = start_ns, list[Block]()
        of_hands = {connection.id for connection in self.hands.connections}

        def until(stamp_ns: int) -> Iterator[Moment]:
            nonlocal now_ns, heard
            if stamp_ns - now_ns > LONGEST_GAP_S * NANOSECONDS:
                now_ns = stamp_ns - step_ns
            while now_ns + step_ns <= stamp_ns:
                now_ns += step_ns
                blocks, heard = tuple(heard), []
                for block in blocks:
                    self.hands.scene.hear(block)
                yield Moment(now_ns, blocks, tuple(self.hands.advance(now_ns)))
                tell(min(1.0, (now_ns - start_ns) / max(1, end_ns - start_ns)))

        latched = [*self.hands.latched, *self.sound.latched]
        for connection, stamp_ns, raw in self._bag.messages(latched, stop_ns=start_ns):
            if connection.id in of_hands:
                self.hands.take(connection, raw)
            else:
                self.sound.take(connection, stamp_ns, raw)
        wanted = [*self.hands.connections, *self.sound.connections]
        for connection, stamp_ns, raw in self._bag.messages(wanted, start_ns, end_ns + 1):
            yield from until(stamp_ns)
            if connection.id in of_hands:
                self.hands.take(connection, raw)
            else:
                heard += self.sound.take(connection, stamp_ns, raw)
        yield from until(max(now_ns, end_ns) + round(TAIL_S * NANOSECONDS))
        self.hands.scene.finish(now_ns)
