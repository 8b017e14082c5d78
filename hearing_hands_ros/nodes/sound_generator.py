"""Predicts the sound of touches: those that the hand tracker reports, and candidates that a planner asks about."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, MelSpectrogram, SoundPrediction
from hearing_hands_ros.predictors.candidates import contact_of, cut, find_touches
from hearing_hands_ros.predictors.checked import predict_checked
from hearing_hands_ros.predictors.protocol import Contact, HandMotion, Prediction
from hearing_hands_ros.predictors.registry import load_predictor, load_streamer
from hearing_hands_ros.predictors.touch_windows import TouchWindow, TouchWindows
from hearing_hands_ros.predictors.worker import Worker
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.hand_messages import contact_event
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.predict_sound_server import PredictSoundServer, error_text
from hearing_hands_ros.ros.predicted_stream import PredictedStream
from hearing_hands_ros.ros.sound_messages import prediction_message, read_hand_motion
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

if TYPE_CHECKING:
    from hearing_hands_ros.vision.view_features import Mode

HANDS_WAIT_S = 1.0  # the tracker sends a window twice a second
MOST_EARLY = 8  # candidates of touches that go on
MOST_HANGING = 3  # predictions that may hang, each on a thread that cannot be ended
CHECK_S = 0.1


@dataclass(frozen=True)
class SoundGeneratorParameters(CommonParameters):
    """Parameters of `sound_generator`."""

    model: str = parameter(
        "", "Folder of the model: a bank of recorded touches (bank.yaml) or a checkpoint (config.yaml)."
    )
    scene: str = parameter(
        "", "Folder of the scene bundle: a checkpoint looks at it, and it finds the touches of candidates without any."
    )
    views: Mode = parameter(
        "bare",
        "How a checkpoint sees what is touched: rendered without the hand, rendered with it, looked up, or looked up "
        "where that is safe.",
        choices=("bare", "exact", "baked", "auto"),
    )
    device: str = parameter("auto", "Where the model computes.", choices=("auto", "cpu", "cuda"))
    lead_s: float = parameter(0.1, "Sound published before a touch begins, s.", low=0.0, high=2.0)
    tail_s: float = parameter(1.2, "Sound published after a touch ended, s.", low=0.1, high=10.0)
    deadline_s: float = parameter(
        30.0,
        "Longest time to predict a touch or a candidate, s; then it counts as failed, and another thread takes over.",
        low=0.1,
        high=3600.0,
    )
    stream: bool = parameter(False, "Also predict without end, on predicted/stream; only a compact generator can.")
    queue: int = parameter(
        8, "Touches that may wait for prediction; beyond that the oldest is dropped.", low=1, high=1000
    )
    goals: int = parameter(
        4, "Goals of predict_sound at a time, one worked on and the others waiting; more are rejected.", low=1, high=100
    )
    touch_m: float = parameter(
        0.004, "Candidates: a keypoint nearer to the surface than this touches, m.", low=0.0005, high=0.1
    )
    release_m: float = parameter(
        0.008, "Candidates: a touch ends beyond this distance, m; more than touch_m.", low=0.001, high=0.2
    )
    slide_m: float = parameter(
        0.03, "Candidates: a touch that moved farther than this along the surface slides, m.", low=0.005, high=1.0
    )
    longest_touch_s: float = parameter(3.0, "Candidates: a touch is ended after this time, s.", low=0.2, high=20.0)


class SoundGenerator(ManagedNode):
    """`hands` in, `predicted`, `predicted/spectrogram` and `predicted/audio` out; serves `predict_sound`.

    With `stream` also `predicted/stream` and `predicted/stream/spectrogram`.
    """

    parameters_class = SoundGeneratorParameters

    def __init__(self) -> None:
        super().__init__("sound_generator")
        self._predicted = self.create_lifecycle_publisher(SoundPrediction, "predicted", 10)
        self._spectrogram = self.create_lifecycle_publisher(MelSpectrogram, "predicted/spectrogram", 10)
        self._audio = self.create_lifecycle_publisher(Audio, "predicted/audio", 10)
        self._server = PredictSoundServer(self, self._submit_batch, self._predict_candidates, lambda: self.p.goals)
        self._worker = Worker("predict", MOST_HANGING)
        self._hands: Any = None
        self._stream: PredictedStream | None = None
        self._checks: Any = None
        self._ids = count(time.time_ns())  # never one that this node gave away before it was started again

    def configure(self) -> None:
        """Load the model and the scene."""
        self.p = read_parameters(self, SoundGeneratorParameters)
        if not self.p.model:
            raise ValueError("sound_generator: parameter 'model' wants the folder of a model, got an empty string")
        self._predictor = load_predictor(self.p.model, self.p.device, self.p.scene, self.p.views)
        streamer = load_streamer(self._predictor) if self.p.stream else None
        self._surface, self._bundle = None, None
        if self.p.scene:
            self._bundle = SceneBundle.load(self.p.scene)
            self._surface = SplatSurface(self._bundle)
        self._contact_settings = ContactSettings(
            self.p.touch_m, self.p.release_m, slide_m=self.p.slide_m, longest_s=self.p.longest_touch_s
        )
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=200)
        self._last_error = ""
        self._touches = TouchWindows(self.p.lead_s, self.p.tail_s)
        self._waiting: deque[Future[Any]] = deque()
        self._early: dict[HandMotion, Future[Any]] = {}
        if streamer is not None:  # last of all: what makes topics must not be made twice when something is refused
            self._stream = PredictedStream(self, streamer, self._predictor.config, self._submit_piece, self._fail)
        gc.freeze()  # what was loaded stays: the collector need not look through it while a prediction is waited for
        self.get_logger().info(f"predictor '{self._predictor.name}', model '{self._predictor.model}'")

    def activate(self) -> None:
        """Begin to predict."""
        self._active_s = self._heard_s = time.monotonic()
        self._since_ns: int | None = None
        self._newest_ns = 0
        self._worker.start()
        self._checks = self.create_timer(CHECK_S, self._worker.check, clock=self._steady)
        self._hands = self.create_subscription(HandTrajectory, "hands", self._on_hands, 10)

    def deactivate(self) -> None:
        """Cease to predict; what is being worked on is finished first, if that does not take long, and nothing else."""
        if self._hands is not None:
            self.destroy_subscription(self._hands)
            self.destroy_timer(self._checks)
            self._hands = None
        self._worker.stop()
        self._server.end_all()
        if self._stream is not None:
            self._stream.end("the node was deactivated")

    def cleanup(self) -> None:
        """Let go of the model."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        del self._predictor
        gc.unfreeze()

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say how many predictions were made, how late, and what failed last or hangs."""
        status.add("predictor", self._predictor.name)
        status.add("model", self._predictor.model)
        for name in ("windows", "predictions", "refused_windows", "failed", "dropped", "clock_jumps"):
            status.add(name, self._counts[name])
        status.add("goals", self._server.goals)
        hanging = self._worker.hanging
        status.add("hanging_threads", hanging)
        warning = self._stream.status(status) if self._stream is not None else ""
        if self._latencies:
            p50, p95 = np.percentile(self._latencies, [50, 95])
            status.add("latency_p50_s", f"{p50:.3f}")
            status.add("latency_p95_s", f"{p95:.3f}")
        if self._worker.is_stuck:
            return ERROR, f"nothing is predicted: {hanging} predictions hang, the most that may; start the node again"
        if self._last_error:
            error, self._last_error = self._last_error, ""
            return ERROR, error
        if warning:
            return WARN, warning
        silent_s = time.monotonic() - self._heard_s
        if silent_s > HANDS_WAIT_S:
            return WARN, f"no hands from the tracker for {silent_s:.0f} s"
        if not self._counts["windows"]:
            return WARN, "waiting for the first hands"
        return OK, "predicting"

    # The live graph.

    def _on_hands(self, message: HandTrajectory) -> None:
        """Queue one prediction for every touch that has ended and was not predicted yet; feed the stream."""
        self._counts["windows"] += 1
        self._heard_s = time.monotonic()
        try:
            motion = read_hand_motion(message)
        except Exception as error:  # noqa: BLE001  (whatever a message holds, the node stays up and says so)
            self._counts["refused_windows"] += 1
            self._fail(error_text(error))
            return
        since_ns = self._since(motion)
        if since_ns is None:
            return
        over = [event.phase == ContactEvent.ENDED for event in message.contacts]
        events = {touch.key: event for event, touch in zip(message.contacts, motion.contacts, strict=True)}
        try:
            for candidate in self._touches.begun(motion, over):
                self._begin(candidate)
            for window in self._touches.of(motion, over):
                if window.contacts[-1].end_ns > since_ns:
                    self._queue(window, [events[touch.key] for touch in window.contacts])
        except ValueError as error:
            self._counts["failed"] += 1
            self._fail(f"sound_generator: {error}")
        if self._stream is not None:
            self._stream.push(motion, message.header.frame_id)

    def _begin(self, candidate: HandMotion) -> None:
        """Predict a touch that goes on, so that its prediction is there when it is over."""
        self._forget(candidate.contacts[-1], begun=False)
        future = self._worker.submit(self._predict_touch, candidate, allowed_s=self.p.deadline_s)
        if future is not None:
            self._early[candidate] = future
            while len(self._early) > MOST_EARLY:  # of a tracker that tells of no end
                self._early.pop(next(iter(self._early))).cancel()

    def _forget(self, touch: Contact, *, begun: bool) -> None:
        """Let go of the predictions of a touch that nobody has begun with, or of all."""
        for candidate in [each for each in self._early if each.contacts[-1].key == touch.key]:
            if self._early[candidate].cancel() or begun:
                del self._early[candidate]

    def _since(self, motion: HandMotion) -> int | None:
        """Return the time after which touches that end are ours to predict; None while the clock stands at zero.

        Touches that ended before the node was activated were predicted by then, or came too late. Simulated time may
        reach the node some time after its activation, so the moment is reckoned back from the first window.
        """
        now_ns = self.get_clock().now().nanoseconds
        if not now_ns:
            return None
        if self._since_ns is None:
            self._since_ns = now_ns - round((time.monotonic() - self._active_s) * NANOSECONDS)
        end_ns = motion.start_ns + round(motion.duration_s * NANOSECONDS)
        if end_ns < self._newest_ns - NANOSECONDS:
            self.get_logger().warning("the time of the hands went back: starting afresh")
            self._counts["clock_jumps"] += 1
            self._since_ns = 0
        self._newest_ns = end_ns
        return self._since_ns

    def _queue(self, window: TouchWindow, events: list[ContactEvent]) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        # The first in the line may be running; only one that is not can be dropped.
        while len(self._waiting) >= self.p.queue:
            oldest = self._waiting.popleft()
            if oldest.cancel():
                self._counts["dropped"] += 1
                self._fail(f"sound_generator: {self.p.queue} touches are waiting, dropped the oldest")
        future = self._early.pop(window.candidate, None)
        self._forget(window.contacts[-1], begun=True)
        if future is None or future.cancel():  # it could not be known, or nobody has begun
            future = self._worker.submit(
                self._predict_touch, window.candidate, allowed_s=self.p.deadline_s, urgent=True
            )
        if future is not None:
            self._waiting.append(future)
            future.add_done_callback(partial(self._on_predicted, events, window))

    def _submit_batch(
        self, predict: Callable[..., Any], candidates: Sequence[HandTrajectory], arrived_ns: int
    ) -> Future[Any] | None:
        return self._worker.submit(predict, candidates, arrived_ns, allowed_s=self.p.deadline_s * len(candidates))

    def _submit_piece(self, draw: Callable[[], Any]) -> Future[Any] | None:
        return self._worker.submit(draw, allowed_s=self.p.deadline_s)

    def _predict_touch(self, candidate: HandMotion) -> tuple[Prediction, float]:
        """Predict, and say how long that took; on the worker thread."""
        begun = time.perf_counter()
        return predict_checked(self._predictor, [candidate])[0], time.perf_counter() - begun

    def _on_predicted(
        self, events: list[ContactEvent], window: TouchWindow, future: Future[tuple[Prediction, float]]
    ) -> None:
        """Publish what was predicted of a touch."""
        if future.cancelled():
            return
        try:
            prediction, compute_s = future.result()
            message = self._message(window.told(prediction), events, window.contacts[-1].end_ns, compute_s)
        except Exception as error:  # noqa: BLE001  (a predictor may fail in any way; the node stays up and says so)
            self._counts["failed"] += 1
            self._fail(f"sound_generator: predictor '{self._predictor.name}' failed: {error_text(error)}")
            return
        self._predicted.publish(message)
        self._spectrogram.publish(message.spectrogram)
        self._audio.publish(message.audio)
        self._latencies.append(message.latency)
        self._counts["predictions"] += 1

    def _message(
        self, prediction: Prediction, events: list[ContactEvent], since_ns: int, compute_s: float
    ) -> SoundPrediction:
        frame_id = events[0].header.frame_id if events else ""
        message = prediction_message(prediction, self._predictor.config, frame_id, events)
        message.id = next(self._ids)
        message.latency = (self.get_clock().now().nanoseconds - since_ns) / NANOSECONDS
        message.compute_time = compute_s
        return message

    # Candidates of a planner.

    def _predict_candidates(self, candidates: Sequence[HandTrajectory], arrived_ns: int) -> list[SoundPrediction]:
        """Predict a batch of motions, each whole, of a goal that arrived at a time; on the worker thread."""
        begun = time.perf_counter()
        read = [self._read_candidate(candidate) for candidate in candidates]
        tail_ns = round(self.p.tail_s * NANOSECONDS)
        windows = [
            cut(motion, motion.start_ns, motion.start_ns + round(motion.duration_s * NANOSECONDS) + tail_ns)
            for motion, _ in read
        ]
        predictions = predict_checked(self._predictor, windows)
        compute_s = (time.perf_counter() - begun) / len(read)
        return [
            self._message(prediction, events, arrived_ns, compute_s)
            for prediction, (_, events) in zip(predictions, read, strict=True)
        ]

    def _read_candidate(self, message: HandTrajectory) -> tuple[HandMotion, list[ContactEvent]]:
        """Motion and touches of a candidate; where it names no touches, they are found on the scene's surface."""
        motion = read_hand_motion(message)
        if motion.contacts:
            return motion, list(message.contacts)
        if self._bundle is None or self._surface is None:
            raise ValueError(
                "PredictSound: a candidate without contacts wants the parameter 'scene', to find them; got none"
            )
        frame_id, names = self._bundle.frame_id, self._bundle.material_names
        if message.header.frame_id != frame_id:
            raise ValueError(f"PredictSound: a candidate wants frame '{frame_id}', got '{message.header.frame_id}'")
        touches = find_touches(motion, self._surface, self._contact_settings)
        events = [contact_event(touch, frame_id, names) for touch in touches]
        return replace(motion, contacts=tuple(contact_of(touch, names) for touch in touches)), events

    def _fail(self, error: str) -> None:
        self._last_error = error
        self.get_logger().error(error, throttle_duration_sec=2.0)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    # Read when torch is loaded, in `configure`. Threads that spin while they wait for each other take the processor
    # from those that they wait for, where other programs want it too: a prediction then takes seconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    spin(SoundGenerator, args)


if __name__ == "__main__":
    main()
