"""Predicted sound without end as messages; drawn piece by piece away from the executor's thread."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, MelSpectrogram
from hearing_hands_ros.predictors.protocol import HandMotion
from hearing_hands_ros.predictors.worker import HangsError
from hearing_hands_ros.ros.predict_sound_server import error_text
from hearing_hands_ros.ros.sound_messages import audio_message, mel_message
from hearing_hands_ros.sequence import SequenceConfig

if TYPE_CHECKING:
    from hearing_hands_ros.predictors.streaming import StreamedSound, Streamer

Submit = Callable[..., "Future[_Step] | None"]

BEGINS_S = 0.5  # a stream begins with motion no older than this: it is for now
BEHIND_S = 2.0  # sound that could be drawn and is not; beyond that the stream begins anew


@dataclass(frozen=True)
class _Step:
    """What came of one piece of work.

    Attributes:
        sound: To be published, if any.
        frame_id: Of the hands that it comes from.
        goes_on: Whether another piece can be drawn at once.
        dropped: Pieces that were dropped because the stream fell behind.
    """

    sound: StreamedSound | None
    frame_id: str
    goes_on: bool
    dropped: int


class PredictedStream:
    """Publishes `predicted/stream` and `predicted/stream/spectrogram`.

    A quarter of a second of sound is one piece of work for the worker thread, and the next one goes to the end of its
    queue: a touch waits for one at most. Only the newest window waits to be looked at; it holds the older ones.

    Args:
        node: That publishes.
        streamer: Draws the sound.
        sequence: Rates of what it draws.
        submit: `submit(work)` puts work at the end of the worker thread's queue; returns None while the node is not
            active.
        fail: Is told of errors.
    """

    def __init__(
        self, node: Any, streamer: Streamer, sequence: SequenceConfig, submit: Submit, fail: Callable[[str], None]
    ) -> None:
        self._node, self._streamer, self._sequence = node, streamer, sequence
        self._submit, self._fail = submit, fail
        self._audio = node.create_lifecycle_publisher(Audio, "predicted/stream", 10)
        self._spectrogram = node.create_lifecycle_publisher(MelSpectrogram, "predicted/stream/spectrogram", 10)
        self._lock = Lock()  # between "is there more to do?" and what follows from that
        self._newest: HandMotion | None = None
        self._frame_id = ""
        self._is_busy = False
        self._samples = 0  # published since the stream began
        self._counts: Counter[str] = Counter()
        self._lags_s: deque[float] = deque(maxlen=200)
        self._warning = ""

    def push(self, motion: HandMotion, frame_id: str) -> None:
        """Take the newest window."""
        with self._lock:
            self._newest, self._frame_id = motion, frame_id
            if self._is_busy:
                return
            self._is_busy = True
        self._go_on()

    def end(self, why: str) -> None:
        """End the stream, which a next window begins anew; the worker must have stopped."""
        self._newest, self._is_busy = None, False
        self._streamer.stop(why)

    def close(self) -> None:
        """Take the topics away."""
        self._node.destroy_lifecycle_publisher(self._audio)
        self._node.destroy_lifecycle_publisher(self._spectrogram)

    def status(self, status: Any) -> str:
        """Add values to a diagnostic status; return what is to be warned of, each thing once."""
        for name in ("stream_pieces", "streams_begun", "stream_fell_behind", "stream_pieces_dropped", "stream_failed"):
            status.add(name, self._counts[name])
        if self._lags_s:
            status.add("stream_lag_p95_s", f"{np.percentile(self._lags_s, 95):.3f}")
        warning, self._warning = self._warning, ""
        return warning

    def _go_on(self) -> None:
        future = self._submit(self._step)
        if future is None:
            self._is_busy = False
        else:
            future.add_done_callback(self._on_done)

    def _step(self) -> _Step:
        """Look at the newest window and draw one piece; on the worker thread."""
        streamer, dropped = self._streamer, 0
        with self._lock:
            motion, self._newest = self._newest, None
        if motion is not None:
            from_ns = motion.start_ns + round((motion.duration_s - BEGINS_S) * NANOSECONDS)
            streamer.take(motion, from_ns)
            if (behind_s := streamer.waiting_s) > BEHIND_S:
                dropped = streamer.waiting
                streamer.stop(f"it fell {behind_s:.1f} s behind")
                streamer.take(motion, from_ns)
        sound = streamer.draw()
        return _Step(sound, self._frame_id, streamer.waiting > 0, dropped)

    def _on_done(self, future: Future[_Step]) -> None:
        """Publish, and go on while there is something to go on with."""
        if future.cancelled():
            return
        goes_on = False
        try:
            step = future.result()
            self._tell(step)
            goes_on = step.goes_on
        except Exception as error:  # noqa: BLE001  (a generator may fail in any way; the node stays up and says so)
            self._break(error)
        with self._lock:
            goes_on = goes_on or self._newest is not None
            self._is_busy = goes_on
        if goes_on:
            self._go_on()

    def _break(self, error: Exception) -> None:
        """Say what failed; the next window begins a new stream."""
        self._counts["stream_failed"] += 1
        self._fail(f"sound_generator: the stream failed: {error_text(error)}")
        if isinstance(error, HangsError):
            self._streamer = self._streamer.renewed("an error")  # the one that hangs may yet come to itself
        else:
            self._streamer.stop("an error")
        self._newest = None  # else what is refused at once would be asked for again at once

    def _tell(self, step: _Step) -> None:
        if step.dropped:
            self._counts["stream_fell_behind"] += 1
            self._counts["stream_pieces_dropped"] += step.dropped
            self._warning = f"the stream fell behind: dropped {step.dropped} pieces, began anew"
        sound = step.sound
        if sound is None:
            return
        if sound.anew:
            self._node.get_logger().info(f"predicted/stream: a new stream begins: {sound.anew}")
            self._counts["streams_begun"] += 1
            self._samples = 0
        audio = audio_message(sound.start_ns, step.frame_id, sound.audio, self._sequence.sample_rate_hz)
        audio.first_sample = self._samples
        self._samples += len(sound.audio)
        self._audio.publish(audio)
        self._spectrogram.publish(mel_message(sound.start_ns, step.frame_id, sound.log_mel, None, self._sequence))
        self._counts["stream_pieces"] += 1
        end_ns = sound.start_ns + len(sound.audio) * NANOSECONDS // self._sequence.sample_rate_hz
        self._lags_s.append((self._node.get_clock().now().nanoseconds - end_ns) / NANOSECONDS)
