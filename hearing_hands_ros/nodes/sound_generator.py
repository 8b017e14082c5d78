"""Predicts the sound of touches: those that the hand tracker reports, and candidates that a planner asks about."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hearing_hands_ros.motion.contact import ContactSettings
from hearing_hands_ros.motion.window import NANOSECONDS
from hearing_hands_ros.msg import Audio, ContactEvent, HandTrajectory, MelSpectrogram, SoundPrediction
from hearing_hands_ros.predictors.candidates import contact_of, cut, find_touches
from hearing_hands_ros.predictors.protocol import HandMotion, Prediction
from hearing_hands_ros.predictors.registry import load_predictor
from hearing_hands_ros.ros.diagnostics import ERROR, OK, WARN
from hearing_hands_ros.ros.hand_messages import contact_event, stamp_to_ns
from hearing_hands_ros.ros.managed_node import ManagedNode
from hearing_hands_ros.ros.parameters import CommonParameters, parameter, read_parameters
from hearing_hands_ros.ros.predict_sound_server import PredictSoundServer
from hearing_hands_ros.ros.sound_messages import prediction_message, read_hand_motion
from hearing_hands_ros.ros.spin import spin
from hearing_hands_ros.scene.bundle import SceneBundle
from hearing_hands_ros.scene.surface import SplatSurface

REMEMBERED_TOUCHES = 1000


@dataclass(frozen=True)
class SoundGeneratorParameters(CommonParameters):
    """Parameters of `sound_generator`."""

    model: str = parameter("", "Folder of the model: a bank of recorded touches (bank.yaml), later a checkpoint.")
    scene: str = parameter("", "Folder of the scene bundle; finds the touches of candidates that come without any.")
    device: str = parameter("auto", "Where the model computes.", choices=("auto", "cpu", "cuda"))
    lead_s: float = parameter(0.1, "Sound published before a touch begins, s.", low=0.0, high=2.0)
    tail_s: float = parameter(1.2, "Sound published after a touch ended, s.", low=0.1, high=10.0)
    queue: int = parameter(
        8, "Touches that may wait for prediction; beyond that the oldest is dropped.", low=1, high=1000
    )


class SoundGenerator(ManagedNode):
    """`hands` in, `predicted`, `predicted/spectrogram` and `predicted/audio` out; serves `predict_sound`."""

    parameters_class = SoundGeneratorParameters

    def __init__(self) -> None:
        super().__init__("sound_generator")
        self._predicted = self.create_lifecycle_publisher(SoundPrediction, "predicted", 10)
        self._spectrogram = self.create_lifecycle_publisher(MelSpectrogram, "predicted/spectrogram", 10)
        self._audio = self.create_lifecycle_publisher(Audio, "predicted/audio", 10)
        self._server = PredictSoundServer(self, self._submit_goal, self._predict_candidates)
        self._hands: Any = None
        self._worker: ThreadPoolExecutor | None = None
        self._next_id = 1

    def configure(self) -> None:
        """Load the model and the scene."""
        self.p = read_parameters(self, SoundGeneratorParameters)
        if not self.p.model:
            raise ValueError("sound_generator: parameter 'model' wants the folder of a model, got an empty string")
        self._predictor = load_predictor(self.p.model, self.p.device)
        self._surface, self._bundle = None, None
        if self.p.scene:
            self._bundle = SceneBundle.load(self.p.scene)
            self._surface = SplatSurface(self._bundle)
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=200)
        self._last_error = ""
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_TOUCHES)
        self._waiting: deque[Future[None]] = deque()
        self.get_logger().info(f"predictor '{self._predictor.name}', model '{self._predictor.model}'")

    def activate(self) -> None:
        """Begin to predict."""
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._hands = self.create_subscription(HandTrajectory, "hands", self._on_hands, 10)

    def deactivate(self) -> None:
        """Cease to predict; what is being worked on is finished first."""
        if self._hands is not None:
            self.destroy_subscription(self._hands)
            self._hands = None
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=True)
            self._worker = None

    def cleanup(self) -> None:
        """Let go of the model."""
        del self._predictor

    def status(self, status: Any) -> tuple[bytes, str]:
        """Say how many predictions were made, how late, and what failed last."""
        status.add("predictor", self._predictor.name)
        status.add("model", self._predictor.model)
        for name in ("windows", "predictions", "refused_windows", "failed", "dropped", "goals"):
            status.add(name, self._counts[name])
        if self._latencies:
            p50, p95 = np.percentile(self._latencies, [50, 95])
            status.add("latency_p50_s", f"{p50:.3f}")
            status.add("latency_p95_s", f"{p95:.3f}")
        if self._last_error:
            error, self._last_error = self._last_error, ""
            return ERROR, error
        if not self._counts["windows"]:
            return WARN, "no hands yet"
        return OK, "predicting"

    # The live graph.

    def _on_hands(self, message: HandTrajectory) -> None:
        """Queue one prediction for every touch that has ended and was not predicted yet."""
        self._counts["windows"] += 1
        try:
            motion = read_hand_motion(message)
        except ValueError as error:
            self._counts["refused_windows"] += 1
            self._fail(str(error))
            return
        for event in message.contacts:
            key = (int(event.id), stamp_to_ns(event.header.stamp))
            if event.phase != ContactEvent.ENDED or key in self._seen:
                continue
            self._seen.append(key)
            # Later touches are other predictions; earlier ones may still ring into this one.
            start_ns = stamp_to_ns(event.header.stamp)
            events = [other for other in message.contacts if stamp_to_ns(other.header.stamp) < start_ns]
            contacts = [contact for contact in motion.contacts if contact.start_ns < start_ns]
            this = motion.contacts[list(message.contacts).index(event)]
            self._queue(replace(motion, contacts=(*contacts, this)), [*events, event])

    def _queue(self, motion: HandMotion, events: list[ContactEvent]) -> None:
        assert self._worker is not None  # noqa: S101  (active)
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        # The first in the line may be running; only one that is not can be dropped.
        while len(self._waiting) >= self.p.queue:
            oldest = self._waiting.popleft()
            if oldest.cancel():
                self._counts["dropped"] += 1
                self._fail(f"sound_generator: {self.p.queue} touches are waiting, dropped the oldest")
        self._waiting.append(self._worker.submit(self._predict_touch, motion, events))

    def _predict_touch(self, motion: HandMotion, events: list[ContactEvent]) -> None:
        """Predict and publish the last of the touches; on the worker thread."""
        touch = motion.contacts[-1]
        window = self._window(motion, touch.start_ns - int(self.p.lead_s * NANOSECONDS), touch.end_ns)
        begun = time.perf_counter()
        try:
            prediction = self._predictor.predict([window])[0]
        except Exception as error:  # noqa: BLE001  (a predictor may fail in any way; the node stays up and says so)
            self._counts["failed"] += 1
            self._fail(f"sound_generator: predictor '{self._predictor.name}' failed: {type(error).__name__}: {error}")
            return
        message = self._message(prediction, events, touch.end_ns, time.perf_counter() - begun)
        self._predicted.publish(message)
        self._spectrogram.publish(message.spectrogram)
        self._audio.publish(message.audio)
        self._latencies.append(message.latency)
        self._counts["predictions"] += 1

    def _window(self, motion: HandMotion, start_ns: int, end_ns: int) -> HandMotion:
        return cut(motion, start_ns, end_ns + int(self.p.tail_s * NANOSECONDS))

    def _message(
        self, prediction: Prediction, events: list[ContactEvent], since_ns: int, compute_s: float
    ) -> SoundPrediction:
        frame_id = events[0].header.frame_id if events else ""
        message = prediction_message(prediction, self._predictor.config, frame_id, events)
        message.id = self._next_id
        message.latency = (self.get_clock().now().nanoseconds - since_ns) / NANOSECONDS
        message.compute_time = compute_s
        self._next_id += 1
        return message

    # Candidates of a planner.

    def _submit_goal(self, work: Callable[[], None]) -> bool:
        if self._worker is None:
            return False
        self._counts["goals"] += 1
        self._worker.submit(work)
        return True

    def _predict_candidates(self, candidates: Sequence[HandTrajectory]) -> list[SoundPrediction]:
        """Predict a batch of motions, each whole; on the worker thread."""
        arrived_ns, begun = self.get_clock().now().nanoseconds, time.perf_counter()
        read = [self._read_candidate(candidate) for candidate in candidates]
        windows = [
            self._window(motion, motion.start_ns, motion.start_ns + round(motion.duration_s * NANOSECONDS))
            for motion, _ in read
        ]
        predictions = self._predictor.predict(windows)
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
        touches = find_touches(motion, self._surface, ContactSettings())
        events = [contact_event(touch, frame_id, names) for touch in touches]
        return replace(motion, contacts=tuple(contact_of(touch, names) for touch in touches)), events

    def _fail(self, error: str) -> None:
        self._last_error = error
        self.get_logger().error(error, throttle_duration_sec=2.0)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    spin(SoundGenerator, args)


if __name__ == "__main__":
    main()
